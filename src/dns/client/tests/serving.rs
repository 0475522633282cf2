use std::{
    sync::{
        Barrier,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Instant,
};

use futures_util::future::join_all;

use super::{
    forks::in_child,
    server::{Server, closed, cname, until, v4, v6},
    *,
};

const BOTH: [&str; 2] = ["192.0.2.1", "2001:db8::1"];

fn good() -> Server {
    Server::start(|question| question.address(1))
}

#[test]
fn addresses_in_the_order_of_the_reply() {
    let server = Server::start(|question| {
        let name = question.name.as_str();
        match question.record_type {
            RecordType::A => {
                question.records(&[(name, 60, v4(9)), (name, 60, v4(3)), (name, 60, v4(9))])
            }
            _ => question.records(&[
                (name, 60, v6(2)),
                ("other.test", 60, v6(7)),
                (name, 60, v6(1)),
            ]),
        }
    });
    let all = [
        "192.0.2.9",
        "192.0.2.3",
        "192.0.2.9",
        "2001:db8::2",
        "2001:db8::1",
    ];
    let answer = ask_once(&config(&[server.address]), "Host.test", Families::Both);
    assert_eq!(answer, Ok(host("Host.test", &[], &all)));
}

#[test]
fn chains_of_aliases() {
    let server = Server::start(|question| {
        let chain = [
            (question.name.as_str(), 60, cname("two.test")),
            ("two.test", 60, cname("Three.test")),
        ];
        match question.record_type {
            RecordType::A => {
                let mut records = chain.to_vec();
                // Owners are compared without regard to case.
                records.push(("three.TEST", 60, v4(1)));
                records.push(("two.test", 60, v4(2)));
                question.records(&records)
            }
            _ => question.records(&chain),
        }
    });
    let config = config(&[server.address]);
    let expected = host("Three.test", &["one.test", "two.test"], &["192.0.2.1"]);
    assert_eq!(
        ask_once(&config, "one.test", Families::Both),
        Ok(expected.clone())
    );
    assert_eq!(ask_once(&config, "one.test", Families::V4), Ok(expected));
    // An alias of nothing is not followed further, and ends the search.
    let answer = ask_once(&config, "one.test", Families::V6);
    assert!(
        matches!(answer, Err(LookupFailure::AskLibc(_))),
        "{answer:?}"
    );
    assert!(server.names().iter().all(|name| name == "one.test"));
}

#[test]
fn alias_of_nothing() {
    let server = Server::start(|question| {
        question.records(&[(question.name.as_str(), 60, cname("nothing.test"))])
    });
    let config = reading(resolv(&[server.address], &["x.test"], 1), 1);
    let answer = ask_once(&config, "a", Families::Both);
    assert!(
        matches!(answer, Err(LookupFailure::AskLibc(_))),
        "{answer:?}"
    );
    assert_eq!(server.names(), ["a.x.test"]);
}

#[test]
fn names_that_no_host_can_have_are_left_to_libc() {
    use hickory_resolver::proto::rr::{Name, RData, rdata::CNAME};

    for label in [&b"a b"[..], b"-a", b"a.b", b"\xe9"] {
        let server = Server::start(move |question| {
            let target = Name::from_labels([label, b"test"]).unwrap();
            let name = question.name.as_str();
            question.records(&[(name, 60, RData::CNAME(CNAME(target))), (name, 60, v4(1))])
        });
        let answer = ask_once(&config(&[server.address]), "a.test", Families::V4);
        assert!(
            matches!(answer, Err(LookupFailure::AskLibc(_))),
            "{answer:?}"
        );
    }
}

#[test]
fn truncated_replies_are_asked_for_over_tcp() {
    let server = Server::start(|question| {
        let mut reply = question.address(1)?;
        if !question.tcp && question.record_type == RecordType::A {
            reply.metadata.truncation = true;
            reply.answers.clear();
        }
        Some(reply)
    });
    let config = config(&[server.address]);
    let expected = Ok(host("a.test", &[], &BOTH));
    assert_eq!(ask_once(&config, "a.test", Families::Both), expected);
    let over_tcp: Vec<_> = server
        .asked()
        .into_iter()
        .filter(|(.., tcp)| *tcp)
        .collect();
    assert_eq!(over_tcp.len(), 2, "both questions, as glibc");
    let expected = Ok(host("a.test", &[], &BOTH[..1]));
    assert_eq!(ask_once(&config, "a.test", Families::V4), expected);
}

#[test]
fn closed_port_costs_no_time() {
    let server = good();
    let mut resolv = resolv(&[closed(), server.address], &[], 1);
    resolv.timeout = Duration::from_secs(120);
    let answer = ask_once(&reading(resolv, 1), "a.test", Families::Both);
    assert_eq!(answer, Ok(host("a.test", &[], &BOTH)));
}

#[test]
fn silent_server_costs_its_timeout() {
    let (silent, server) = (Server::start(|_| None), good());
    let mut resolv = resolv(&[silent.address, server.address], &[], 1);
    resolv.timeout = Duration::from_secs(1);
    let start = Instant::now();
    let answer = ask_once(&reading(resolv, 1), "a.test", Families::Both);
    assert_eq!(answer, Ok(host("a.test", &[], &BOTH)));
    assert!(start.elapsed() >= Duration::from_secs(1));
    assert_eq!(silent.asked().len(), 2);
}

#[test]
fn servers_that_cannot_are_passed_over() {
    for code in [
        ResponseCode::ServFail,
        ResponseCode::NotImp,
        ResponseCode::Refused,
    ] {
        let (bad, server) = (Server::start(move |it| it.code(code)), good());
        let mut resolv = resolv(&[bad.address, server.address], &[], 1);
        resolv.timeout = Duration::from_secs(120);
        let answer = ask_once(&reading(resolv, 1), "a.test", Families::Both);
        assert_eq!(answer, Ok(host("a.test", &[], &BOTH)), "{code}");
        assert_eq!(bad.asked().len(), 2);
        // Alone they are asked `attempts` times.
        let answer = ask_once(&config(&[bad.address]), "a.test", Families::V4);
        assert!(matches!(answer, Err(LookupFailure::AskLibc(_))), "{code}");
        assert_eq!(bad.asked().len(), 4);
    }
}

#[test]
fn bare_refusals_count() {
    let bad = Server::start(|question| {
        let mut reply = question.code(ResponseCode::Refused)?;
        reply.queries.clear();
        Some(reply)
    });
    let server = good();
    let mut resolv = resolv(&[bad.address, server.address], &[], 1);
    resolv.timeout = Duration::from_secs(120);
    let answer = ask_once(&reading(resolv, 1), "a.test", Families::Both);
    assert_eq!(answer, Ok(host("a.test", &[], &BOTH)));
}

#[test]
fn no_name_is_final() {
    let (first, second) = (Server::start(|it| it.no_name()), good());
    let config = config(&[first.address, second.address]);
    let answer = ask_once(&config, "a.test", Families::Both);
    assert_eq!(answer, Err(LookupFailure::NotFound));
    assert!(second.asked().is_empty());
}

#[test]
fn one_family_is_enough() {
    let server = Server::start(|question| match question.record_type {
        RecordType::AAAA => question.code(ResponseCode::ServFail),
        _ => question.address(1),
    });
    let answer = ask_once(&config(&[server.address]), "a.test", Families::Both);
    assert_eq!(answer, Ok(host("a.test", &[], &BOTH[..1])));
    assert_eq!(server.asked().len(), 2);
}

#[test]
fn odd_replies_are_left_to_libc() {
    let lame = Server::start(|question| {
        let mut reply = question.no_data()?;
        reply.metadata.recursion_available = false;
        Some(reply)
    });
    let formerr = Server::start(|question| question.code(ResponseCode::FormErr));
    let half = Server::start(|question| match question.record_type {
        RecordType::A => question.address(1),
        _ => None,
    });
    for server in [lame, formerr, half] {
        let mut resolv = resolv(&[server.address], &[], 1);
        resolv.timeout = Duration::from_secs(1);
        let answer = ask_once(&reading(resolv, 1), "a.test", Families::Both);
        assert!(
            matches!(answer, Err(LookupFailure::AskLibc(_))),
            "{answer:?}"
        );
    }
}

#[test]
fn silence_is_waited_for() {
    let silent = Server::start(|_| None);
    let mut resolv = resolv(&[silent.address, silent.address], &[], 1);
    resolv.timeout = Duration::from_secs(1);
    let start = Instant::now();
    let answer = ask_once(&reading(resolv, 1), "a.test", Families::V4);
    assert_eq!(answer, Err(LookupFailure::TryAgain));
    // Two servers, two rounds, the second server's second being (1 << 1) / 2.
    assert!(start.elapsed() >= Duration::from_secs(4));
    assert_eq!(silent.asked().len(), 4);
}

#[test]
fn edns_only_where_configured() {
    let seen = Arc::new(AtomicUsize::new(0));
    let server = {
        let seen = seen.clone();
        Server::start(move |question| {
            let payload = question
                .message
                .edns
                .as_ref()
                .map(|edns| edns.max_payload());
            seen.store(payload.unwrap_or(0).into(), Ordering::SeqCst);
            question.address(1)
        })
    };
    let mut resolv = resolv(&[server.address], &[], 1);
    assert!(ask_once(&reading(resolv.clone(), 1), "a.test", Families::V4).is_ok());
    assert_eq!(seen.load(Ordering::SeqCst), 0);
    resolv.edns0 = true;
    assert!(ask_once(&reading(resolv, 1), "a.test", Families::V4).is_ok());
    assert_eq!(seen.load(Ordering::SeqCst), 1200);
}

#[test]
fn dropping_cancels() {
    let silent = Server::start(|_| None);
    let client = client(0);
    let config = config(&[silent.address]);
    let start = |asked| {
        let mut look_up = Box::pin(client.addresses(&config, "a.test", Families::Both));
        until("asked", || {
            silent.asked().len() == asked || {
                let soon = Instant::now() + Duration::from_millis(5);
                assert!(block_on(look_up.as_mut(), Some(soon)).is_err());
                false
            }
        });
        look_up
    };
    let look_up = start(2);
    assert_eq!(silent.clients(), 2);
    drop(look_up);
    until("the sockets are closed", || silent.clients() == 0);
    assert!(client.shared.state.lock().flights.is_empty());
    // A new asker asks anew.
    drop(start(4));
}

#[test]
fn event_loops_ask_the_same_question_once() {
    const ASKERS: usize = 8;
    let gate = Arc::new(Barrier::new(2));
    let server = {
        let gate = gate.clone();
        Server::start(move |question| {
            if question.record_type == RecordType::A {
                gate.wait();
            }
            question.address(1)
        })
    };
    let client = Arc::new(client(0));
    let config = config(&[server.address]);
    // The first asker leaves while the others wait.
    let mut first = Box::pin(client.addresses(&config, "a.test", Families::Both));
    let polled = elsewhere(std::future::poll_fn(|context| {
        std::task::Poll::Ready(first.as_mut().poll(context).is_ready())
    }));
    assert!(!polled);
    let askers: Vec<_> = (0..ASKERS)
        .map(|_| {
            let (client, config) = (client.clone(), config.clone());
            thread::spawn(move || elsewhere(client.addresses(&config, "a.test", Families::Both)))
        })
        .collect();
    let waiting = || {
        let state = client.shared.state.lock();
        let flight = state
            .flights
            .values()
            .next()
            .and_then(|(_, it)| it.upgrade());
        drop(state);
        // The one just taken counts.
        flight.and_then(|flight| flight.strong_count()).unwrap_or(0) == ASKERS + 2
    };
    until("all have joined", waiting);
    drop(first);
    gate.wait();
    for asker in askers {
        assert_eq!(asker.join().unwrap(), Ok(host("a.test", &[], &BOTH)));
    }
    assert_eq!(server.asked().len(), 2);
}

#[test]
fn names_of_addresses() {
    use hickory_resolver::proto::rr::{Name, RData, rdata::PTR};

    let server = Server::start(|question| match question.name.as_str() {
        "1.2.0.192.in-addr.arpa" => {
            let ptr = |name| RData::PTR(PTR(Name::from_ascii(name).unwrap()));
            let name = question.name.as_str();
            question.records(&[
                (name, 60, ptr("Host.test.")),
                (name, 60, ptr("other.test.")),
            ])
        }
        "2.2.0.192.in-addr.arpa" => question.no_data(),
        name if name.ends_with("8.b.d.0.1.0.0.2.ip6.arpa") => question.no_name(),
        _ => None,
    });
    let (client, config) = (client(16), config(&[server.address]));
    let names =
        |address: &str| block_on(client.names(&config, address.parse().unwrap()), None).unwrap();
    let expected = HostNames {
        canonical: b"Host.test".to_vec(),
        aliases: Vec::new(),
    };
    assert_eq!(names("192.0.2.1"), Ok(expected.clone()));
    assert_eq!(names("192.0.2.1"), Ok(expected));
    assert_eq!(server.asked().len(), 1, "from the cache");
    assert_eq!(names("192.0.2.2"), Err(LookupFailure::NoData));
    assert_eq!(names("2001:db8::1"), Err(LookupFailure::NotFound));
    let asked = server.names();
    let nibbles = asked.last().unwrap();
    assert!(nibbles.starts_with("1.0.0.0."), "{nibbles}");
    assert_eq!(nibbles.matches('.').count(), 33);
    assert!(matches!(
        names("::ffff:192.0.2.1"),
        Err(LookupFailure::AskLibc(_))
    ));
}

#[test]
fn a_thousand_at_once_need_few_descriptors() {
    let server = good();
    let config = config(&[server.address]);
    let names: Vec<_> = (0..1000).map(|number| format!("h{number}.test")).collect();
    // In a child, which reads its limit afresh.
    let verdict = in_child(|| {
        let limit = libc::rlimit {
            rlim_cur: 1024,
            rlim_max: 1024,
        };
        // SAFETY: reads a valid structure.
        unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) };
        let client = client(0);
        let most = AtomicUsize::new(0);
        let look_ups = names.iter().map(|name| async {
            let answer = client.addresses(&config, name, Families::Both).await;
            most.fetch_max(server.clients(), Ordering::Relaxed);
            answer
        });
        let answers = block_on(join_all(look_ups), None).unwrap();
        for (answer, name) in answers.into_iter().zip(&names) {
            assert_eq!(answer, Ok(host(name, &[], &BOTH)));
        }
        assert!(most.load(Ordering::Relaxed) <= 256, "{most:?}");
        1
    });
    assert_eq!(verdict, Some(1));
}

#[test]
fn an_embedders_runtime_serves() {
    let current = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    assert!(Runtime::embedder(current.handle().clone()).is_err());
    let bare = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .unwrap();
    assert!(Runtime::embedder(bare.handle().clone()).is_err());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let server = good();
    let client = Client::new(Runtime::embedder(runtime.handle().clone()).unwrap(), 0);
    let config = config(&[server.address]);
    let answer = elsewhere(client.addresses(&config, "a.test", Families::Both));
    assert_eq!(answer, Ok(host("a.test", &[], &BOTH)));
    drop(runtime);
    // Only a thread that blocks can do without.
    let answer = look_up(&client, &config, "b.test", Families::Both);
    assert_eq!(answer, Ok(host("b.test", &[], &BOTH)));
    let answer = elsewhere(client.addresses(&config, "c.test", Families::Both));
    assert!(
        matches!(answer, Err(LookupFailure::AskLibc(_))),
        "{answer:?}"
    );
}

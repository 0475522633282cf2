use std::{
    ffi::CString,
    future::Future,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    task::{Context, Poll, Wake, Waker},
    thread,
    time::{Duration, Instant},
};

use super::*;

struct Unpark(thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn wait<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        thread::park();
    }
}

fn c(text: &str) -> CString {
    CString::new(text).unwrap()
}

fn lookup(host: Option<&str>, service: Option<&str>, hints: Hints) -> Result<Vec<String>, i32> {
    let answer = wait(resolve(host.map(c), service.map(c), hints, None));
    described(answer)
}

fn described(answer: Result<Vec<AddrInfo>, EaiError>) -> Result<Vec<String>, i32> {
    let describe = |info: AddrInfo| {
        format!(
            "{} {} {} {:?} {:?}",
            info.family,
            info.socktype,
            info.protocol,
            info.canonical_name,
            info.address.as_socket()
        )
    };
    answer
        .map(|list| list.into_iter().map(describe).collect())
        .map_err(|error| error.code)
}

const STREAM: Hints = Hints {
    flags: 0,
    family: 0,
    socktype: libc::SOCK_STREAM,
    protocol: 0,
};

fn first(host: &str, service: &str) -> SocketAddr {
    let answer = wait(resolve(Some(c(host)), Some(c(service)), STREAM, None)).unwrap();
    answer[0].address.as_socket().unwrap()
}

#[test]
fn numeric_hosts_in_all_spellings() {
    let loopback: SocketAddr = "127.0.0.1:80".parse().unwrap();
    for host in ["127.0.0.1", "127.1", "0x7f000001", "2130706433", "0177.0.1"] {
        assert_eq!(first(host, "80"), loopback, "{host}");
    }
    assert_eq!(first("::1", "80"), "[::1]:80".parse().unwrap());
    let SocketAddr::V6(scoped) = first("fe80::1%lo", "80") else {
        panic!("an IPv4 address");
    };
    assert_ne!(scoped.scope_id(), 0);
}

/// Whatever the short cut answers must be what the C library answers without it.
#[test]
fn short_cut_agrees_with_the_c_library() {
    let hosts = [
        None,
        Some("127.0.0.1"),
        Some("127.1"),
        Some("0x7f.1"),
        Some("255.255.255.255"),
        Some("::1"),
        Some("::ffff:1.2.3.4"),
        Some("fe80::1%lo"),
        Some("fe80::1%1"),
        Some("::1%nosuchinterface"),
        Some("1.2.3.4.5"),
        Some("256.0.0.1"),
        Some(""),
        Some(" 127.0.0.1"),
        Some("127.0.0.1 "),
        Some("localhost"),
    ];
    let services = [
        None,
        Some("80"),
        Some("0"),
        Some("70000"),
        Some("99999999999999999999"),
    ];
    let families = [0, libc::AF_INET, libc::AF_INET6, libc::AF_UNIX, 99];
    let kinds = [(0, 0), (1, 0), (2, 17), (3, 0), (1, 17), (99, 0)];
    let flags = [
        0,
        libc::AI_PASSIVE,
        libc::AI_NUMERICHOST,
        libc::AI_NUMERICSERV,
        libc::AI_V4MAPPED,
        libc::AI_V4MAPPED | libc::AI_ALL,
        libc::AI_CANONNAME,
        libc::AI_ADDRCONFIG,
        0x4000_0000,
    ];
    let mut short = 0;
    for host in hosts {
        for service in services {
            for family in families {
                for (socktype, protocol) in kinds {
                    for flags in flags {
                        let hints = Hints {
                            flags,
                            family,
                            socktype,
                            protocol,
                        };
                        let (host_c, service_c) = (host.map(c), service.map(c));
                        let cut = resolve_numeric(host_c.as_deref(), service_c.as_deref(), hints);
                        let Some(cut) = cut else { continue };
                        short += 1;
                        let full =
                            libc_calls::getaddrinfo(host_c.as_deref(), service_c.as_deref(), hints);
                        assert_eq!(
                            described(cut),
                            described(full),
                            "{host:?} {service:?} {hints:?}"
                        );
                    }
                }
            }
        }
    }
    assert!(
        short > 1000,
        "the short cut took only {short} of the queries"
    );
}

#[test]
fn short_cut_takes_numeric_hosts_only() {
    let taken = |host: &str, flags| {
        resolve_numeric(Some(&c(host)), Some(&c("80")), Hints { flags, ..STREAM }).is_some()
    };
    assert!(taken("127.0.0.1", 0));
    assert!(taken("::1", libc::AI_PASSIVE));
    assert!(!taken("localhost", 0));
    assert!(!taken("127.0.0.1", libc::AI_CANONNAME));
}

#[test]
fn localhost_from_the_hosts_file() {
    let answer = wait(resolve(Some(c("localhost")), Some(c("80")), STREAM, None)).unwrap();
    assert!(!answer.is_empty());
    for info in answer {
        assert!(info.address.as_socket().unwrap().ip().is_loopback());
        assert_eq!(info.canonical_name, None);
    }
}

#[test]
fn canonical_name_on_request() {
    let hints = Hints {
        flags: libc::AI_CANONNAME,
        ..STREAM
    };
    let answer = wait(resolve(Some(c("127.0.0.1")), None, hints, None)).unwrap();
    assert_eq!(answer[0].canonical_name.as_deref(), Some(&b"127.0.0.1"[..]));
}

#[test]
fn absent_host() {
    let any = Hints {
        flags: libc::AI_PASSIVE,
        family: libc::AF_INET,
        ..STREAM
    };
    let any = wait(resolve(None, Some(c("80")), any, None)).unwrap();
    assert_eq!(
        any[0].address.as_socket(),
        Some("0.0.0.0:80".parse().unwrap())
    );
    assert_eq!(lookup(None, None, STREAM), Err(libc::EAI_NONAME));
}

#[test]
fn error_codes() {
    let v6 = Hints {
        family: libc::AF_INET6,
        ..STREAM
    };
    assert_eq!(
        lookup(Some("127.0.0.1"), None, v6),
        Err(numeric::EAI_ADDRFAMILY)
    );
    let family = Hints {
        family: 99,
        ..STREAM
    };
    assert_eq!(
        lookup(Some("127.0.0.1"), None, family),
        Err(libc::EAI_FAMILY)
    );
    let kind = Hints {
        socktype: 99,
        ..STREAM
    };
    assert_eq!(
        lookup(Some("127.0.0.1"), None, kind),
        Err(libc::EAI_SOCKTYPE)
    );
    let flags = Hints {
        flags: 0x4000_0000,
        ..STREAM
    };
    assert_eq!(
        lookup(Some("127.0.0.1"), None, flags),
        Err(libc::EAI_BADFLAGS)
    );
    let service = lookup(Some("127.0.0.1"), Some("no such service"), STREAM);
    assert_eq!(service, Err(libc::EAI_SERVICE));
    let named = Hints {
        flags: libc::AI_NUMERICHOST,
        ..STREAM
    };
    assert_eq!(
        lookup(Some("localhost"), None, named),
        Err(libc::EAI_NONAME)
    );
    assert_eq!(
        EaiError::new(libc::EAI_NONAME).text(),
        "Name or service not known"
    );
}

#[test]
fn names_of_addresses() {
    let address = || SockAddr::from("127.0.0.1:80".parse::<SocketAddr>().unwrap());
    let numeric = libc::NI_NUMERICHOST | libc::NI_NUMERICSERV;
    let info = wait(getnameinfo(address(), numeric)).unwrap();
    assert_eq!(
        (&info.host[..], &info.service[..]),
        (&b"127.0.0.1"[..], &b"80"[..])
    );
    let info = wait(getnameinfo(address(), libc::NI_NUMERICSERV)).unwrap();
    assert!(!info.host.is_empty());
    let error = wait(getnameinfo(address(), 0x4000_0000)).unwrap_err();
    assert_eq!(error.code, libc::EAI_BADFLAGS);
}

#[test]
fn host_entries() {
    let loopback = IpAddr::from(Ipv4Addr::LOCALHOST);
    let entry = wait(gethostbyname(c("127.1"), libc::AF_INET)).unwrap();
    // Named as asked for, not looked up in reverse.
    assert_eq!(entry.name, b"127.1");
    assert_eq!(
        (entry.family, entry.addresses),
        (libc::AF_INET, vec![loopback])
    );
    let entry = wait(gethostbyname(c("localhost"), libc::AF_INET)).unwrap();
    assert!(entry.addresses.contains(&loopback));
    let entry = wait(gethostbyaddr(loopback)).unwrap();
    assert_eq!(entry.addresses, [loopback]);
    let error = wait(gethostbyname(c(""), libc::AF_INET)).unwrap_err();
    assert_eq!((error.code, &error.text()[..]), (3, "Unknown server error"));
}

#[test]
fn services_and_protocols() {
    assert_eq!(getprotobyname(&c("tcp")), Some(libc::IPPROTO_TCP));
    assert_eq!(getprotobyname(&c("no such protocol")), None);
    assert_eq!(getservbyname(&c("http"), Some(&c("tcp"))), Some(80));
    assert_eq!(
        getservbyname(&c("http"), Some(&c("no such protocol"))),
        None
    );
    assert_eq!(getservbyport(80, None).as_deref(), Some(&b"http"[..]));
    assert_eq!(getservbyport(1, Some(&c("no such protocol"))), None);
}

/// Any executor may poll them.
#[test]
fn look_ups_are_send() {
    fn send<T: Send + 'static>(_: T) {}
    let address = SockAddr::from(SocketAddr::from(([127, 0, 0, 1], 80)));
    send(resolve(None, None, STREAM, None));
    send(getnameinfo(address, 0));
    send(gethostbyname(c("localhost"), libc::AF_INET));
    send(gethostbyaddr(Ipv4Addr::LOCALHOST.into()));
}

#[test]
fn numeric_spellings() {
    let v6 = |text: &str| numeric::parse(libc::AF_INET6, &c(text)).unwrap();
    for text in [
        "::",
        "::1",
        "::1.2.3.4",
        "::ffff:1.2.3.4",
        "1:2:3:4:5:6:7:8",
    ] {
        assert_eq!(v6(text).map(numeric::format).as_deref(), Some(text));
    }
    assert_eq!(v6("::1%lo"), None);
    assert_eq!(numeric::parse(libc::AF_INET, &c("127.1")).unwrap(), None);
    let error = numeric::parse(99, &c("127.1")).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EAFNOSUPPORT));
    assert_eq!(
        numeric::parse_loose_ipv4(&c("127.1")),
        Some(Ipv4Addr::LOCALHOST)
    );
    assert_eq!(numeric::parse_loose_ipv4(&c("256.0.0.1")), None);
}

#[test]
fn detached_runs_elsewhere_with_all_signals_blocked() {
    let here = thread::current().id();
    let seen = wait(detached(move || {
        // SAFETY: the set is written by pthread_sigmask(3) before it is read.
        let blocked = unsafe {
            let mut mask: libc::sigset_t = std::mem::zeroed();
            libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), &mut mask);
            [libc::SIGINT, libc::SIGTERM, libc::SIGCHLD, libc::SIGALRM]
                .into_iter()
                .all(|signal| libc::sigismember(&mask, signal) == 1)
        };
        (thread::current().id() != here, blocked)
    }));
    assert_eq!(seen.unwrap(), (true, true));
    // The caller's own mask is as before.
    // SAFETY: as above.
    let unblocked = unsafe {
        let mut mask: libc::sigset_t = std::mem::zeroed();
        libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), &mut mask);
        libc::sigismember(&mask, libc::SIGINT) == 0
    };
    assert!(unblocked);
}

#[test]
fn dropped_future_abandons_the_call() {
    let (release, gate) = mpsc::channel::<()>();
    let (report, ended) = mpsc::channel();
    let gate = std::sync::Mutex::new(gate);
    let report = std::sync::Mutex::new(report);
    let mut future = Box::pin(detached(move || {
        let _ = gate.lock().unwrap().recv();
        report.lock().unwrap().send(()).unwrap();
    }));
    let mut context = Context::from_waker(Waker::noop());
    assert!(future.as_mut().poll(&mut context).is_pending());
    drop(future);
    release.send(()).unwrap();
    ended.recv().unwrap();
}

#[test]
fn panic_in_a_call_ends_the_wait() {
    assert!(wait(detached(|| -> u8 { panic!("on purpose") })).is_err());
}

#[test]
fn the_latest_waker_is_woken() {
    struct Tell(mpsc::Sender<&'static str>, &'static str);
    impl Wake for Tell {
        fn wake(self: Arc<Self>) {
            self.0.send(self.1).unwrap();
        }
    }
    let (release, gate) = mpsc::channel::<()>();
    let gate = std::sync::Mutex::new(gate);
    let mut future = Box::pin(detached(move || gate.lock().unwrap().recv().is_ok()));
    let (tell, woken) = mpsc::channel();
    for name in ["first", "second"] {
        let waker = Waker::from(Arc::new(Tell(tell.clone(), name)));
        let mut context = Context::from_waker(&waker);
        assert!(future.as_mut().poll(&mut context).is_pending());
    }
    drop(tell);
    release.send(()).unwrap();
    assert_eq!(woken.iter().collect::<Vec<_>>(), ["second"]);
    assert!(wait(future).unwrap());
}

/// Runs `body` in a forked child and returns its exit code; a child that hangs is killed by its alarm.
fn in_child(body: impl FnOnce() -> i32) -> i32 {
    // SAFETY: fork(2). The child runs `body`, which uses only what this module promises to work there, and leaves
    // without the exit handlers of the test program.
    unsafe {
        match libc::fork() {
            -1 => panic!("fork: {}", io::Error::last_os_error()),
            0 => {
                libc::alarm(20);
                libc::_exit(body());
            }
            child => {
                let mut status = 0;
                assert_eq!(libc::waitpid(child, &mut status, 0), child);
                if libc::WIFEXITED(status) {
                    libc::WEXITSTATUS(status)
                } else {
                    -libc::WTERMSIG(status)
                }
            }
        }
    }
}

fn resolves_localhost() -> i32 {
    let answer = wait(resolve(Some(c("localhost")), Some(c("http")), STREAM, None));
    match answer {
        Ok(list) if !list.is_empty() => 42,
        Ok(_) => 1,
        Err(error) => -error.code,
    }
}

#[test]
fn child_resolves_while_the_parent_does() {
    let stop = Arc::new(AtomicBool::new(false));
    let busy: Vec<_> = (0..4)
        .map(|_| {
            let stop = stop.clone();
            thread::spawn(move || {
                let mut rounds = 0u32;
                while !stop.load(Ordering::Relaxed) {
                    assert_eq!(resolves_localhost(), 42);
                    rounds += 1;
                }
                rounds
            })
        })
        .collect();
    for round in 0..50 {
        assert_eq!(in_child(resolves_localhost), 42, "round {round}");
    }
    stop.store(true, Ordering::Relaxed);
    for thread in busy {
        assert!(thread.join().unwrap() > 0);
    }
}

#[test]
fn fork_waits_for_young_look_ups_only() {
    let (release, gate) = mpsc::channel::<()>();
    let gate = std::sync::Mutex::new(gate);
    let mut hung = Box::pin(detached(move || gate.lock().unwrap().recv().is_ok()));
    let mut context = Context::from_waker(Waker::noop());
    assert!(hung.as_mut().poll(&mut context).is_pending());
    let before = Instant::now();
    assert_eq!(in_child(|| 7), 7);
    // The look-up hangs for ever; a fork that waited for it would too.
    assert!(before.elapsed() < Duration::from_secs(10));
    release.send(()).unwrap();
    assert!(wait(hung).unwrap());
}

#[test]
fn child_starts_an_inherited_look_up_afresh() {
    let parent = std::process::id();
    let (release, gate) = mpsc::channel::<()>();
    let gate = std::sync::Mutex::new(gate);
    let mut future = Box::pin(detached(move || {
        if std::process::id() == parent {
            let _ = gate.lock().unwrap().recv();
        }
        std::process::id()
    }));
    let mut context = Context::from_waker(Waker::noop());
    assert!(future.as_mut().poll(&mut context).is_pending());
    let code = in_child(|| match wait(future.as_mut()) {
        Ok(process) if process == std::process::id() => 42,
        _ => 1,
    });
    assert_eq!(code, 42);
    release.send(()).unwrap();
    assert_eq!(wait(future).unwrap(), parent);
}

#[test]
fn concurrent_forks() {
    let forkers: Vec<_> = (0..4)
        .map(|_| {
            thread::spawn(|| {
                for _ in 0..10 {
                    assert_eq!(in_child(resolves_localhost), 42);
                    assert_eq!(resolves_localhost(), 42);
                }
            })
        })
        .collect();
    for thread in forkers {
        thread.join().unwrap();
    }
}

//! Resolvers of the application's own. What the machine's answers are held against the C library elsewhere
//! (`dns-differential`).

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    pin::pin,
    sync::atomic::{AtomicUsize, Ordering},
    task::{Context, Poll, Waker},
};

use super::*;
use crate::dns::lookup::{BoxFuture, HostAddresses, HostNames};

/// Knows `both.test`, `four.test` and `six.test`, and counts the questions.
#[derive(Default)]
struct Table {
    asked: Arc<AtomicUsize>,
}

const V4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));

/// 192.0.2.9 in IPv6's form.
const CLOTHED: IpAddr = IpAddr::V6(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0xc000, 0x209));

impl HostLookup for Table {
    fn addresses<'a>(
        &'a self,
        host: &'a str,
        families: Families,
    ) -> BoxFuture<'a, Result<HostAddresses, LookupFailure>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move {
            let known = match host {
                "both.test" => vec![V4, V6],
                "four.test" => vec![V4],
                "six.test" => vec![V6],
                "clothed.test" => vec![CLOTHED],
                "clothed-and-six.test" => vec![CLOTHED, V6],
                "later.test" => return Err(LookupFailure::TryAgain),
                _ => return Err(LookupFailure::NotFound),
            };
            let wanted = |address: &IpAddr| match address {
                IpAddr::V4(_) => families.v4(),
                IpAddr::V6(_) => families.v6(),
            };
            let addresses: Vec<_> = known.into_iter().filter(wanted).collect();
            if addresses.is_empty() {
                return Err(LookupFailure::NoData);
            }
            Ok(HostAddresses {
                canonical: b"canonical.test".to_vec(),
                aliases: vec![host.as_bytes().to_vec()],
                addresses,
            })
        })
    }

    fn names(&self, address: IpAddr) -> BoxFuture<'_, Result<HostNames, LookupFailure>> {
        Box::pin(async move {
            if address != V4 {
                return Err(LookupFailure::NotFound);
            }
            Ok(HostNames {
                canonical: b"four.test".to_vec(),
                aliases: vec![],
            })
        })
    }
}

/// These look-ups have their answers at once.
fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

fn c(text: &str) -> CString {
    CString::new(text).unwrap()
}

fn addresses(resolver: &Resolver, host: &str, hints: Hints) -> Result<Vec<SocketAddr>, i32> {
    let hints = Hints {
        socktype: libc::SOCK_STREAM,
        ..hints
    };
    let answer = now(resolver.resolve(Some(c(host)), Some(c("80")), hints, None));
    let list = answer.map_err(|error| error.code)?;
    Ok(list
        .into_iter()
        .filter_map(|info| info.address.as_socket())
        .collect())
}

fn family(family: i32) -> Hints {
    Hints {
        family,
        ..Hints::default()
    }
}

fn at(address: IpAddr) -> SocketAddr {
    SocketAddr::new(address, 80)
}

#[test]
fn families_and_mapped_addresses() {
    let resolver = Resolver::own(Table::default());
    let mut both = addresses(&resolver, "both.test", family(0)).unwrap();
    both.sort();
    assert_eq!(both, [at(V4), at(V6)]);
    assert_eq!(
        addresses(&resolver, "both.test", family(libc::AF_INET)),
        Ok(vec![at(V4)])
    );
    assert_eq!(
        addresses(&resolver, "both.test", family(libc::AF_INET6)),
        Ok(vec![at(V6)])
    );
    assert_eq!(
        addresses(&resolver, "four.test", family(libc::AF_INET6)),
        Err(libc::EAI_NODATA)
    );
    let mapped = Hints {
        flags: libc::AI_V4MAPPED,
        family: libc::AF_INET6,
        ..Hints::default()
    };
    let clothed = at(Ipv4Addr::new(192, 0, 2, 1).to_ipv6_mapped().into());
    assert_eq!(addresses(&resolver, "four.test", mapped), Ok(vec![clothed]));
    assert_eq!(addresses(&resolver, "six.test", mapped), Ok(vec![at(V6)]));
    assert_eq!(addresses(&resolver, "both.test", mapped), Ok(vec![at(V6)]));
    // As on glibc.
    assert_eq!(
        addresses(&resolver, "clothed-and-six.test", mapped),
        Ok(vec![at(V6)])
    );
    assert_eq!(
        addresses(&resolver, "clothed.test", mapped),
        Err(libc::EAI_NONAME)
    );
    let plain = addresses(&resolver, "clothed.test", family(libc::AF_INET6));
    assert_eq!(plain, Ok(vec![at(CLOTHED)]));
    let all = Hints {
        flags: libc::AI_V4MAPPED | libc::AI_ALL,
        ..mapped
    };
    let mut both = addresses(&resolver, "both.test", all).unwrap();
    both.sort();
    let mut expected = [clothed, at(V6)];
    expected.sort();
    assert_eq!(both, expected);
}

#[test]
fn failures_have_their_codes() {
    let resolver = Resolver::own(Table::default());
    let code = |host| addresses(&resolver, host, Hints::default()).unwrap_err();
    assert_eq!(code("later.test"), libc::EAI_AGAIN);
    assert_eq!(code("nosuch.test"), libc::EAI_NONAME);
    assert_eq!(code(""), libc::EAI_NONAME);
    assert_eq!(
        addresses(&resolver, "both.test", family(99)),
        Err(libc::EAI_FAMILY)
    );
    let error = now(resolver.gethostbyname(c("six.test"), libc::AF_INET)).unwrap_err();
    assert_eq!(error.code, HostError::NO_DATA);
}

#[test]
fn canonical_name_is_in_the_first_answer_only() {
    let resolver = Resolver::own(Table::default());
    let hints = Hints {
        flags: libc::AI_CANONNAME,
        ..Hints::default()
    };
    let list = now(resolver.resolve(Some(c("four.test")), None, hints, None)).unwrap();
    let names: Vec<_> = list.into_iter().map(|info| info.canonical_name).collect();
    assert_eq!(names, [Some(b"canonical.test".to_vec()), None, None]);
}

#[test]
fn older_look_ups() {
    let resolver = Resolver::own(Table::default());
    let entry = now(resolver.gethostbyname(c("four.test"), libc::AF_INET)).unwrap();
    assert_eq!(entry.name, b"canonical.test");
    assert_eq!(entry.aliases, [b"four.test"]);
    assert_eq!(entry.addresses, [V4]);
    let entry = now(resolver.gethostbyaddr(V4)).unwrap();
    assert_eq!(
        (entry.name, entry.family),
        (b"four.test".to_vec(), libc::AF_INET)
    );
    let info = now(resolver.getnameinfo(at(V4).into(), 0)).unwrap();
    assert_eq!(info.host, b"four.test");
    assert_eq!(info.service, b"http");
    let unknown = now(resolver.getnameinfo(at(V6).into(), 0)).unwrap();
    assert_eq!(unknown.host, b"2001:db8::1");
    let error = now(resolver.getnameinfo(at(V6).into(), libc::NI_NAMEREQD)).unwrap_err();
    assert_eq!(error.code, libc::EAI_NONAME);
}

/// gethostbyname(3) would look some of these up, and getnameinfo(3) under other flags.
#[test]
fn nothing_passes_an_own_resolver_by() {
    let resolver = Resolver::without_names();
    for host in ["127.0.0.1", "0x7f.1", "127.1"] {
        let entry = now(resolver.gethostbyname(c(host), libc::AF_INET)).unwrap();
        assert_eq!(entry.addresses, [IpAddr::from(Ipv4Addr::LOCALHOST)]);
        assert_eq!(entry.name, host.as_bytes());
    }
    let error = now(resolver.gethostbyname(c("::1"), libc::AF_INET)).unwrap_err();
    assert_eq!(error.code, HostError::NOT_FOUND);
    for flags in [0, libc::NI_NOFQDN, libc::NI_NUMERICSERV] {
        let info = now(resolver.getnameinfo(at(V4).into(), flags)).unwrap();
        assert_eq!(info.host, b"192.0.2.1");
    }
}

#[test]
fn figures_are_nobodys_business() {
    let table = Table::default();
    let asked = table.asked.clone();
    let resolver = Resolver::own(table);
    for host in ["127.0.0.1", "127.1", "::1"] {
        addresses(&resolver, host, Hints::default()).unwrap();
    }
    assert_eq!(asked.load(Ordering::Relaxed), 0);
    addresses(&resolver, "both.test", Hints::default()).unwrap();
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[test]
fn no_names_at_all() {
    let resolver = Resolver::without_names();
    for host in ["localhost", "www.test", "odd name", "b\u{fc}cher.test"] {
        assert_eq!(
            addresses(&resolver, host, Hints::default()),
            Err(libc::EAI_NONAME),
            "{host}"
        );
    }
    assert!(addresses(&resolver, "127.0.0.1", Hints::default()).is_ok());
}

#[test]
fn older_look_ups_of_figures_are_nobodys_business() {
    let resolver = Resolver::without_names();
    let loopback = IpAddr::from(Ipv4Addr::LOCALHOST);
    // gethostbyname(3) looks the last one up.
    for host in ["127.0.0.1", "127.1", "0x7f000001"] {
        let entry = now(resolver.gethostbyname(c(host), libc::AF_INET)).unwrap();
        assert_eq!((entry.name, entry.addresses), (host.into(), vec![loopback]));
    }
    let entry = now(resolver.gethostbyname(c("::1"), libc::AF_INET6)).unwrap();
    assert_eq!(entry.addresses, [IpAddr::from(Ipv6Addr::LOCALHOST)]);
    let code = |host, family| {
        now(resolver.gethostbyname(c(host), family))
            .unwrap_err()
            .code
    };
    assert_eq!(code("::1", libc::AF_INET), HostError::NOT_FOUND);
    assert_eq!(code("localhost", libc::AF_UNSPEC), HostError::INTERNAL);
}

#[test]
fn rare_flags_are_no_way_around() {
    let resolver = Resolver::own(Table::default());
    let name = |address, flags| now(resolver.getnameinfo(at(address).into(), flags));
    for flags in [libc::NI_NOFQDN, libc::NI_IDN] {
        assert_eq!(name(V4, flags).unwrap().host, b"four.test");
        assert_eq!(name(V6, flags).unwrap().host, b"2001:db8::1");
        let error = name(V6, flags | libc::NI_NAMEREQD).unwrap_err();
        assert_eq!(error.code, libc::EAI_NONAME);
    }
    assert_eq!(name(V4, 1 << 20).unwrap_err().code, libc::EAI_BADFLAGS);
}

/// Answers as it is told to, whatever is asked for.
struct Careless(Vec<IpAddr>);

impl HostLookup for Careless {
    fn addresses<'a>(
        &'a self,
        host: &'a str,
        _families: Families,
    ) -> BoxFuture<'a, Result<HostAddresses, LookupFailure>> {
        assert!(!host.is_empty() && host.is_ascii(), "{host}");
        assert_ne!(host, "panic.test");
        let addresses = self.0.clone();
        Box::pin(async move {
            Ok(HostAddresses {
                addresses,
                ..HostAddresses::default()
            })
        })
    }
}

#[test]
fn careless_look_ups_are_held_to_their_promises() {
    let resolver = Resolver::own(Careless(vec![V4]));
    let code = |host, hints| addresses(&resolver, host, hints).unwrap_err();
    assert_eq!(code("x.test", family(libc::AF_INET6)), libc::EAI_NODATA);
    assert_eq!(code("b\u{fc}cher.test", family(0)), libc::EAI_NONAME);
    assert_eq!(code("", family(0)), libc::EAI_NONAME);
    assert_eq!(code("panic.test", family(0)), libc::EAI_FAIL);
    let none = Resolver::own(Careless(vec![]));
    assert_eq!(addresses(&none, "x.test", family(0)), Err(libc::EAI_NODATA));
}

/// Keeps the events of this crate's routes.
#[derive(Clone, Default)]
struct Events(Arc<std::sync::Mutex<Vec<String>>>);

impl tracing::Subscriber for Events {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        struct Fields(String);
        impl tracing::field::Visit for Fields {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn fmt::Debug) {
                self.0 += &format!(" {field}={value:?}");
            }
        }
        let about = event.metadata();
        if about.target() == "rustpython_reactor::dns::route" {
            let mut fields = Fields(about.level().to_string());
            event.record(&mut fields);
            self.0.lock().unwrap().push(fields.0);
        }
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

#[test]
fn each_way_is_an_event() {
    let events = Events::default();
    let seen = events.0.clone();
    tracing::subscriber::with_default(events, || {
        let resolver = Resolver::own(Table::default());
        resolver.explain(Some(c"both.test"), None, Hints::default());
        assert!(seen.lock().unwrap().is_empty(), "nothing was looked up");
        addresses(&resolver, "both.test", Hints::default()).unwrap();
        now(resolver.gethostbyname(c("four.test"), libc::AF_INET)).unwrap();
        now(resolver.gethostbyaddr(V4)).unwrap();
        now(resolver.getnameinfo(at(V4).into(), 0)).unwrap();
    });
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 4, "{seen:?}");
    for (event, asked) in seen.iter().zip([
        "host=Some(\"both.test\")",
        "host=Some(\"four.test\")",
        "address=192.0.2.1",
        "address=192.0.2.1",
    ]) {
        assert!(
            event.starts_with("DEBUG") && event.contains(asked),
            "{event}"
        );
        let why = "path=own reason=the application brought a resolver of its own";
        assert!(event.contains(why), "{event}");
    }
}

use std::{ffi::CString, net::SocketAddr, time::Duration};

use super::*;
use crate::dns::config::ResolvConf;

const FILES_DNS: &[HostSource] = &[HostSource::Files, HostSource::Dns];

/// A machine as most are: `hosts: files dns`, one name server, no options.
fn usual() -> Config {
    Config {
        generation: 1,
        hosts: HostSources::Plain(FILES_DNS.into()),
        services_are_local: true,
        multi: true,
        resolv: Arc::new(ResolvConf {
            servers: vec![SocketAddr::from(([127, 0, 0, 1], 53))],
            search: vec![],
            ndots: 1,
            timeout: Duration::from_secs(5),
            attempts: 2,
            edns0: false,
            unusual: None,
        }),
        host_conf_unusual: None,
        environment_unusual: None,
    }
}

fn with(change: impl FnOnce(&mut Config)) -> Config {
    let mut config = usual();
    change(&mut config);
    config
}

fn with_option(text: &str) -> Config {
    with(|config| Arc::make_mut(&mut config.resolv).unusual = Some(text.into()))
}

fn with_sources(sources: &[HostSource]) -> Config {
    with(|config| config.hosts = HostSources::Plain(sources.into()))
}

struct Case {
    host: Option<CString>,
    service: Option<CString>,
    hints: Hints,
    own: bool,
    config: Config,
}

fn ask(host: &str) -> Case {
    Case {
        host: Some(CString::new(host).unwrap()),
        service: None,
        hints: Hints::default(),
        own: false,
        config: usual(),
    }
}

impl Case {
    fn service(mut self, service: &str) -> Self {
        self.service = Some(CString::new(service).unwrap());
        self
    }

    fn flags(mut self, flags: i32) -> Self {
        self.hints.flags = flags;
        self
    }

    fn family(mut self, family: i32) -> Self {
        self.hints.family = family;
        self
    }

    fn without_host(mut self) -> Self {
        self.host = None;
        self
    }

    fn own(mut self) -> Self {
        self.own = true;
        self
    }

    fn on(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    fn route(&self) -> Route {
        let mut config = Reading(Some(Arc::new(self.config.clone())));
        by_name(
            self.host.as_deref(),
            self.service.as_deref(),
            self.hints,
            self.own,
            &mut config,
        )
    }
}

#[track_caller]
fn all(path: Path, cases: impl IntoIterator<Item = Case>) {
    for case in cases {
        let route = case.route();
        let (host, service, hints) = (&case.host, &case.service, &case.hints);
        assert_eq!(
            route.path, path,
            "{host:?} {service:?} {hints:?}: {route:?}"
        );
        assert!(!route.reason.is_empty());
    }
}

#[test]
fn figures_and_no_host_stay_on_the_thread() {
    let numeric = [
        "127.0.0.1",
        "127.1",
        "0x7f.1",
        "0177.1",
        "2130706433",
        "::1",
        "::ffff:1.2.3.4",
        "fe80::1%lo",
    ];
    all(Path::Numeric, numeric.map(ask));
    // Whatever else is unusual.
    all(
        Path::Numeric,
        [
            ask("").without_host(),
            ask("").without_host().service("http"),
            ask("127.0.0.1").service("http"),
            ask("127.0.0.1").flags(libc::AI_CANONNAME | libc::AI_ADDRCONFIG),
            ask("127.0.0.1").own(),
            ask("127.0.0.1").on(with_option("rotate")),
            ask("www.test").flags(libc::AI_NUMERICHOST),
            ask("b\u{fc}cher").flags(libc::AI_NUMERICHOST),
        ],
    );
    let elsewhere = || with(|config| config.services_are_local = false);
    all(Path::Numeric, [ask("::1").service("80").on(elsewhere())]);
    all(Path::Libc, [ask("::1").service("http").on(elsewhere())]);
}

#[test]
fn plain_names_on_a_usual_machine_are_ours() {
    let longest = ["a".repeat(63).as_str(); 3].join(".") + "." + &"b".repeat(61);
    assert_eq!(longest.len(), 253);
    let names = [
        "localhost",
        "www.example.test",
        "www.example.test.",
        "WWW.Example.TEST",
        "_http._tcp.test",
        "a-b.test",
        "1a",
        "1.2.3.4.5",
        "1.2.3.4.",
        "256.1.1.1",
        "xn--bcher-kva.test",
        &longest,
        &format!("{longest}."),
    ];
    all(Path::Names, names.map(ask));
    let flags = [
        libc::AI_PASSIVE,
        libc::AI_CANONNAME,
        libc::AI_NUMERICSERV,
        libc::AI_ADDRCONFIG,
        libc::AI_V4MAPPED | libc::AI_ALL,
    ];
    all(Path::Names, flags.map(|flags| ask("www.test").flags(flags)));
    all(
        Path::Names,
        [
            ask("www.test").family(libc::AF_INET),
            ask("www.test").family(libc::AF_INET6),
            ask("www.test").service("http"),
            ask("www.test").on(with_sources(&[HostSource::Files])),
            ask("www.test").on(with_sources(&[HostSource::Dns])),
            // Options of a resolver that is not asked.
            ask("www.test").on(Config {
                hosts: HostSources::Plain(vec![HostSource::Files]),
                ..with_option("rotate")
            }),
        ],
    );
}

#[test]
fn odd_names_go_to_the_c_library() {
    let names = [
        "",
        ".",
        "..",
        ".test",
        "a..test",
        "test..",
        "a b.test",
        "a\tb",
        "a\u{1}b",
        "*.test",
        "-a.test",
        "a-.test",
        "a/b",
        "a@b",
        "a:b",
        "fe80::1%nosuchinterface",
        "b\u{fc}cher.test",
        &"a".repeat(64),
        &["a".repeat(63).as_str(); 4].join("."),
    ];
    all(Path::Libc, names.map(ask));
    let latin1 = CString::new(b"b\xfccher".to_vec()).unwrap();
    all(
        Path::Libc,
        [Case {
            host: Some(latin1),
            ..ask("")
        }],
    );
}

#[test]
fn odd_hints_go_to_the_c_library() {
    // AI_IDN, AI_CANONIDN, and a bit that nobody has given a meaning.
    let flags = [0x40, 0x80, 0x4000_0000];
    all(Path::Libc, flags.map(|flags| ask("www.test").flags(flags)));
    let families = [libc::AF_UNIX, libc::AF_NETLINK, 99, -1];
    all(
        Path::Libc,
        families.map(|family| ask("www.test").family(family)),
    );
}

#[test]
fn unusual_machines_have_the_c_library_asked() {
    let machines = [
        with_option("rotate"),
        with_sources(&[HostSource::Dns, HostSource::Files]),
        with_sources(&[HostSource::Files, HostSource::Files, HostSource::Dns]),
        with_sources(&[]),
        with(|config| config.hosts = HostSources::Unusual("files mdns4_minimal dns".into())),
        with(|config| config.host_conf_unusual = Some("trim")),
        with(|config| config.environment_unusual = Some("HOSTALIASES is set")),
    ];
    all(
        Path::Libc,
        machines.map(|machine| ask("www.test").on(machine)),
    );
    let elsewhere = with(|config| config.services_are_local = false);
    all(
        Path::Libc,
        [ask("www.test").service("http").on(elsewhere.clone())],
    );
    all(Path::Names, [ask("www.test").service("80").on(elsewhere)]);
}

#[test]
fn an_own_resolver_is_asked_for_every_name() {
    all(
        Path::Own,
        [
            ask("www.test").own(),
            ask("").own(),
            ask("a b").own(),
            ask("www.test").own().on(with_option("rotate")),
            // Not even the C library may be asked, or "no names at all" would not hold.
            ask("www.test").own().flags(0x40),
            ask("www.test").own().family(99),
        ],
    );
}

#[test]
fn reasons_name_the_cause() {
    let reason = |case: Case| case.route().reason.into_owned();
    assert!(reason(ask("a").on(with_option("rotate"))).contains("rotate"));
    let mdns = with(|config| config.hosts = HostSources::Unusual("files mdns".into()));
    assert!(reason(ask("a").on(mdns)).contains("files mdns"));
}

#[test]
fn addresses() {
    let route = |address: &str, own, config: Config| {
        let mut config = Reading(Some(Arc::new(config)));
        by_address(address.parse().unwrap(), own, &mut config).path
    };
    for address in ["127.0.0.1", "192.0.2.1", "2001:db8::1", "fe80::1"] {
        assert_eq!(route(address, false, usual()), Path::Names);
        assert_eq!(route(address, false, with_option("rotate")), Path::Libc);
        assert_eq!(route(address, true, with_option("rotate")), Path::Own);
    }
    for address in ["::", "::1", "::ffff:192.0.2.1", "::192.0.2.1"] {
        assert_eq!(route(address, false, usual()), Path::Libc);
    }
}

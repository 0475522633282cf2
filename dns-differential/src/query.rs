//! The questions: generated, the same for the same seed.

use std::{
    ffi::CString,
    net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6},
};

use rustpython_reactor::dns::Hints;
use socket2::SockAddr;

use crate::{configurations::Configuration, odd_names, random::Random, zone};

#[derive(Clone, Debug)]
pub enum Ask {
    Resolve {
        host: Option<CString>,
        service: Option<CString>,
        hints: Hints,
    },
    Names {
        address: SockAddr,
        flags: i32,
    },
    HostByName {
        host: CString,
        family: i32,
    },
    HostByAddress {
        address: IpAddr,
    },
}

#[derive(Clone, Debug)]
pub struct Query {
    pub ask: Ask,
    /// The crate's future is polled by a tokio task, and not by a thread that no runtime knows.
    pub on_tokio: bool,
    pub crate_first: bool,
}

impl Query {
    /// Everything that is needed to ask again.
    pub fn text(&self) -> String {
        let way = match (self.on_tokio, self.crate_first) {
            (true, true) => " (tokio task, crate first)",
            (true, false) => " (tokio task)",
            (false, true) => " (crate first)",
            (false, false) => "",
        };
        match &self.ask {
            Ask::Resolve {
                host,
                service,
                hints,
            } => format!(
                "getaddrinfo({host:?}, {service:?}, flags={:#x}, family={}, socktype={}, protocol={}){way}",
                hints.flags, hints.family, hints.socktype, hints.protocol
            ),
            Ask::Names { address, flags } => {
                let shown = match address.as_socket() {
                    Some(SocketAddr::V6(v6)) => {
                        format!("{v6} flow={} scope={}", v6.flowinfo(), v6.scope_id())
                    }
                    Some(v4) => v4.to_string(),
                    None => format!("{address:?}"),
                };
                format!("getnameinfo({shown}, flags={flags:#x}){way}")
            }
            Ask::HostByName { host, family } => format!("gethostbyname2({host:?}, {family}){way}"),
            Ask::HostByAddress { address } => format!("gethostbyaddr({address}){way}"),
        }
    }
}

/// Hosts that are, or nearly are, numbers.
const NUMERIC: &[&str] = &[
    "127.0.0.1",
    "192.0.2.10",
    "127.1",
    "127.0.1",
    "0x7f.1",
    "0177.1",
    "2130706433",
    "0x7f000001",
    "017700000001",
    "0",
    "1",
    "1.2.3.4.",
    "1.2.3.4 ",
    " 1.2.3.4",
    "1.2.3.4 x",
    "1.2.3",
    "1.2.3.",
    "1.2",
    "256.1.1.1",
    "1.2.3.256",
    "1.2.65536",
    "1.2.65535",
    "4294967295",
    "4294967296",
    "0x",
    "0x1.0x2.0x3.0x4",
    "08.1.1.1",
    "1..2",
    ".1.2.3",
    "1.2.3.4.5",
    "+1.2.3.4",
    "-1",
    "1e3",
    "::1",
    "::",
    "::1%lo",
    "::1%1",
    "fe80::1%lo",
    "fe80::1%99",
    "fe80::1%nosuch",
    "fe80::1%",
    "fe80::1",
    "fe80::1%0",
    "fe80::1%1",
    "fe80::1%01",
    "fe80::1%4294967296",
    "fe80::1%v0",
    "ff02::1%lo",
    "2001:db8::1%lo",
    "2001:db8::1%7",
    "::ffff:1.2.3.4",
    "::FFFF:1.2.3.4",
    "::1.2.3.4",
    "::ffff:1.2.3.4%lo",
    "1::2::3",
    ":::",
    ":",
    "2001:DB8::A",
    "[::1]",
    "::1.",
    "::1 ",
    "12345::",
    "1:2:3:4:5:6:7:8",
    "1:2:3:4:5:6:7:8:9",
    "::ffff:127.1",
    "0.0.0.0",
    "255.255.255.255",
    "169.254.1.1",
    "fec0::1%lo",
    "127.0.0.1%lo",
    "10.0.0.1.example",
];

const ODD: &[&[u8]] = &[
    b"",
    b".",
    b"..",
    b"...",
    b".www.example",
    b"www..example",
    b"www.example..",
    b"*.example",
    b"*.",
    b"*",
    b"a b",
    b" ",
    b"\t",
    b"www.example ",
    b" www.example",
    b"www.example\n",
    b"www\x07.example",
    b"www.exam\x7fple",
    b"\xfc",
    b"b\xc3\xbccher.example",
    b"b\xfccher.example",
    b"\xc3\xbc",
    b"xn--bcher-kva.example",
    b"xn--",
    b"xn--a",
    b"-",
    b"_",
    b"-x.example",
    b"x-.example",
    b"_tcp.www.example",
    b"www.example:80",
    b"http://www.example",
    b"www/example",
    b"www\\.example",
    b"\\119ww.example",
    b"w@w.example",
    b"'",
    b"\"",
    b"$",
    b"%",
    b"%lo",
    b"www.example%lo",
    b"localhost",
    b"LOCALHOST.",
    b"localhost.",
    b"www.localhost",
    b"ip6-localhost",
    b"printer.local",
    b"nosuch",
    b"nosuch.",
    b"nosuch.example",
    b"nosuch.nosuch.nosuch",
    b"x.example.corp.example",
    b"host",
    b"host.",
    b"only4",
    b"blank",
    b"alias",
    b"a.b",
    b"a.b.",
    b"a.b.c",
    b"a.b.c.d",
    b"plain",
    b"plain.",
    b"any.wild.example",
    b"x.y.wild.example",
    b"host-label",
    b"branch.example",
    b"example",
    b"example.",
    b"com",
    b"\xf0\x9f\x92\xa9.example",
    b"\xff\xfe",
    b"\xe3\x80\x82",
    b"www\xe3\x80\x82example",
    b"stra\xc3\x9fe.example",
    b"1host.example",
    b"0x7f",
    b"0x7f.example",
    b"127.example",
    b"::1.example",
];

/// Of the hosts files and their aliases.
const IN_FILES: &[&str] = &[
    "filehost.example",
    "filehost",
    "FileAlias",
    "several.example",
    "sev",
    "other-alias",
    "only6.test",
    "only4.test",
    "www.example",
    "leading.test",
    "tabs.test",
    "alias.tabs.test",
    "garbage",
    "line",
    "badaddr.test",
    "scoped.test",
    "scoped99.test",
    "short.test",
    "hex.test",
    "mapped.test",
    "UPPER.Test",
    "dotted.test",
    "dotted.test.",
    "crlf.test",
    "last.test",
    "alias7.test",
    "alias39.test",
    "longline.test",
    "hash.test",
    "loop4.test",
    "loop6.test",
    "both.test",
    "dup.test",
    "127.0.0.77",
    "ip6-localhost",
    "any.test",
    "canon2.test",
    "shared.test",
    "comma.test",
    "b\u{fc}cher.test",
    "under_score.test",
    "nul.test",
    "after-nul.test",
    "wide.test",
];

const SERVICES: &[&str] = &[
    "80",
    "http",
    "domain",
    "nosuch",
    "0",
    "65535",
    "65536",
    "-1",
    "",
    " 80",
    "http ",
    "HTTP",
    "www",
    "tftp",
    "00080",
    "0x50",
    "+80",
    "99999999999999999999",
    "80x",
    "ntp",
    "syslog",
    "shell",
    "who",
    "echo",
];

const FLAGS: &[i32] = &[
    libc::AI_PASSIVE,
    libc::AI_CANONNAME,
    libc::AI_NUMERICHOST,
    libc::AI_V4MAPPED,
    libc::AI_ALL,
    libc::AI_ADDRCONFIG,
    libc::AI_NUMERICSERV,
];

/// AI_IDN, AI_CANONIDN, the two old IDN flags that are ignored, and bits that nobody knows.
const RARE_FLAGS: &[i32] = &[0x40, 0x80, 0x100, 0x200, 0x800, 0x1000, 0x10000, i32::MIN];

const REVERSE: &[&str] = &[
    "127.0.0.1",
    "127.0.0.25",
    "::1",
    "0.0.0.0",
    "::",
    "255.255.255.255",
    "2001:db8::10",
    "2001:db8::11",
    "2001:db8::99",
    "::ffff:192.0.2.10",
    "::192.0.2.10",
    "192.0.2.130",
    "192.0.2.131",
    "2001:db8::131",
    "192.0.2.133",
    "192.0.2.141",
    "192.0.2.66",
    "192.0.2.67",
    "192.0.2.68",
    "203.0.113.5",
    "fe80::1",
    "fe80::140",
    "::ffff:192.0.2.143",
    "192.0.2.150",
    "10.1.2.3",
    "127.0.0.77",
    "::2",
];

fn text(host: &[u8]) -> CString {
    CString::new(host).unwrap_or_default()
}

/// Names at the limits of length: labels of 63 and 64 bytes, names of 250 to 258.
fn long_name(random: &mut Random) -> Vec<u8> {
    if random.percent(40) {
        let mut name = vec![b'q'; 62 + random.below(4)];
        if random.percent(70) {
            name.extend(b".example");
        }
        return name;
    }
    let length = 250 + random.below(9);
    let mut name: Vec<u8> = (0..length)
        .map(|at| if at % 50 == 49 { b'.' } else { b'n' })
        .collect();
    if random.percent(30) {
        name.push(b'.');
    }
    name
}

fn change_case(random: &mut Random, name: &mut [u8]) {
    match random.below(4) {
        0 => name.make_ascii_uppercase(),
        1 => name.iter_mut().for_each(|byte| {
            if random.percent(50) {
                *byte = byte.to_ascii_uppercase();
            }
        }),
        _ => {}
    }
}

pub struct Generator<'a> {
    random: Random,
    configuration: &'a Configuration,
    zone: Vec<&'static str>,
    odd: Vec<&'static str>,
    silent_left: usize,
}

impl<'a> Generator<'a> {
    pub fn new(seed: u64, configuration: &'a Configuration) -> Self {
        let mut odd = odd_names::QUICK.to_vec();
        if configuration.by_server {
            odd.extend(
                odd_names::BY_SERVER
                    .iter()
                    .filter(|name| **name != "silent-first"),
            );
        }
        Self {
            random: Random::new(seed),
            configuration,
            zone: zone::hosts(),
            odd,
            silent_left: configuration.silent,
        }
    }

    fn host(&mut self) -> Vec<u8> {
        if self.silent_left > 0 && self.random.percent(10) {
            self.silent_left -= 1;
            let silent = self.random.pick(odd_names::SILENT);
            return format!("{silent}.odd.example.").into_bytes();
        }
        let random = &mut self.random;
        let mut name = match random.below(100) {
            0..35 => random.pick(&self.zone).as_bytes().to_vec(),
            35..55 => {
                let odd = random.pick(&self.odd);
                let late = random.pick(&["", "", "-late4", "-late6"]);
                format!("{odd}{late}.odd.example").into_bytes()
            }
            55..70 => random.pick(IN_FILES).as_bytes().to_vec(),
            70..83 => return random.pick(NUMERIC).as_bytes().to_vec(),
            83..96 => return random.pick(ODD).to_vec(),
            _ => return long_name(random),
        };
        // Relative to a domain of some search list.
        if random.percent(25) {
            for domain in [".corp.example", ".lab.example", ".odd.example", ".example"] {
                if name.ends_with(domain.as_bytes()) {
                    name.truncate(name.len() - domain.len());
                    break;
                }
            }
        }
        if random.percent(20) {
            name.push(b'.');
        }
        change_case(random, &mut name);
        name
    }

    fn flags(&mut self) -> i32 {
        let random = &mut self.random;
        match random.below(100) {
            0..40 => 0,
            40..55 => libc::AI_CANONNAME,
            // Few with AI_NUMERICHOST, under which names have no answer.
            55..97 => FLAGS
                .iter()
                .filter(|flag| {
                    random.percent(if **flag == libc::AI_NUMERICHOST {
                        10
                    } else {
                        35
                    })
                })
                .fold(0, |all, flag| all | flag),
            _ => {
                random.pick(RARE_FLAGS)
                    | if random.percent(50) {
                        random.pick(FLAGS)
                    } else {
                        0
                    }
            }
        }
    }

    fn hints(&mut self) -> Hints {
        let flags = self.flags();
        let random = &mut self.random;
        let family = match random.below(100) {
            0..45 => 0,
            45..68 => libc::AF_INET,
            68..95 => libc::AF_INET6,
            95..98 => libc::AF_UNIX,
            _ => 99,
        };
        let socktype = match random.below(100) {
            0..30 => 0,
            30..70 => libc::SOCK_STREAM,
            70..85 => libc::SOCK_DGRAM,
            85..96 => libc::SOCK_RAW,
            _ => random.pick(&[99, libc::SOCK_SEQPACKET, -1]),
        };
        let protocol = match random.below(100) {
            0..82 => 0,
            82..90 => libc::IPPROTO_TCP,
            90..96 => libc::IPPROTO_UDP,
            96..98 => 41,
            _ => random.pick(&[1, 136, 132, 33, 255, 256, -1]),
        };
        Hints {
            flags,
            family,
            socktype,
            protocol,
        }
    }

    fn reverse(&mut self) -> IpAddr {
        let random = &mut self.random;
        match random.percent(50) {
            true => Ipv4Addr::new(192, 0, 2, 10 + random.below(14) as u8).into(),
            false => random
                .pick(REVERSE)
                .parse()
                .expect("the list holds addresses"),
        }
    }

    fn socket_address(&mut self) -> SockAddr {
        let address = self.reverse();
        let random = &mut self.random;
        if random.percent(2) {
            return SockAddr::unix("/tmp/differential").expect("a short path");
        }
        let port = random.pick(&[0u16, 80, 53, 22, 7, 514, 513, 65535, 12345]);
        match address {
            IpAddr::V4(address) => SocketAddr::from((address, port)).into(),
            IpAddr::V6(address) => {
                let flow = if random.percent(20) { 5 } else { 0 };
                let link_local = address.segments()[0] == 0xfe80;
                let scope = match random.below(100) {
                    0..60 if !link_local => 0,
                    0..30 => 0,
                    30..70 => 1,
                    70..85 => 2,
                    _ => 99,
                };
                SocketAddr::V6(SocketAddrV6::new(address, port, flow, scope)).into()
            }
        }
    }

    pub fn next(&mut self) -> Query {
        let ask = match self.random.below(100) {
            0..72 => {
                let host = (!self.random.percent(3)).then(|| text(&self.host()));
                let service = match self.random.below(100) {
                    0..50 => None,
                    50..80 => CString::new(self.random.pick(&["80", "http", "domain", "0"])).ok(),
                    _ => CString::new(self.random.pick(SERVICES)).ok(),
                };
                Ask::Resolve {
                    host,
                    service,
                    hints: self.hints(),
                }
            }
            72..85 => {
                let address = self.socket_address();
                // NI_NUMERICHOST, NUMERICSERV, NOFQDN, NAMEREQD, DGRAM, IDN and one that nobody knows.
                let mut flags = [1, 2, 4, 8, 16]
                    .into_iter()
                    .filter(|_| self.random.percent(30))
                    .sum();
                if self.random.percent(5) {
                    flags |= self.random.pick(&[32, 64, 128, 1 << 20]);
                }
                Ask::Names { address, flags }
            }
            85..94 => Ask::HostByName {
                host: text(&self.host()),
                family: self.random.pick(&[libc::AF_INET, libc::AF_INET6]),
            },
            _ => Ask::HostByAddress {
                address: self.reverse(),
            },
        };
        Query {
            ask,
            on_tokio: self.random.percent(30),
            crate_first: self.random.percent(50),
        }
    }

    pub fn all(mut self) -> Vec<Query> {
        let count = self.configuration.queries;
        (0..count).map(|_| self.next()).collect()
    }
}

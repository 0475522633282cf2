use std::{ffi::CString, fs};

use super::*;
use crate::dns::{
    EaiError, Hints,
    config::{self, private_etc, tests::Random},
    libc_calls,
};

const NAME: &str = "dns::hosts::tests::as_the_c_library_answers";
const SWITCH: (&str, &str) = ("nsswitch.conf", "hosts: files\n");

const ASKED: &[&str] = &[
    "a",
    "A",
    "b",
    "b.example",
    "B.Example",
    "b.example.",
    "c",
    "localhost",
    "1a",
    "x#y",
    "x",
    "nosuch",
    "c_d",
    "fe80",
    "b..",
    "a a",
    "foo",
    "fooo",
];
const ADDRESSES: &[&str] = &[
    "127.0.0.1",
    "10.0.0.1",
    "10.0.0.2",
    "0.0.0.0",
    "::1",
    "::ffff:10.0.0.1",
    "2001:db8::1",
    "fe80::1",
    "255.255.255.255",
    "::10.0.0.1",
];

fn file(random: &mut Random) -> Vec<u8> {
    let mut text = Vec::new();
    for _ in 0..random.below(9) {
        if random.below(4) == 0 {
            let indents = &[" ", "\t", "   ", "#", "\0", "\x0b", "                    "];
            text.extend(random.pick(indents).as_bytes());
        }
        text.extend(
            random
                .pick(&[
                    "127.0.0.1",
                    "127.0.0.1",
                    "10.0.0.1",
                    "10.0.0.2",
                    "::1",
                    "::1",
                    "0.0.0.0",
                    "::ffff:10.0.0.1",
                    "::ffff:10.0.0.2",
                    "2001:db8::1",
                    "2001:DB8:0::1",
                    "fe80::1%lo",
                    "fe80::1",
                    "127.1",
                    "010.0.0.1",
                    "10.0.0.1/8",
                    "bad",
                    "",
                    "::10.0.0.1",
                    "255.255.255.255",
                    "0:0:0:0:0:ffff:10.0.0.1",
                    "[::1]",
                ])
                .as_bytes(),
        );
        for _ in 0..random.below(5) {
            let blanks = &[
                " ", " ", " ", "\t", "  \t ", "\x0b", "\x0c", "\r", "", "\u{a0}",
            ];
            text.extend(random.pick(blanks).as_bytes());
            if random.below(60) == 0 {
                text.extend("long".repeat(random.below(9000)).as_bytes());
                text.push(b' ');
            }
            text.extend(
                random
                    .pick(&[
                        "a",
                        "A",
                        "a",
                        "b",
                        "b.example",
                        "B.EXAMPLE",
                        "b.example.",
                        "c",
                        "localhost",
                        "1a",
                        "x#y",
                        "x",
                        "c_d",
                        "fe80",
                        "b..",
                        "#",
                        "# a",
                        "\0",
                        "a\0b",
                        "é",
                        "fo",
                        "foo",
                        "5.5.5.5",
                    ])
                    .as_bytes(),
            );
        }
        text.extend(
            random
                .pick(&["\n", "\n", "\n", "\n", "\r\n", " \n", "\n\n", "\0\n"])
                .as_bytes(),
        );
    }
    if random.below(3) == 0 {
        while text.ends_with(b"\n") {
            text.pop();
        }
    }
    if random.below(40) == 0 {
        for at in 0..random.below(700) {
            text.extend(format!("10.1.{}.{} a n{at}\n", at / 256, at % 256).bytes());
        }
    }
    text
}

fn sorted(mut list: Vec<IpAddr>) -> Vec<IpAddr> {
    list.sort();
    list
}

#[test]
fn as_the_c_library_answers() {
    if !private_etc::inside() {
        private_etc::run(NAME, &[SWITCH, ("host.conf", "multi on\n")], &[]);
        private_etc::run(
            NAME,
            &[SWITCH, ("host.conf", "order hosts\nnospoof on\n")],
            &[],
        );
        private_etc::run(NAME, &[SWITCH], &[("NONE", "")]);
        private_etc::run(NAME, &[SWITCH], &[("RESOLV_MULTI", "on"), ("NONE", "")]);
        return;
    }
    let mut random = Random(11);
    let mut found = 0;
    for _ in 0..400 {
        let text = file(&mut random);
        fs::write(PATH, &text).unwrap();
        let config = config::current();
        assert_eq!(config.host_conf_unusual, None);
        for name in ASKED {
            found += usize::from(compare(name, config.multi, &String::from_utf8_lossy(&text)));
        }
        for address in ADDRESSES {
            let address: IpAddr = address.parse().unwrap();
            let theirs = libc_calls::gethostbyaddr(address);
            let shown = format!("{address} {:?}", String::from_utf8_lossy(&text));
            match by_address(address) {
                Ok(ours) => {
                    let theirs = theirs.expect(&shown);
                    assert_eq!(ours.canonical, theirs.name, "{shown}");
                    assert_eq!(ours.aliases, theirs.aliases, "{shown}");
                }
                Err(failure) => {
                    assert_eq!(failure, LookupFailure::NotFound, "{shown}");
                    assert_eq!(theirs.map_err(|error| error.code), Err(1), "{shown}");
                }
            }
        }
    }
    assert!(found > 600, "{found}");
    let reading = READING.lock().clone();
    assert!(reading.is_some());
}

/// Whether there is such a host for any family.
fn compare(name: &str, multi: bool, text: &str) -> bool {
    let host = CString::new(name).unwrap();
    for (family, families) in [
        (libc::AF_UNSPEC, Families::Both),
        (libc::AF_INET, Families::V4),
        (libc::AF_INET6, Families::V6),
    ] {
        let shown = format!("{name:?} {families:?} {multi} {text:?}");
        let ours = by_name(name.as_bytes(), families, multi);
        for flags in [libc::AI_CANONNAME, 0] {
            let hints = Hints {
                flags,
                family,
                socktype: libc::SOCK_STREAM,
                protocol: 0,
            };
            let theirs = libc_calls::getaddrinfo(Some(&host), None, hints);
            match (&ours, theirs) {
                (Ok(ours), Ok(theirs)) => {
                    let canonical = theirs[0].canonical_name.clone();
                    let expected = (flags != 0).then(|| ours.canonical.clone());
                    assert_eq!(canonical, expected, "{shown}");
                    let addresses = theirs.iter().filter_map(|info| info.address.as_socket());
                    let addresses = addresses.map(|address| address.ip()).collect();
                    assert_eq!(sorted(ours.addresses.clone()), sorted(addresses), "{shown}");
                }
                (Err(LookupFailure::NotFound), Err(error)) => {
                    assert_eq!(error, EaiError::new(libc::EAI_NONAME), "{shown}");
                }
                (ours, theirs) => panic!("{shown}: {ours:?}, not {theirs:?}"),
            }
        }
        if family != libc::AF_UNSPEC {
            match (ours, libc_calls::gethostbyname(&host, family)) {
                (Ok(ours), Ok(theirs)) => {
                    assert_eq!(ours.canonical, theirs.name, "{shown}");
                    assert_eq!(ours.aliases, theirs.aliases, "{shown}");
                    assert_eq!(ours.addresses, theirs.addresses, "{shown}");
                }
                (ours, theirs) => assert!(
                    ours.is_err() && theirs.is_err(),
                    "{shown}: {ours:?}, not {theirs:?}"
                ),
            }
        }
    }
    by_name(name.as_bytes(), Families::Both, multi).is_ok()
}

#[test]
fn odd_names_are_the_c_librarys() {
    for name in ["", ".", "5.5.5.5.5", "1.2.3.4.", "fe80::1%lo", "\u{e9}"] {
        let answer = by_name(name.as_bytes(), Families::Both, false);
        assert!(matches!(answer, Err(LookupFailure::AskLibc(_))), "{name}");
    }
}

#[test]
fn a_large_file_costs_a_search() {
    let mut text = Vec::new();
    for at in 0..100_000u32 {
        let address = IpAddr::from((0x0a00_0000 + at).to_be_bytes());
        text.extend(format!("{address}\thost{at} alias{at}\n").bytes());
    }
    let table = Table::new(text);
    let start = std::time::Instant::now();
    for at in (0..100_000).step_by(100) {
        let name = format!("ALIAS{at}");
        let found = addresses(&table, name.as_bytes(), Families::Both, true).unwrap();
        assert_eq!(found.canonical, format!("host{at}").into_bytes());
        assert!(names(&table, found.addresses[0]).is_ok());
    }
    println!("{:?} a look-up", start.elapsed() / 1000);
}

//! The order against the C library's own, in network namespaces with addresses, routes and gai.conf of the tests'
//! making. The C library reads gai.conf once, so every variant has a process of its own: this test program again, in
//! its namespaces, where [`in_namespaces`] does the work.

use std::{
    env,
    ffi::CString,
    fmt::Write,
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{self, Command, Output},
    thread,
    time::{Duration, SystemTime},
};

use super::*;
use crate::dns::{EaiError, Hints, interfaces, libc_calls};

mod networks;

/// Set in the processes inside: what is added to the seed of the cases.
const INSIDE: &str = "REACTOR_ORDER_TEST_INSIDE";
/// May be set by hand, for other cases than the usual ones.
const SEED: &str = "REACTOR_ORDER_TEST_SEED";

#[test]
fn the_order_is_the_c_librarys() {
    let Some(namespaces) = namespaces() else {
        eprintln!(
            "SKIPPED: no network and mount namespaces here, or no unshare(1), ip(8), mount(8)"
        );
        return;
    };
    let seed: u64 = env::var(SEED)
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(0);
    let children = thread::scope(|scope| {
        let started: Vec<_> = (0u64..)
            .zip(networks::NETWORKS)
            .map(|(at, network)| {
                let first_case = seed.wrapping_mul(1_000_000).wrapping_add(at * 1000);
                scope.spawn(move || run_network(namespaces, network, first_case))
            })
            .collect();
        let ended = started
            .into_iter()
            .flat_map(|thread| thread.join().unwrap());
        ended.collect::<Vec<_>>()
    });
    let mut checked = 0;
    for (name, child) in &children {
        let output = String::from_utf8_lossy(&child.stdout);
        let errors = String::from_utf8_lossy(&child.stderr);
        assert!(child.status.success(), "{name}: {output}\n{errors}");
        let count = output
            .split("compared ")
            .nth(1)
            .and_then(|rest| rest.split(' ').next());
        checked += count
            .and_then(|count| count.parse::<usize>().ok())
            .unwrap_or(0);
        if env::var_os(SEED).is_some() {
            eprintln!(
                "{name}: {}",
                output
                    .lines()
                    .find(|line| line.contains("compared"))
                    .unwrap_or("?")
            );
        }
    }
    assert!(
        checked > 1000,
        "{checked} lists compared in {} processes",
        children.len()
    );
}

/// A process for every gai.conf.
fn run_network(
    namespaces: &str,
    (network, script): &(&str, &str),
    first_case: u64,
) -> Vec<(String, Output)> {
    let mut children = Vec::new();
    for (case, (variant, gai_conf)) in (first_case..).zip(networks::GAI_CONFS) {
        let etc = scratch(&format!("{network}-{variant}"));
        write_etc(&etc, gai_conf, &mut Random(case));
        let script = format!(
            "set -e\nmount --bind '{}' /etc\n{script}\nexec \"$@\"",
            etc.display()
        );
        let child = Command::new("timeout")
            .args(["60", "unshare", namespaces, "sh", "-c", &script, "sh"])
            .arg(env::current_exe().unwrap())
            .args([
                "--exact",
                "dns::order::tests::in_namespaces",
                "--ignored",
                "--nocapture",
            ])
            .env(INSIDE, case.to_string())
            .output()
            .unwrap();
        children.push((format!("{network}, {variant}"), child));
        fs::remove_dir_all(etc).unwrap();
    }
    children
}

/// The option of unshare(1) that works here.
fn namespaces() -> Option<&'static str> {
    let works = |option: &&str| {
        let output = Command::new("unshare")
            .args([
                option,
                "sh",
                "-c",
                "ip link set lo up && mount --bind /tmp /etc",
            ])
            .output();
        output.is_ok_and(|output| output.status.success())
    };
    ["-Urnm", "-nm"].into_iter().find(works)
}

fn scratch(name: &str) -> PathBuf {
    let path = env::temp_dir().join(format!("reactor-order-{}-{name}", process::id()));
    fs::create_dir_all(&path).unwrap();
    path
}

/// What the C library reads: names in the hosts file, and nothing else to ask.
fn write_etc(etc: &Path, gai_conf: &str, random: &mut Random) {
    let mut hosts = String::new();
    for name in 0..NAMES {
        let addresses = match name {
            0 => networks::CIRCLE.map(|text| text.parse().unwrap()).to_vec(),
            _ => addresses(random),
        };
        for address in addresses {
            writeln!(hosts, "{address} name{name}").unwrap();
        }
    }
    fs::write(etc.join("hosts"), hosts).unwrap();
    fs::write(etc.join("nsswitch.conf"), "hosts: files\n").unwrap();
    fs::write(etc.join("host.conf"), "multi on\n").unwrap();
    fs::write(etc.join("gai.conf"), gai_conf).unwrap();
}

const NAMES: usize = 6;

fn addresses(random: &mut Random) -> Vec<IpAddr> {
    let families = random.below(4);
    let mut made = Vec::new();
    for _ in 0..2 + random.below(9) {
        let address = match (made.last(), random.below(8)) {
            (Some(last), 0) => *last,
            _ => networks::address(random, families),
        };
        made.push(address);
    }
    made
}

/// SplitMix64: the same cases every time.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }
}

#[test]
#[ignore = "only inside the namespaces that the_order_is_the_c_librarys makes"]
fn in_namespaces() {
    let Some(case) = env::var(INSIDE).ok().and_then(|case| case.parse().ok()) else {
        return;
    };
    let _tunnel = networks::tunnel();
    let mut random = Random(case);
    let hosts = read_hosts();
    let mut compared = compare_all(&hosts);
    // Now the file changes: no difference without `reload yes`.
    let gai_conf = Path::new("/etc/gai.conf");
    let original = fs::read(gai_conf).unwrap();
    let age = |seconds| {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        fs::File::options()
            .write(true)
            .open(gai_conf)
            .unwrap()
            .set_modified(time)
            .unwrap();
    };
    let (_, other) = networks::GAI_CONFS[random.below(networks::GAI_CONFS.len())];
    fs::write(gai_conf, other).unwrap();
    age(1_000_000);
    compared += compare_all(&hosts);
    // The same time of modification: not read again.
    fs::write(gai_conf, &original).unwrap();
    age(1_000_000);
    compared += compare_all(&hosts);
    fs::remove_file(gai_conf).unwrap();
    compared += compare_all(&hosts);
    // Back with the time that was read last.
    fs::write(gai_conf, &original).unwrap();
    age(1_000_000);
    compared += compare_all(&hosts);
    fs::write(gai_conf, &original).unwrap();
    compared += compare_all(&hosts);
    networks::forbid_netlink();
    assert!(interfaces::read().is_err());
    compared += compare_all(&hosts);
    without_descriptors(&hosts);
    println!("compared {compared} lists");
}

/// No socket can be had: nothing can be reached, and only what needs no source decides.
fn without_descriptors(hosts: &[Vec<IpAddr>]) {
    let none = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: setrlimit(2) reads the limits it is given.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &none) }, 0);
    let hints = Hints {
        socktype: libc::SOCK_STREAM,
        ..Hints::default()
    };
    let local = [IpAddr::V6(Ipv6Addr::LOCALHOST), Ipv4Addr::LOCALHOST.into()];
    let theirs = libc_calls::getaddrinfo(None, Some(c"80"), hints).unwrap();
    let theirs: Vec<IpAddr> = theirs
        .iter()
        .map(|info| info.address.as_socket().unwrap().ip())
        .collect();
    let mut ours = local.to_vec();
    sort(&mut ours, |ip| SocketAddr::new(*ip, 80), None).unwrap();
    assert_eq!(ours, theirs);
    for addresses in hosts {
        let mut sorted = addresses.clone();
        sort(&mut sorted, |ip| SocketAddr::new(*ip, 80), None).unwrap();
        let (mut before, mut after) = (addresses.clone(), sorted);
        before.sort();
        after.sort();
        assert_eq!(before, after);
    }
}

fn read_hosts() -> Vec<Vec<IpAddr>> {
    let mut hosts = vec![Vec::new(); NAMES];
    for line in fs::read_to_string("/etc/hosts").unwrap().lines() {
        let (address, name) = line.split_once(" name").unwrap();
        hosts[name.parse::<usize>().unwrap()].push(address.parse().unwrap());
    }
    hosts
}

fn compare_all(hosts: &[Vec<IpAddr>]) -> usize {
    let mut compared = 0;
    let mapped = libc::AI_V4MAPPED;
    let all = mapped | libc::AI_ALL;
    for (number, addresses) in hosts.iter().enumerate() {
        for (family, flags) in [
            (libc::AF_UNSPEC, 0),
            (libc::AF_INET, 0),
            (libc::AF_INET6, 0),
            (libc::AF_INET6, mapped),
            (libc::AF_INET6, all),
            (libc::AF_UNSPEC, libc::AI_ADDRCONFIG),
            (libc::AF_INET, libc::AI_ADDRCONFIG),
            (libc::AF_INET6, libc::AI_ADDRCONFIG),
        ] {
            for socktype in [0, libc::SOCK_STREAM] {
                let hints = Hints {
                    flags,
                    family,
                    socktype,
                    protocol: 0,
                };
                let theirs = theirs(number, hints);
                let mut ours = ours(addresses, hints);
                if let (Err(SOME_ERROR), Err(code)) = (&ours, &theirs) {
                    ours = Err(*code);
                }
                assert_eq!(ours, theirs, "{hints:?} of {addresses:?}");
                compared += 1;
            }
        }
    }
    compared
}

type Answer = Result<Vec<(i32, SocketAddr)>, i32>;

fn theirs(number: usize, hints: Hints) -> Answer {
    let name = CString::new(format!("name{number}")).unwrap();
    let list = libc_calls::getaddrinfo(Some(&name), Some(c"80"), hints);
    let entry = |info: crate::dns::AddrInfo| (info.socktype, info.address.as_socket().unwrap());
    list.map(|list| list.into_iter().map(entry).collect())
        .map_err(|error| error.code)
}

/// Some error: which one is the business of the hosts file's reader.
const SOME_ERROR: i32 = 1;

fn ours(addresses: &[IpAddr], hints: Hints) -> Answer {
    let code = |error: EaiError| error.code;
    let (mut family, mut interfaces) = (hints.family, None);
    if hints.flags & libc::AI_ADDRCONFIG != 0 {
        let current = Interfaces::current();
        family = interfaces::narrow(family, &current).map_err(code)?;
        interfaces = Some(current);
    }
    // The hosts file's reader takes these for IPv4 where that is wanted, whatever the flags.
    let v4 = || {
        addresses.iter().filter_map(|address| match address {
            IpAddr::V4(_) => Some(*address),
            IpAddr::V6(Ipv6Addr::LOCALHOST) => Some(Ipv4Addr::LOCALHOST.into()),
            IpAddr::V6(v6) => v6.to_ipv4_mapped().map(IpAddr::V4),
        })
    };
    let v6 = || {
        addresses
            .iter()
            .filter(|address| address.is_ipv6())
            .copied()
    };
    let as_v6 = |address| IpAddr::V6(mapped(address));
    let mut found: Vec<IpAddr> = match family {
        libc::AF_UNSPEC => addresses.to_vec(),
        libc::AF_INET => v4().collect(),
        _ => v6().collect(),
    };
    let none = found.is_empty();
    if hints.flags & libc::AI_ALL != 0 || none && hints.flags & libc::AI_V4MAPPED != 0 {
        found.extend(v4().map(as_v6));
    } else if hints.flags & libc::AI_V4MAPPED != 0 {
        // Mapped addresses are dropped where there are others, even if they are all that the file has.
        found.retain(|address| mapped(*address).to_ipv4_mapped().is_none());
        if found.is_empty() {
            return Err(libc::EAI_NONAME);
        }
    }
    if found.is_empty() {
        return Err(SOME_ERROR);
    }
    let types: &[i32] = match hints.socktype {
        0 => &[libc::SOCK_STREAM, libc::SOCK_DGRAM, libc::SOCK_RAW],
        _ => &[libc::SOCK_STREAM],
    };
    let entries = found.iter().flat_map(|address| {
        types
            .iter()
            .map(|socktype| (*socktype, SocketAddr::new(*address, 80)))
    });
    let mut entries: Vec<(i32, SocketAddr)> = entries.collect();
    sort(&mut entries, |(_, address)| *address, interfaces.as_ref()).unwrap();
    Ok(entries)
}

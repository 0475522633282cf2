//! The networks, policies and destinations of the comparison.

use std::{fs::File, io, os::fd::AsRawFd};

use super::{IpAddr, Ipv4Addr, Ipv6Addr, Random};

/// Two linked pairs of interfaces, for the scripts below. Their link-local addresses come a moment after the links, and
/// would change the answers between two look-ups.
macro_rules! pairs {
    () => {
        "ip link set lo up
ipv6=/proc/sys/net/ipv6/conf
echo 0 >$ipv6/all/accept_dad; echo 0 >$ipv6/default/accept_dad
for name in one two; do ip link add name $name type veth peer name ${name}peer; ip link set dev $name up; ip link set dev ${name}peer up; done
[ $(cat $ipv6/default/disable_ipv6) = 1 ] || until [ $(ip -6 addr show scope link -tentative | grep -c fe80) = 4 ]; do sleep 0.05; done
"
    };
}

/// Addresses of every kind on two interfaces.
macro_rules! many_addresses {
    () => {
        "ip addr add 10.1.2.3/20 dev one
ip addr add 192.168.7.9/24 dev one
ip addr add 169.254.5.5/16 dev one
ip addr add 10.99.0.1 peer 10.99.0.2/32 dev two
ip addr add 172.16.3.4/12 dev two
ip addr add 10.1.40.3/28 dev two
ip addr add 127.0.0.77/32 dev lo preferred_lft 0
ip -6 addr add 2001:db8:1::5/64 dev one nodad
ip -6 addr add 2001:db8:2::5/48 dev one nodad preferred_lft 0
ip -6 addr add 2001:db8:4::5/64 dev one nodad home
ip -6 addr add fd00:1::5/64 dev one nodad
ip -6 addr add fec0::5/64 dev one nodad
ip -6 addr add 2002:a01:203::1/16 dev two nodad
ip -6 addr add 2001:0:1234::1/32 dev two nodad
ip -6 addr add 2001:db8:3::7/64 dev two nodad
ip -6 addr add 2001:db8:5::1 peer 2001:db8:5::2/128 dev two nodad
"
    };
}

pub(super) const NETWORKS: &[(&str, &str)] = &[
    ("nothing", "true"),
    ("loopback", "ip link set lo up"),
    (
        "second-loopback",
        "ip link set lo up; ip addr add 127.0.0.2/8 dev lo",
    ),
    (
        "plain",
        concat!(
            pairs!(),
            "ip addr add 10.1.2.3/20 dev one
ip -6 addr add 2001:db8:1::5/64 dev one nodad
ip route add default via 10.1.2.1
ip -6 route add default via 2001:db8:1::1"
        ),
    ),
    (
        "dual",
        concat!(
            pairs!(),
            many_addresses!(),
            "ip route add default via 10.1.2.1
ip -6 route add default via 2001:db8:1::1
ip route add unreachable 198.51.100.0/24
ip -6 route add unreachable 2001:db8:99::/48"
        ),
    ),
    (
        "v4-default",
        concat!(
            pairs!(),
            many_addresses!(),
            "ip route add default via 172.16.0.1"
        ),
    ),
    (
        "v6-default-v6only-sockets",
        concat!(
            pairs!(),
            many_addresses!(),
            "ip -6 route add default via 2001:db8:3::1
echo 1 >/proc/sys/net/ipv6/bindv6only"
        ),
    ),
    (
        "no-v6",
        concat!(
            "echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6
echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6
",
            pairs!(),
            "ip addr add 10.1.2.3/20 dev one
ip addr add 172.16.3.4/12 dev two
ip route add default via 10.1.2.1"
        ),
    ),
    (
        "no-v4",
        "ip link set lo up; ip addr flush dev lo; ip -6 addr add ::1/128 dev lo
ip link add name one type veth peer name two; ip link set dev one up; ip link set dev two up
until [ $(ip -6 addr show scope link -tentative | grep -c fe80) = 2 ]; do sleep 0.05; done
ip -6 addr add 2001:db8:1::5/64 dev one nodad
ip -6 route add default via 2001:db8:1::1",
    ),
    // Addresses that several interfaces have, with differing lengths and states; sources that are nobody's address.
    (
        "shared",
        concat!(
            pairs!(),
            "ip addr add 10.1.2.3/20 dev one
ip addr add 10.1.2.3/26 dev two
ip addr add 10.1.2.3/30 dev twopeer
ip addr add 192.168.7.9/16 dev two
ip addr add 192.168.7.9/29 dev one
ip addr add 10.99.0.1 peer 127.0.0.1/32 dev two
ip -6 addr add 2001:db8:1::5/64 dev one nodad
ip -6 addr add 2001:db8:1::5/48 dev two nodad preferred_lft 0
ip -6 addr add 2001:db8:3::7/64 dev one nodad preferred_lft 0
ip -6 addr add 2001:db8:3::7/64 dev two nodad home
ip -6 addr add 2001:db8:3::7/64 dev twopeer nodad
ip route add local 172.16.0.0/16 dev lo
ip -6 route add local fd00:1::/32 dev lo
ip route add default via 10.1.2.1 src 192.168.7.9
ip -6 route add default via 2001:db8:1::1"
        ),
    ),
    (
        "tunnel",
        concat!(
            pairs!(),
            "ip tuntap add tunnel mode tun
ip addr add 10.1.2.3/20 dev one
ip -6 addr add 2001:db8:1::5/64 dev one nodad
ip -6 addr add 2001:db8:3::7/64 dev two nodad
ip route add local 198.51.100.0/24 dev lo"
        ),
    ),
];

/// The interface `tunnel`, where the network has it, made a link of type "IP in IP tunnel" and given addresses. Lives
/// as long as the file.
pub(super) fn tunnel() -> Option<File> {
    if !has_link("tunnel") {
        return None;
    }
    let file = File::options()
        .read(true)
        .write(true)
        .open("/dev/net/tun")
        .ok()?;
    // SAFETY: an ifreq is plain old data.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(b"tunnel") {
        *to = *from as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_TUN | libc::IFF_NO_PI) as libc::c_short;
    // SAFETY: both requests read what they are given, an ifreq and a number, and the first writes into the ifreq.
    unsafe {
        assert_eq!(
            libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF, &mut request),
            0
        );
        let kind = libc::c_ulong::from(libc::ARPHRD_TUNNEL);
        assert_eq!(libc::ioctl(file.as_raw_fd(), libc::TUNSETLINK, kind), 0);
    }
    let script = "set -e
ip link set tunnel up
ip addr add 10.99.0.9/24 dev tunnel
ip -6 addr add 2001:db8:4::5/64 dev tunnel nodad
ip route add default dev tunnel
ip -6 route add default dev tunnel";
    let status = std::process::Command::new("sh")
        .args(["-c", script])
        .status();
    assert!(status.unwrap().success());
    Some(file)
}

fn has_link(name: &str) -> bool {
    let output = std::process::Command::new("ip")
        .args(["link", "show", name])
        .output();
    output.is_ok_and(|output| output.status.success())
}

pub(super) const GAI_CONFS: &[(&str, &str)] = &[
    ("defaults", "# nothing\n"),
    (
        "v4-first-reload",
        "reload yes\nprecedence ::ffff:0:0/96 100\n",
    ),
    (
        "v4-alike",
        "precedence ::ffff:0:0/96 40\nprecedence ::/0 40\nlabel ::/0 1\n",
    ),
    (
        "scopes-and-labels",
        "reload no
scopev4 ::ffff:10.1.0.0/112 5
scopev4 192.168.0.0/16 5
scopev4 ::ffff:172.16.0.0/108 9 rest
scopev4 10.1.2.0/24 3
label 2001:db8:1::/48 9
label 2001:db8:2::/47 9
label ::ffff:10.0.0.0/104 9
label 2001:db8:99::/48 4#comment
precedence 2001:db8::/32 10
precedence 2001:db8:3::/48 -18446744073709551600
",
    ),
    (
        "malformed",
        "label
 \tlabel\x0b2001:db8::/29 7\r
precedence fd00::/ 3
precedence fd00::/8
precedence fd00::/9 12x
precedence 2001:db8:1::/48 0x10
precedence 10.0.0.0/8 70
precedence ::ffff:10.0.0.0/129 71
precedence 2001:db8:2::/+48 +60
precedence 2001:db8:3::/-0 61
precedence 2001:db8:4::/48 2147483648
precedence 2001:db8:5::/48 99999999999999999999
precedence 2001:db8:5::/48 2147483647 x y z
scopev4 10.0.0.0/33 3
scopev4 ::ffff:10.0.0.0/95 3
scopev4 2001:db8::/96 3
scopev4 ::ffff:10.0.0.0/ 4
scopev4 192.168.0.0/+16
reload yes please
\x00label 2001:db8::/32 8
label 2001:0db8:0003::/48 8\x00 9
unknown 1 2
Label ::/0 5
precedence ::ffff:0:0/96 35",
    ),
];

/// Under "v4-alike" the rules go round in a circle here: the third address comes before the first, and every IPv6 address
/// stays where it is among IPv4 ones. What the C library answers depends on how many entries it sorts.
pub(super) const CIRCLE: [&str; 5] = [
    "8.8.8.8",
    "2a00:1450:0:1::1",
    "10.1.2.4",
    "203.0.113.1",
    "2001:db8:1::6",
];

/// A destination; `families` is 0 for IPv4, 1 for IPv6, else any.
pub(super) fn address(random: &mut Random, families: usize) -> IpAddr {
    let v4 = match families {
        0 => true,
        1 => false,
        _ => random.below(2) == 0,
    };
    if v4 {
        v4_address(random).into()
    } else {
        v6_address(random)
    }
}

fn v4_address(random: &mut Random) -> Ipv4Addr {
    const NETS: &[[u8; 3]] = &[
        [10, 1, 2],
        [10, 1, 2],
        [10, 1, 5],
        [10, 1, 40],
        [10, 99, 0],
        [192, 168, 7],
        [192, 168, 9],
        [172, 16, 3],
        [172, 20, 1],
        [169, 254, 5],
        [198, 51, 100],
        [203, 0, 113],
        [127, 0, 0],
        [127, 0, 0],
        [8, 8, 8],
        [224, 0, 0],
        [255, 255, 255],
        [0, 0, 0],
    ];
    let [a, b, c] = NETS[random.below(NETS.len())];
    const LAST: &[u8] = &[0, 1, 2, 3, 4, 5, 7, 9, 63, 77, 77, 128, 254, 255];
    Ipv4Addr::new(a, b, c, LAST[random.below(LAST.len())])
}

fn v6_address(random: &mut Random) -> IpAddr {
    const NETS: &[[u16; 4]] = &[
        [0x2001, 0xdb8, 1, 0],
        [0x2001, 0xdb8, 1, 0],
        [0x2001, 0xdb8, 1, 7],
        [0x2001, 0xdb8, 2, 0],
        [0x2001, 0xdb8, 3, 0],
        [0x2001, 0xdb8, 4, 0],
        [0x2001, 0xdb8, 5, 0],
        [0x2001, 0xdb8, 0x99, 0],
        [0x2001, 0xdb8, 0x7777, 1],
        [0xfd00, 1, 0, 0],
        [0xfc12, 1, 0, 0],
        [0xfec0, 0, 0, 0],
        [0xfe80, 0, 0, 0],
        [0x2002, 0xa01, 0x203, 0],
        [0x2002, 0x808, 0x808, 0],
        [0x2001, 0, 0x1234, 0],
        [0x2a00, 0x1450, 0, 1],
        [0xff02, 0, 0, 0],
        [0xff0e, 0, 0, 0],
        [0, 0, 0, 0],
    ];
    if random.below(5) == 0 {
        return v4_address(random).to_ipv6_mapped().into();
    }
    let [a, b, c, d] = NETS[random.below(NETS.len())];
    const LAST: &[u16] = &[1, 2, 5, 6, 7, 0x8000];
    let last = LAST[random.below(LAST.len())];
    Ipv6Addr::new(a, b, c, d, 0, 0, 0, last).into()
}

/// From now on this process gets no netlink sockets, as under a system-call filter.
pub(super) fn forbid_netlink() {
    const fn statement(code: u32, k: u32) -> libc::sock_filter {
        libc::sock_filter {
            code: code as u16,
            jt: 0,
            jf: 0,
            k,
        }
    }
    const fn unless_equal(k: u32, skip: u8) -> libc::sock_filter {
        libc::sock_filter {
            code: (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16,
            jt: 0,
            jf: skip,
            k,
        }
    }
    let load = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
    let first_argument = if cfg!(target_endian = "little") {
        16
    } else {
        20
    };
    let refuse = libc::SECCOMP_RET_ERRNO | libc::EAFNOSUPPORT as u32;
    let mut filter = [
        statement(load, 0),
        unless_equal(libc::SYS_socket as u32, 3),
        statement(load, first_argument),
        unless_equal(libc::AF_NETLINK as u32, 1),
        statement(libc::BPF_RET, refuse),
        statement(libc::BPF_RET, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog {
        len: filter.len() as u16,
        filter: filter.as_mut_ptr(),
    };
    // SAFETY: the program outlives the calls, and its jumps stay inside it (the kernel checks that too).
    let outcome = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &program)
    };
    assert_eq!(outcome, 0, "{}", io::Error::last_os_error());
}

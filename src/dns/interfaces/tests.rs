use std::net::UdpSocket;

use super::*;

fn message(kind: u16, sequence: u32, payload: &[u8]) -> Vec<u8> {
    let length = (HEADER_LEN + payload.len()) as u32;
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend([0, 0]);
    bytes.extend(sequence.to_ne_bytes());
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// The types of the messages that a datagram shows, and how it ends.
fn seen(datagram: &[u8]) -> (Vec<u16>, io::Result<bool>) {
    let mut kinds = Vec::new();
    let ended = messages(datagram, &mut |kind, _: &[u8]| kinds.push(kind));
    (kinds, ended)
}

#[test]
fn a_datagram_may_hold_anything() {
    let address = message(RTM_NEWADDR, SEQUENCE, &[libc::AF_INET as u8, 8]);
    let done = message(NLMSG_DONE, SEQUENCE, &[0; 4]);
    let foreign = message(NLMSG_DONE, SEQUENCE + 1, &[0; 4]);

    let (kinds, ended) = seen(&[address.clone(), done.clone()].concat());
    assert_eq!(
        (kinds, ended.unwrap()),
        (vec![RTM_NEWADDR], true),
        "all is well"
    );
    let (kinds, ended) = seen(&[foreign, address.clone()].concat());
    assert_eq!(
        (kinds, ended.unwrap()),
        (vec![RTM_NEWADDR], false),
        "not for us"
    );
    let whole = [address, done].concat();
    for cut in 0..whole.len() {
        let (kinds, ended) = seen(&whole[..cut]);
        assert!(kinds.len() < 2 && !ended.unwrap(), "cut at {cut}");
    }
    for length in 0..HEADER_LEN as u32 {
        let mut short = whole.clone();
        short[..4].copy_from_slice(&length.to_ne_bytes());
        assert!(!seen(&short).1.unwrap(), "a message of {length} bytes");
    }
    let refused = message(NLMSG_ERROR, SEQUENCE, &(-libc::EPERM).to_ne_bytes());
    assert_eq!(
        seen(&refused).1.unwrap_err().raw_os_error(),
        Some(libc::EPERM)
    );
    for odd in [&[][..], &[1], &0i32.to_ne_bytes(), &i32::MIN.to_ne_bytes()] {
        assert!(seen(&message(NLMSG_ERROR, SEQUENCE, odd)).1.is_err());
    }
}

#[test]
fn an_address_message_may_hold_anything() {
    let attribute = |kind: u16, value: &[u8]| {
        let mut bytes = (4 + value.len() as u16).to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(value);
        bytes
    };
    let header = |family: i32| vec![family as u8, 24, 0x20, 0, 3, 0, 0, 0];
    let local = attribute(IFA_LOCAL, &[10, 0, 0, 1]);
    let peer = attribute(IFA_ADDRESS, &[10, 0, 0, 2]);
    let found = |parts: &[&[u8]]| local_address(&parts.concat());
    let v4 = header(libc::AF_INET);
    let address = |found: Option<(i32, LocalAddress)>| found.unwrap().1.address.to_string();

    assert_eq!(address(found(&[&v4, &local])), "::ffff:10.0.0.1");
    assert_eq!(address(found(&[&v4, &local, &peer])), "::ffff:10.0.0.2");
    assert_eq!(address(found(&[&v4, &peer, &local])), "::ffff:10.0.0.2");
    if cfg!(target_endian = "little") {
        let (family, local) = found(&[&v4, &local]).unwrap();
        assert_eq!(
            (family, local.index, local.prefix_length),
            (libc::AF_INET, 3, 24)
        );
        assert!(local.deprecated && !local.home);
    }
    assert_eq!(found(&[&v4]), None);
    assert_eq!(found(&[&header(libc::AF_INET6), &local]), None, "too short");
    assert_eq!(found(&[&header(libc::AF_UNIX), &local]), None);
    let whole = [v4, local].concat();
    for cut in 0..whole.len() {
        assert_eq!(local_address(&whole[..cut]), None, "cut at {cut}");
    }
}

#[test]
fn the_kernel_answers() {
    let interfaces = read().unwrap();
    // Only a loopback interface that is down has no 127.0.0.1; and without IPv6 nothing is listed.
    let up = UdpSocket::bind("127.0.0.1:0").is_ok();
    let found = interfaces.find(Ipv4Addr::LOCALHOST.to_ipv6_mapped());
    assert_eq!(found.is_some(), up && interfaces.has_v6);
    if let Some(loopback) = found {
        assert_eq!(loopback.prefix_length, 8);
        assert!(Links::current().native(loopback.index));
    }
    assert!(!Links::current().native(u32::MAX));
}

#[test]
fn the_family_is_narrowed_to_what_is_there() {
    let with = |has_v4, has_v6| Interfaces {
        has_v4,
        has_v6,
        addresses: Vec::new(),
    };
    let narrowed = |family| {
        [(true, true), (true, false), (false, true), (false, false)].map(|(has_v4, has_v6)| {
            narrow(family, &with(has_v4, has_v6)).map_err(|error| error.code)
        })
    };
    let (any, v4, v6) = (libc::AF_UNSPEC, libc::AF_INET, libc::AF_INET6);
    let none = Err(libc::EAI_NONAME);
    assert_eq!(narrowed(any), [Ok(any), Ok(v4), Ok(v6), Ok(any)]);
    assert_eq!(narrowed(v4), [Ok(v4), Ok(v4), none, none]);
    assert_eq!(narrowed(v6), [Ok(v6), none, Ok(v6), none]);
}

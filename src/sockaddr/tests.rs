//! What holds for all families: round trips, arbitrary bytes, addresses that the kernel cuts short.

use std::{mem::MaybeUninit, slice};

use super::{
    Address, CAPACITY, alg, as_bytes, bluetooth, bluetooth::DeviceAddress, can, can::Endpoint,
    decode, family, from_bytes, inet, inet6, netlink, packet, qipcrtr, tipc, unix, vsock,
};

/// The bytes of one of C's structures, zero where `fill` puts nothing.
pub(super) fn bytes_of<T: Copy>(fill: impl FnOnce(&mut T)) -> Vec<u8> {
    let mut zeroed = MaybeUninit::<T>::zeroed();
    // SAFETY: the callers' types are plain C structures, for which all zeroes is a value.
    fill(unsafe { zeroed.assume_init_mut() });
    // SAFETY: as long as the type, and initialised, padding too: each field was set in its place.
    unsafe { slice::from_raw_parts(zeroed.as_ptr().cast(), size_of::<T>()) }.to_vec()
}

/// Marsaglia's xorshift64: numbers without a pattern, the same ones at every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }

    /// Without a NUL.
    fn text(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| (self.next() % 255) as u8 + 1).collect()
    }

    fn device(&mut self) -> DeviceAddress {
        let bytes = self.next().to_ne_bytes();
        DeviceAddress(*bytes.first_chunk().expect("8 bytes"))
    }
}

/// Each family that decides on the form of an address, with each protocol that does.
const KINDS: [(i32, i32); 16] = [
    (libc::AF_INET, 0),
    (libc::AF_INET6, 0),
    (libc::AF_UNIX, 0),
    (libc::AF_NETLINK, 0),
    (libc::AF_PACKET, 0),
    (libc::AF_VSOCK, 0),
    (libc::AF_CAN, libc::CAN_RAW),
    (libc::AF_CAN, libc::CAN_ISOTP),
    (libc::AF_CAN, libc::CAN_J1939),
    (libc::AF_ALG, 0),
    (libc::AF_TIPC, 0),
    (qipcrtr::AF_QIPCRTR, 0),
    (libc::AF_BLUETOOTH, bluetooth::BTPROTO_L2CAP),
    (libc::AF_BLUETOOTH, bluetooth::BTPROTO_HCI),
    (libc::AF_BLUETOOTH, bluetooth::BTPROTO_SCO),
    (libc::AF_BLUETOOTH, bluetooth::BTPROTO_RFCOMM),
];

#[test]
fn any_bytes_decode_or_not_and_what_decodes_comes_back() {
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let mut decoded = [0; KINDS.len()];
    for round in 0..200_000_usize {
        let kind = round % KINDS.len();
        let (wanted, protocol) = KINDS[kind];
        let length = (numbers.next() as usize) % (CAPACITY + 40);
        let mut data = numbers.bytes(length);
        if let Some(start) = data.first_chunk_mut::<2>() {
            *start = (wanted as u16).to_ne_bytes();
        }
        let address = from_bytes(&data);
        let kept = as_bytes(&address);
        assert_eq!(kept, &data[..data.len().min(CAPACITY)]);
        assert_eq!(family(kept), (length >= 2).then_some(wanted));
        // Exactly as many bytes as the allocation has, so that Miri or a sanitizer sees a read beyond them.
        let Some(address) =
            decode(&data.clone().into_boxed_slice(), protocol).map(check_round_trip)
        else {
            continue;
        };
        decoded[kind] += usize::from(address);
    }
    for (count, kind) in decoded.into_iter().zip(KINDS) {
        assert!(
            count > 100,
            "{kind:?}: only {count} addresses decoded and encoded"
        );
    }
}

/// Whether the address can be encoded; then it has to come back, and its bytes to be the same ones again.
fn check_round_trip(address: Address<'_>) -> bool {
    let Some(encoded) = address.encode() else {
        return false;
    };
    let bytes = as_bytes(&encoded);
    let again = decode(bytes, address.protocol());
    assert_eq!(again, Some(address));
    let twice = again
        .and_then(|again| again.encode())
        .expect("was encoded before");
    assert_eq!(as_bytes(&twice), bytes);
    true
}

#[test]
fn addresses_of_all_families_come_back() {
    let mut numbers = Numbers(0x2545_f491_4f6c_dd1d);
    for round in 0..10_000_usize {
        let path = numbers.text(round % 108);
        let name = [&[0], &numbers.bytes(round % 107)[..]].concat();
        let kind = numbers.text(round % (alg::KIND_MAX + 1));
        let algorithm = numbers.text(round % (alg::NAME_MAX + 1));
        let link = numbers.bytes(round % (packet::ADDRESS_MAX + 1));
        let mut n = || numbers.next();
        let (a, b, c) = (n() as u32, n() as u32, n() as u32);
        let device = numbers.device();
        for address in [
            Address::Inet(inet::Fields {
                ip: a.into(),
                port: b as u16,
            }),
            Address::Inet6(inet6::Fields {
                ip: (u128::from(a) << 96 | u128::from(b)).into(),
                port: c as u16,
                flowinfo: b,
                scope_id: a,
            }),
            Address::Unix(unix::Name::Path(&path)),
            Address::Unix(unix::Name::Abstract(&name)),
            Address::Netlink(netlink::Fields { pid: a, groups: b }),
            Address::Packet(packet::Fields {
                protocol: a as u16,
                interface: b as i32,
                hardware: c as u16,
                packet: (a >> 16) as u8,
                address: &link,
            }),
            Address::Vsock(vsock::Fields { cid: a, port: b }),
            Address::Can(can::Fields {
                interface: a as i32,
                endpoint: Endpoint::Bus,
            }),
            Address::Can(can::Fields {
                interface: a as i32,
                endpoint: Endpoint::Isotp { rx_id: b, tx_id: c },
            }),
            Address::Can(can::Fields {
                interface: a as i32,
                endpoint: Endpoint::J1939 {
                    name: u64::from(b) << 32 | u64::from(c),
                    pgn: c,
                    address: b as u8,
                },
            }),
            Address::Alg(alg::Fields {
                kind: &kind,
                name: &algorithm,
                features: a,
                mask: b,
            }),
            Address::Tipc(tipc::Fields {
                kind: a as u8,
                scope: b as i8,
                words: [a, b, c],
            }),
            Address::Qipcrtr(qipcrtr::Fields { node: a, port: b }),
            Address::Bluetooth(bluetooth::Fields::L2cap {
                device,
                psm: a as u16,
                cid: b as u16,
                device_kind: c as u8,
            }),
            Address::Bluetooth(bluetooth::Fields::Hci {
                adapter: a as u16,
                channel: b as u16,
            }),
            Address::Bluetooth(bluetooth::Fields::Sco { device }),
            Address::Bluetooth(bluetooth::Fields::Rfcomm {
                device,
                channel: a as u8,
            }),
        ] {
            assert!(check_round_trip(address), "{address:?}");
        }
    }
}

#[test]
fn an_address_ends_where_its_last_field_does() {
    // The length of what `encode` makes, and the least that `decode` takes, which the kernel keeps to.
    let lengths = [
        (libc::AF_INET, 0, 16, 8),
        (libc::AF_INET6, 0, 28, 24),
        (libc::AF_NETLINK, 0, 12, 12),
        (libc::AF_PACKET, 0, 20, 12),
        (libc::AF_VSOCK, 0, 16, 12),
        (libc::AF_CAN, libc::CAN_RAW, 24, 8),
        (libc::AF_CAN, libc::CAN_BCM, 24, 8),
        (libc::AF_CAN, libc::CAN_ISOTP, 24, 16),
        (libc::AF_CAN, libc::CAN_J1939, 24, 21),
        (libc::AF_ALG, 0, 88, 24),
        (libc::AF_TIPC, 0, 16, 16),
        (qipcrtr::AF_QIPCRTR, 0, 12, 12),
        (libc::AF_BLUETOOTH, bluetooth::BTPROTO_L2CAP, 14, 13),
        (libc::AF_BLUETOOTH, bluetooth::BTPROTO_HCI, 6, 6),
        (libc::AF_BLUETOOTH, bluetooth::BTPROTO_SCO, 8, 8),
        (libc::AF_BLUETOOTH, bluetooth::BTPROTO_RFCOMM, 10, 9),
    ];
    for (family, protocol, whole, least) in lengths {
        let mut bytes = [0; CAPACITY];
        bytes[..2].copy_from_slice(&(family as u16).to_ne_bytes());
        for length in 0..CAPACITY {
            let decoded = decode(&bytes[..length], protocol);
            assert_eq!(
                decoded.is_some(),
                length >= least,
                "{family} {protocol} {length}"
            );
            if let Some(decoded) = decoded {
                let encoded = decoded.encode().expect("zeroes fit");
                assert_eq!(as_bytes(&encoded).len(), whole, "{family} {protocol}");
            }
        }
    }
}

#[test]
fn unknown_families_and_protocols_do_not_decode() {
    let bytes = |family: i32| [&(family as u16).to_ne_bytes()[..], &[0; 100]].concat();
    for family in [0, libc::AF_X25, libc::AF_XDP, libc::AF_RDS, 43, 65535] {
        assert_eq!(decode(&bytes(family), 0), None, "{family}");
    }
    for protocol in [-1, 4, 5, 6, 7, 8, 255] {
        assert_eq!(decode(&bytes(libc::AF_BLUETOOTH), protocol), None);
    }
    assert_eq!(decode(&[], 0), None);
    assert_eq!(decode(&[1], 0), None);
}

#[test]
fn what_does_not_fit_is_not_encoded() {
    let alg = |kind, name| {
        let fields = alg::Fields {
            kind,
            name,
            features: 0,
            mask: 0,
        };
        Address::Alg(fields).encode().is_some()
    };
    assert!(alg(&[b'a'; 13], &[b'b'; 63]));
    assert!(!alg(&[b'a'; 14], b"b"));
    assert!(!alg(b"a", &[b'b'; 64]));
    assert!(!alg(b"a\0", b"b"));
    assert!(!alg(b"a", b"b\0b"));
    let packet = |address| {
        let fields = packet::Fields {
            protocol: 0,
            interface: 0,
            hardware: 0,
            packet: 0,
            address,
        };
        Address::Packet(fields).encode().is_some()
    };
    assert!(packet(&[1; 8]));
    assert!(!packet(&[1; 9]));
    let unix = |name| Address::Unix(name).encode().is_some();
    assert!(unix(unix::Name::Path(&[b'a'; 107])));
    assert!(!unix(unix::Name::Path(&[b'a'; 108])));
    assert!(!unix(unix::Name::Path(b"\0a")));
    assert!(!unix(unix::Name::Path(b"a\0b")));
    assert!(unix(unix::Name::Abstract(&[0; 108])));
    assert!(!unix(unix::Name::Abstract(&[0; 109])));
    assert!(!unix(unix::Name::Abstract(b"a")));
}

#[test]
fn a_length_beyond_the_storage_is_cut() {
    let mut address = from_bytes(&[1; CAPACITY]);
    // SAFETY: `as_bytes`, the only reader here, cuts the length down again.
    unsafe { address.set_length(CAPACITY as u32 + 1000) };
    assert_eq!(as_bytes(&address).len(), CAPACITY);
}

#[test]
fn an_empty_address_has_no_family() {
    assert_eq!(family(as_bytes(&from_bytes(&[]))), None);
    assert_eq!(family(&[7]), None);
    assert_eq!(family(&libc::AF_UNIX.to_ne_bytes()), Some(libc::AF_UNIX));
}

//! Checks of `rustpython_reactor::sockaddr`: addresses of any family as a kernel, or anybody, may lay them out.

use std::net::{Ipv4Addr, Ipv6Addr};

use arbitrary::{Arbitrary, Unstructured};
use rustpython_reactor::sockaddr::{
    Address, alg, as_bytes, bluetooth, can, decode, inet, inet6, netlink, packet, qipcrtr, tipc,
    unix, vsock,
};

/// One more than the largest protocol that an address depends on, `CAN_J1939`.
const PROTOCOLS: u8 = 8;

/// What Python code may ask for, of each family.
#[derive(Arbitrary, Clone, Debug)]
pub enum Given {
    Inet(Ipv4Addr, u16),
    Inet6(Ipv6Addr, u16, u32, u32),
    Path(Vec<u8>),
    Abstract(Vec<u8>),
    Netlink(u32, u32),
    Packet(u16, i32, u16, u8, Vec<u8>),
    Vsock(u32, u32),
    CanBus(i32),
    CanIsotp(i32, u32, u32),
    CanJ1939(i32, u64, u32, u8),
    Alg(Vec<u8>, Vec<u8>, u32, u32),
    Tipc(u8, i8, [u32; 3]),
    Qipcrtr(u32, u32),
    L2cap([u8; 6], u16, u16, u8),
    Hci(u16, u16),
    Sco([u8; 6]),
    Rfcomm([u8; 6], u8),
}

impl Given {
    fn address(&self) -> Address<'_> {
        let can = |interface, endpoint| {
            Address::Can(can::Fields {
                interface,
                endpoint,
            })
        };
        let device = bluetooth::DeviceAddress;
        match *self {
            Self::Inet(ip, port) => Address::Inet(inet::Fields { ip, port }),
            Self::Inet6(ip, port, flowinfo, scope_id) => Address::Inet6(inet6::Fields {
                ip,
                port,
                flowinfo,
                scope_id,
            }),
            Self::Path(ref path) => Address::Unix(unix::Name::Path(path)),
            Self::Abstract(ref name) => Address::Unix(unix::Name::Abstract(name)),
            Self::Netlink(pid, groups) => Address::Netlink(netlink::Fields { pid, groups }),
            Self::Packet(protocol, interface, hardware, packet, ref address) => {
                Address::Packet(packet::Fields {
                    protocol,
                    interface,
                    hardware,
                    packet,
                    address,
                })
            }
            Self::Vsock(cid, port) => Address::Vsock(vsock::Fields { cid, port }),
            Self::CanBus(interface) => can(interface, can::Endpoint::Bus),
            Self::CanIsotp(interface, rx_id, tx_id) => {
                can(interface, can::Endpoint::Isotp { rx_id, tx_id })
            }
            Self::CanJ1939(interface, name, pgn, address) => {
                can(interface, can::Endpoint::J1939 { name, pgn, address })
            }
            Self::Alg(ref kind, ref name, features, mask) => Address::Alg(alg::Fields {
                kind,
                name,
                features,
                mask,
            }),
            Self::Tipc(kind, scope, words) => Address::Tipc(tipc::Fields { kind, scope, words }),
            Self::Qipcrtr(node, port) => Address::Qipcrtr(qipcrtr::Fields { node, port }),
            Self::L2cap(bytes, psm, cid, device_kind) => {
                Address::Bluetooth(bluetooth::Fields::L2cap {
                    device: device(bytes),
                    psm,
                    cid,
                    device_kind,
                })
            }
            Self::Hci(adapter, channel) => {
                Address::Bluetooth(bluetooth::Fields::Hci { adapter, channel })
            }
            Self::Sco(bytes) => Address::Bluetooth(bluetooth::Fields::Sco {
                device: device(bytes),
            }),
            Self::Rfcomm(bytes, channel) => Address::Bluetooth(bluetooth::Fields::Rfcomm {
                device: device(bytes),
                channel,
            }),
        }
    }
}

/// All checks on one input: its first byte as the protocol of an address of the others, and as the description of one.
pub fn check(input: &[u8]) {
    if let Some((&protocol, bytes)) = input.split_first() {
        parse(bytes, protocol);
    }
    if let Ok(given) = Unstructured::new(input).arbitrary() {
        build(&given);
    }
}

/// What arbitrary bytes are taken for lies within them, and comes back where it can be encoded.
pub fn parse(bytes: &[u8], protocol: u8) {
    let Some(address) = decode(bytes, i32::from(protocol % PROTOCOLS)) else {
        return;
    };
    let parts: [&[u8]; 2] = match address {
        Address::Unix(name) => [name.bytes(), &[]],
        Address::Packet(fields) => [fields.address, &[]],
        Address::Alg(fields) => [fields.kind, fields.name],
        _ => [&[], &[]],
    };
    let range = bytes.as_ptr_range();
    for part in parts.iter().filter(|part| !part.is_empty()) {
        let part = part.as_ptr_range();
        assert!(range.start <= part.start && part.end <= range.end);
    }
    round_trip(address);
}

/// What is asked for is refused or comes back.
pub fn build(given: &Given) {
    round_trip(given.address());
}

fn round_trip(address: Address<'_>) {
    let Some(encoded) = address.encode() else {
        return;
    };
    let bytes = as_bytes(&encoded);
    let again = decode(bytes, address.protocol());
    assert_eq!(again, Some(address));
    let twice = again.and_then(|again| again.encode());
    assert_eq!(twice.as_ref().map(as_bytes), Some(bytes));
}

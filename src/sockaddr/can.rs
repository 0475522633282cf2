//! AF_CAN, the kernel's Documentation/networking/can.rst: `struct sockaddr_can`, whose second half depends on the
//! protocol.

use std::mem::offset_of;

use libc::{__c_anonymous_sockaddr_can_j1939 as J1939, __c_anonymous_sockaddr_can_tp as Tp};
use socket2::SockAddr;

use super::{Layout, field, u32_at};

const SIZE: usize = size_of::<libc::sockaddr_can>();
const INTERFACE: usize = offset_of!(libc::sockaddr_can, can_ifindex);
const UNION: usize = offset_of!(libc::sockaddr_can, can_addr);
const RX_ID: usize = UNION + offset_of!(Tp, rx_id);
const TX_ID: usize = UNION + offset_of!(Tp, tx_id);
const NAME: usize = UNION + offset_of!(J1939, name);
const PGN: usize = UNION + offset_of!(J1939, pgn);
const ADDRESS: usize = UNION + offset_of!(J1939, addr);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fields {
    /// The interface's index; 0 for any.
    pub interface: i32,
    pub endpoint: Endpoint,
}

/// What an address names on its interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// The bus itself: CAN_RAW, CAN_BCM and all other protocols.
    Bus,
    /// CAN_ISOTP (ISO 15765-2): CAN identifiers with their flags.
    Isotp { rx_id: u32, tx_id: u32 },
    /// CAN_J1939 (SAE J1939): NAME, parameter group number, address on the bus.
    J1939 { name: u64, pgn: u32, address: u8 },
}

impl Fields {
    /// A protocol with this kind of endpoint.
    pub fn protocol(&self) -> i32 {
        match self.endpoint {
            Endpoint::Bus => libc::CAN_RAW,
            Endpoint::Isotp { .. } => libc::CAN_ISOTP,
            Endpoint::J1939 { .. } => libc::CAN_J1939,
        }
    }
}

pub fn encode(fields: Fields) -> SockAddr {
    let layout = Layout::<SIZE>::new(libc::AF_CAN).put(INTERFACE, &fields.interface.to_ne_bytes());
    let layout = match fields.endpoint {
        Endpoint::Bus => layout,
        Endpoint::Isotp { rx_id, tx_id } => layout
            .put(RX_ID, &rx_id.to_ne_bytes())
            .put(TX_ID, &tx_id.to_ne_bytes()),
        Endpoint::J1939 { name, pgn, address } => layout
            .put(NAME, &name.to_ne_bytes())
            .put(PGN, &pgn.to_ne_bytes())
            .put(ADDRESS, &[address]),
    };
    layout.address()
}

/// The kernel ends an address behind what its protocol needs.
pub fn decode(bytes: &[u8], protocol: i32) -> Option<Fields> {
    let endpoint = match protocol {
        libc::CAN_ISOTP => Endpoint::Isotp {
            rx_id: u32_at(bytes, RX_ID)?,
            tx_id: u32_at(bytes, TX_ID)?,
        },
        libc::CAN_J1939 => Endpoint::J1939 {
            name: u64::from_ne_bytes(field(bytes, NAME)?),
            pgn: u32_at(bytes, PGN)?,
            address: field::<1>(bytes, ADDRESS)?[0],
        },
        _ => Endpoint::Bus,
    };
    Some(Fields {
        interface: i32::from_ne_bytes(field(bytes, INTERFACE)?),
        endpoint,
    })
}

#[cfg(test)]
mod tests {
    use super::{Endpoint, Fields, Tp, decode, encode};
    use crate::sockaddr::{as_bytes, tests::bytes_of};

    fn check(endpoint: Endpoint, protocols: &[i32], fill: impl FnOnce(&mut libc::sockaddr_can)) {
        let fields = Fields {
            interface: 0x0102_0304,
            endpoint,
        };
        let bytes = bytes_of::<libc::sockaddr_can>(|address| {
            address.can_family = 29;
            address.can_ifindex = 0x0102_0304;
            fill(address);
        });
        assert_eq!(as_bytes(&encode(fields)), bytes);
        for protocol in protocols {
            assert_eq!(decode(&bytes, *protocol), Some(fields), "{protocol}");
        }
    }

    #[test]
    fn the_layout_is_the_kernels() {
        let others = [libc::CAN_RAW, libc::CAN_BCM, 3, 0, -1];
        check(Endpoint::Bus, &others, |_| {});
        let isotp = Endpoint::Isotp {
            rx_id: 0x8112_2334,
            tx_id: 0x8556_6778,
        };
        check(isotp, &[libc::CAN_ISOTP], |address| {
            address.can_addr.tp = Tp {
                rx_id: 0x8112_2334,
                tx_id: 0x8556_6778,
            };
        });
        let j1939 = Endpoint::J1939 {
            name: 0x0102_0304_0506_0708,
            pgn: 0x0003_ffff,
            address: 0xfe,
        };
        check(j1939, &[libc::CAN_J1939], |address| {
            // Field by field: the padding behind them stays zero.
            // SAFETY: any bytes are such a structure.
            let part = unsafe { &mut address.can_addr.j1939 };
            part.name = 0x0102_0304_0506_0708;
            part.pgn = 0x0003_ffff;
            part.addr = 0xfe;
        });
    }

    /// What CPython 3.14 passes to sendto(2) for `('lo', -1, -2, -3)`.
    #[test]
    #[cfg(target_endian = "little")]
    fn the_layout_is_cpythons() {
        let fields = Fields {
            interface: 1,
            endpoint: Endpoint::J1939 {
                name: u64::MAX,
                pgn: 0xffff_fffe,
                address: 0xfd,
            },
        };
        let bytes =
            b"\x1d\0\0\0\x01\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff\xfd\0\0\0";
        assert_eq!(as_bytes(&encode(fields)), bytes);
    }
}

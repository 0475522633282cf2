//! AF_PACKET, packet(7): `struct sockaddr_ll`.

use std::mem::offset_of;

use socket2::SockAddr;

use super::{Layout, field, u16_at};

const SIZE: usize = size_of::<libc::sockaddr_ll>();
const PROTOCOL: usize = offset_of!(libc::sockaddr_ll, sll_protocol);
const INTERFACE: usize = offset_of!(libc::sockaddr_ll, sll_ifindex);
const HARDWARE: usize = offset_of!(libc::sockaddr_ll, sll_hatype);
const PACKET: usize = offset_of!(libc::sockaddr_ll, sll_pkttype);
const LENGTH: usize = offset_of!(libc::sockaddr_ll, sll_halen);
const ADDRESS: usize = offset_of!(libc::sockaddr_ll, sll_addr);

/// The longest link-layer address that the structure has room for.
pub const ADDRESS_MAX: usize = SIZE - ADDRESS;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fields<'a> {
    /// `ETH_P_*`, in host byte order.
    pub protocol: u16,
    /// The interface's index; 0 for any.
    pub interface: i32,
    /// `ARPHRD_*`.
    pub hardware: u16,
    /// `PACKET_HOST`, `PACKET_OUTGOING`, ...
    pub packet: u8,
    /// The link-layer address.
    pub address: &'a [u8],
}

/// None if the link-layer address is longer than [`ADDRESS_MAX`].
pub fn encode(fields: Fields<'_>) -> Option<SockAddr> {
    let length = fields.address.len();
    if length > ADDRESS_MAX {
        return None;
    }
    let address = Layout::<SIZE>::new(libc::AF_PACKET)
        .put(PROTOCOL, &fields.protocol.to_be_bytes())
        .put(INTERFACE, &fields.interface.to_ne_bytes())
        .put(HARDWARE, &fields.hardware.to_ne_bytes())
        .put(PACKET, &[fields.packet])
        .put(LENGTH, &[length as u8])
        .put(ADDRESS, fields.address)
        .address();
    Some(address)
}

/// The kernel leaves the unused part of the link-layer address away, and gives more than the structure has room for
/// where the hardware's addresses are longer (InfiniBand). Of those that end early, what is there counts.
pub fn decode(bytes: &[u8]) -> Option<Fields<'_>> {
    let [length] = field(bytes, LENGTH)?;
    let address = bytes.get(ADDRESS..)?;
    Some(Fields {
        protocol: u16::from_be_bytes(field(bytes, PROTOCOL)?),
        interface: i32::from_ne_bytes(field(bytes, INTERFACE)?),
        hardware: u16_at(bytes, HARDWARE)?,
        packet: field::<1>(bytes, PACKET)?[0],
        address: address.get(..usize::from(length)).unwrap_or(address),
    })
}

#[cfg(test)]
mod tests {
    use super::{Fields, decode, encode};
    use crate::sockaddr::{as_bytes, tests::bytes_of};

    const FIELDS: Fields<'_> = Fields {
        protocol: 0x0806,
        interface: 0x0102_0304,
        hardware: 0xfffe,
        packet: 0x2c,
        address: &[0x31, 0x32, 0x33, 0x34, 0x35, 0x36],
    };

    #[test]
    fn the_layout_is_the_kernels() {
        let bytes = bytes_of::<libc::sockaddr_ll>(|address| {
            address.sll_family = 17;
            address.sll_protocol = 0x0806_u16.to_be();
            address.sll_ifindex = 0x0102_0304;
            address.sll_hatype = 0xfffe;
            address.sll_pkttype = 0x2c;
            address.sll_halen = 6;
            address.sll_addr = [0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0, 0];
        });
        let encoded = encode(FIELDS).expect("6 bytes fit");
        assert_eq!(as_bytes(&encoded), bytes);
        assert_eq!(decode(&bytes), Some(FIELDS));
        // As getsockname(2) returns it.
        assert_eq!(decode(&bytes[..18]), Some(FIELDS));
    }

    #[test]
    fn the_link_layer_address_is_what_is_there() {
        let encoded = encode(FIELDS).expect("6 bytes fit");
        let mut bytes = as_bytes(&encoded).to_vec();
        let link = |bytes: &[u8]| decode(bytes).map(|fields| fields.address.to_vec());
        assert_eq!(link(&bytes[..15]), Some(b"123".to_vec()));
        assert_eq!(link(&bytes[..12]), Some(vec![]));
        assert_eq!(link(&bytes[..11]), None);
        // InfiniBand's addresses have 20 bytes.
        bytes[super::LENGTH] = 20;
        assert_eq!(link(&bytes), Some(b"123456\0\0".to_vec()));
        bytes.resize(12 + 24, 7);
        assert_eq!(link(&bytes).map(|link| link.len()), Some(20));
    }
}

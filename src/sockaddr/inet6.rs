//! AF_INET6, ipv6(7): `struct sockaddr_in6`.

use std::{
    mem::offset_of,
    net::{Ipv6Addr, SocketAddrV6},
};

use socket2::SockAddr;

use super::{field, u32_at};

const PORT: usize = offset_of!(libc::sockaddr_in6, sin6_port);
const FLOWINFO: usize = offset_of!(libc::sockaddr_in6, sin6_flowinfo);
const ADDRESS: usize = offset_of!(libc::sockaddr_in6, sin6_addr);
const SCOPE_ID: usize = offset_of!(libc::sockaddr_in6, sin6_scope_id);

/// All in host byte order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fields {
    pub ip: Ipv6Addr,
    pub port: u16,
    /// Traffic class and flow label.
    pub flowinfo: u32,
    /// The index of the interface that a link-local address is on.
    pub scope_id: u32,
}

pub fn encode(fields: Fields) -> SockAddr {
    // The standard library takes and keeps the flow information in network byte order.
    let flowinfo = fields.flowinfo.to_be();
    SocketAddrV6::new(fields.ip, fields.port, flowinfo, fields.scope_id).into()
}

/// None if the bytes end before the fields. The scope may be missing, as in RFC 2133's shorter structure, which Linux
/// still knows.
pub fn decode(bytes: &[u8]) -> Option<Fields> {
    Some(Fields {
        ip: field::<16>(bytes, ADDRESS)?.into(),
        port: u16::from_be_bytes(field(bytes, PORT)?),
        flowinfo: u32::from_be_bytes(field(bytes, FLOWINFO)?),
        scope_id: u32_at(bytes, SCOPE_ID).unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use std::{mem::offset_of, net::Ipv6Addr};

    use super::{Fields, decode, encode};
    use crate::sockaddr::as_bytes;

    const IP: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 1, 2, 3, 4, 5, 6);

    fn fields(port: u16, flowinfo: u32, scope_id: u32) -> Fields {
        Fields {
            ip: IP,
            port,
            flowinfo,
            scope_id,
        }
    }

    #[test]
    fn the_layout_is_the_kernels() {
        let address = encode(fields(0x1234, 0x5_6789, 0x0102_0304));
        let mut bytes = [0; size_of::<libc::sockaddr_in6>()];
        let mut put = |at: usize, data: &[u8]| bytes[at..][..data.len()].copy_from_slice(data);
        put(0, &(libc::AF_INET6 as u16).to_ne_bytes());
        put(offset_of!(libc::sockaddr_in6, sin6_port), &[0x12, 0x34]);
        put(
            offset_of!(libc::sockaddr_in6, sin6_flowinfo),
            &[0, 5, 0x67, 0x89],
        );
        put(offset_of!(libc::sockaddr_in6, sin6_addr), &IP.octets());
        put(
            offset_of!(libc::sockaddr_in6, sin6_scope_id),
            &0x0102_0304_u32.to_ne_bytes(),
        );
        assert_eq!(as_bytes(&address), bytes);
    }

    #[test]
    fn addresses_come_back() {
        for (port, flowinfo, scope_id) in [(0, 0, 0), (65535, 0xf_ffff, u32::MAX), (1, 2, 3)] {
            let fields = fields(port, flowinfo, scope_id);
            assert_eq!(decode(as_bytes(&encode(fields))), Some(fields));
        }
    }

    #[test]
    fn an_address_without_scope_has_scope_0() {
        let address = encode(fields(80, 0, 7));
        assert_eq!(decode(&as_bytes(&address)[..24]), Some(fields(80, 0, 0)));
        assert_eq!(decode(&as_bytes(&address)[..23]), None);
    }
}

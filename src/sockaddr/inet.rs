//! AF_INET, ip(7): `struct sockaddr_in`.

use std::{
    mem::offset_of,
    net::{Ipv4Addr, SocketAddrV4},
};

use socket2::SockAddr;

use super::field;

const PORT: usize = offset_of!(libc::sockaddr_in, sin_port);
const ADDRESS: usize = offset_of!(libc::sockaddr_in, sin_addr);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fields {
    pub ip: Ipv4Addr,
    /// In host byte order.
    pub port: u16,
}

pub fn encode(Fields { ip, port }: Fields) -> SockAddr {
    SocketAddrV4::new(ip, port).into()
}

/// None if the bytes end before address and port. The padding behind them may be missing.
pub fn decode(bytes: &[u8]) -> Option<Fields> {
    Some(Fields {
        ip: field::<4>(bytes, ADDRESS)?.into(),
        port: u16::from_be_bytes(field(bytes, PORT)?),
    })
}

/// A dotted quad. `Ipv4Addr`'s own formatting costs more than the system call that an address comes with.
#[derive(Clone, Copy, Debug)]
pub struct Quad {
    text: [u8; 15],
    length: usize,
}

impl Quad {
    pub fn new(ip: Ipv4Addr) -> Self {
        let mut quad = Self {
            text: [b'.'; 15],
            length: 0,
        };
        for (index, octet) in ip.octets().into_iter().enumerate() {
            quad.length += usize::from(index > 0);
            if octet >= 100 {
                quad.push(octet / 100);
            }
            if octet >= 10 {
                quad.push(octet / 10 % 10);
            }
            quad.push(octet % 10);
        }
        quad
    }

    fn push(&mut self, digit: u8) {
        if let Some(place) = self.text.get_mut(self.length) {
            *place = b'0' + digit;
            self.length += 1;
        }
    }

    pub fn as_str(&self) -> &str {
        let text = self.text.get(..self.length).unwrap_or_default();
        str::from_utf8(text).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::{mem::offset_of, net::Ipv4Addr};

    use super::{Fields, Quad, decode, encode};
    use crate::sockaddr::as_bytes;

    #[test]
    fn the_layout_is_the_kernels() {
        let address = encode(Fields {
            ip: Ipv4Addr::new(192, 0, 2, 33),
            port: 0x1234,
        });
        let mut bytes = [0; size_of::<libc::sockaddr_in>()];
        bytes[..2].copy_from_slice(&(libc::AF_INET as u16).to_ne_bytes());
        bytes[offset_of!(libc::sockaddr_in, sin_port)..][..2].copy_from_slice(&[0x12, 0x34]);
        bytes[offset_of!(libc::sockaddr_in, sin_addr)..][..4].copy_from_slice(&[192, 0, 2, 33]);
        assert_eq!(as_bytes(&address), bytes);
    }

    #[test]
    fn addresses_come_back() {
        for (ip, port) in [
            (Ipv4Addr::UNSPECIFIED, 0),
            (Ipv4Addr::BROADCAST, 65535),
            (Ipv4Addr::LOCALHOST, 80),
            (Ipv4Addr::new(1, 2, 3, 4), 258),
        ] {
            let fields = Fields { ip, port };
            assert_eq!(decode(as_bytes(&encode(fields))), Some(fields));
        }
    }

    #[test]
    fn quads_are_spelled_as_std_does() {
        for octet in 0..=255 {
            for ip in [
                Ipv4Addr::new(octet, 255, 0, 10),
                Ipv4Addr::new(100, 9, octet, octet),
                Ipv4Addr::new(255, 255, 255, octet),
            ] {
                assert_eq!(Quad::new(ip).as_str(), ip.to_string());
            }
        }
    }

    #[test]
    fn the_padding_is_not_needed() {
        let fields = Fields {
            ip: Ipv4Addr::LOCALHOST,
            port: 80,
        };
        let address = encode(fields);
        assert_eq!(decode(&as_bytes(&address)[..8]), Some(fields));
        assert_eq!(decode(&as_bytes(&address)[..7]), None);
    }
}

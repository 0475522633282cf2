//! AF_INET, ip(7): `(host, port)` and `struct sockaddr_in`.

use std::net::{Ipv4Addr, SocketAddrV4};

use rustpython_vm::{PyObject, PyObjectRef, PyResult, VirtualMachine};
use socket2::SockAddr;

use super::Host;

/// Where `sin_addr` begins.
const ADDRESS: usize = std::mem::offset_of!(libc::sockaddr_in, sin_addr);

pub(super) fn parse(vm: &VirtualMachine, address: &PyObject, caller: &str) -> PyResult<SockAddr> {
    let [host, port] = super::tuple(vm, address, caller, "AF_INET")? else {
        return Err(vm.new_type_error("AF_INET address must be a pair (host, port)"));
    };
    let host = Host::new(vm, host, numeric)?;
    let port = super::port_argument(vm, port, caller)?;
    let ip = host.address(vm, libc::AF_INET, |found| Some(decode(found)?.0))?;
    let port = super::checked_port(vm, port, caller)?;
    Ok(SocketAddrV4::new(ip, port).into())
}

/// `(host, port)`, or None if the address is too short.
pub(super) fn to_python(vm: &VirtualMachine, bytes: &[u8]) -> Option<PyObjectRef> {
    let (ip, port) = decode(bytes)?;
    let parts: Vec<PyObjectRef> = vec![
        vm.ctx.new_str(ip.to_string()).into(),
        vm.ctx.new_int(port).into(),
    ];
    Some(vm.ctx.new_tuple(parts).into())
}

/// The address of a dotted quad. Shorter and non-decimal forms such as `127.1` are left to the look-up.
fn numeric(host: &str) -> Option<Ipv4Addr> {
    host.parse().ok()
}

/// Address and port, or None if the bytes end before them.
pub(super) fn decode(bytes: &[u8]) -> Option<(Ipv4Addr, u16)> {
    let ip: [u8; 4] = *bytes.get(ADDRESS..)?.first_chunk()?;
    Some((ip.into(), super::port(bytes)?))
}

#[cfg(test)]
mod tests {
    use std::{
        mem::offset_of,
        net::{Ipv4Addr, SocketAddrV4},
    };

    use socket2::SockAddr;

    use super::{decode, numeric};
    use crate::socket_type::address::as_bytes;

    #[test]
    fn the_layout_is_the_kernels() {
        let address: SockAddr = SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 33), 0x1234).into();
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
            let address: SockAddr = SocketAddrV4::new(ip, port).into();
            assert_eq!(decode(as_bytes(&address)), Some((ip, port)));
        }
    }

    #[test]
    fn numeric_hosts() {
        assert_eq!(numeric("255.255.255.255"), Some(Ipv4Addr::BROADCAST));
        assert_eq!(numeric("127.0.0.1"), Some(Ipv4Addr::LOCALHOST));
        for host in [
            "",
            "127.1",
            "0x7f.0.0.1",
            "010.0.0.1",
            "1.2.3.4 ",
            "1.2.3",
            "1.2.3.256",
            "localhost",
            "::1",
            "1.2.3.4\0",
            "\u{661}.2.3.4",
        ] {
            assert_eq!(numeric(host), None, "{host}");
        }
    }
}

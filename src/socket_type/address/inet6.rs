//! AF_INET6, ipv6(7): `(host, port[, flowinfo[, scope_id]])` and `struct sockaddr_in6`.

use std::{
    mem::offset_of,
    net::{Ipv4Addr, Ipv6Addr, SocketAddrV6},
};

use rustpython_vm::{PyObject, PyObjectRef, PyResult, VirtualMachine};
use socket2::SockAddr;

use super::Host;

const FLOWINFO: usize = offset_of!(libc::sockaddr_in6, sin6_flowinfo);
const ADDRESS: usize = offset_of!(libc::sockaddr_in6, sin6_addr);
const SCOPE_ID: usize = offset_of!(libc::sockaddr_in6, sin6_scope_id);

/// The largest flow label, RFC 8200 section 3: 20 bits.
const FLOWINFO_MAX: u32 = 0xf_ffff;

pub(super) fn parse(vm: &VirtualMachine, address: &PyObject, caller: &str) -> PyResult<SockAddr> {
    let (host, port, flowinfo, scope_id) = match super::tuple(vm, address, caller, "AF_INET6")? {
        [host, port] => (host, port, None, None),
        [host, port, flowinfo] => (host, port, Some(flowinfo), None),
        [host, port, flowinfo, scope_id] => (host, port, Some(flowinfo), Some(scope_id)),
        _ => {
            return Err(vm.new_type_error(
                "AF_INET6 address must be a tuple (host, port[, flowinfo[, scopeid]])",
            ));
        }
    };
    let host = Host::new(vm, host, numeric)?;
    let port = super::port_argument(vm, port, caller)?;
    let flowinfo = flowinfo.map_or(Ok(0), |number| masked(vm, number))?;
    let scope_id = scope_id.map(|number| masked(vm, number)).transpose()?;
    let (ip, found_scope) = host.address(vm, libc::AF_INET6, |found| {
        decode(found).map(|found| (found.ip, found.scope_id))
    })?;
    let port = super::checked_port(vm, port, caller)?;
    if flowinfo > FLOWINFO_MAX {
        return Err(vm.new_overflow_error(format!("{caller}(): flowinfo must be 0-1048575.")));
    }
    // CPython drops the scope of `fe80::1%eth0` unless the tuple repeats it, and the call then fails with EINVAL.
    let scope_id = scope_id.unwrap_or(found_scope);
    Ok(encode(ip, port, flowinfo, scope_id))
}

/// An `unsigned int` argument as CPython takes it: the low 32 bits of any integer.
fn masked(vm: &VirtualMachine, number: &PyObject) -> PyResult<u32> {
    Ok(number.try_index(vm)?.as_u32_mask())
}

/// `(host, port, flowinfo, scope_id)`, or None if the address is too short. The host has no `%scope`: that is the
/// last element.
pub(super) fn to_python(vm: &VirtualMachine, bytes: &[u8]) -> Option<PyObjectRef> {
    let address = decode(bytes)?;
    let parts: Vec<PyObjectRef> = vec![
        vm.ctx.new_str(text(address.ip)).into(),
        vm.ctx.new_int(address.port).into(),
        vm.ctx.new_int(address.flowinfo).into(),
        vm.ctx.new_int(address.scope_id).into(),
    ];
    Some(vm.ctx.new_tuple(parts).into())
}

/// A numeric address and its scope, which is 0: an address with `%scope` is left to the look-up.
fn numeric(host: &str) -> Option<(Ipv6Addr, u32)> {
    host.parse().ok().map(|ip| (ip, 0))
}

/// The fields of an address, in host byte order.
#[derive(Debug, PartialEq)]
pub(super) struct Fields {
    ip: Ipv6Addr,
    port: u16,
    flowinfo: u32,
    scope_id: u32,
}

fn encode(ip: Ipv6Addr, port: u16, flowinfo: u32, scope_id: u32) -> SockAddr {
    // The standard library takes and keeps the flow information in network byte order.
    SocketAddrV6::new(ip, port, flowinfo.to_be(), scope_id).into()
}

/// The fields, or None if the bytes end before them. The scope may be missing, as in RFC 2133's shorter structure,
/// which Linux still knows.
pub(super) fn decode(bytes: &[u8]) -> Option<Fields> {
    let flowinfo: [u8; 4] = *bytes.get(FLOWINFO..)?.first_chunk()?;
    let ip: [u8; 16] = *bytes.get(ADDRESS..)?.first_chunk()?;
    let scope_id = bytes.get(SCOPE_ID..).and_then(|rest| rest.first_chunk());
    Some(Fields {
        ip: ip.into(),
        port: super::port(bytes)?,
        flowinfo: u32::from_be_bytes(flowinfo),
        scope_id: scope_id.map_or(0, |scope_id| u32::from_ne_bytes(*scope_id)),
    })
}

/// The address as glibc's inet_ntop(3) writes it. It differs from the standard library's form in the IPv4-compatible
/// addresses, which end in a dotted quad.
fn text(ip: Ipv6Addr) -> String {
    match ip.segments() {
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => {
            let quad = Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
            format!("::{quad}")
        }
        _ => ip.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::{mem::offset_of, net::Ipv6Addr};

    use super::{Fields, decode, encode, numeric, text};
    use crate::socket_type::address::as_bytes;

    const IP: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 1, 2, 3, 4, 5, 6);

    #[test]
    fn the_layout_is_the_kernels() {
        let address = encode(IP, 0x1234, 0x5_6789, 0x0102_0304);
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
            let address = encode(IP, port, flowinfo, scope_id);
            let fields = Fields {
                ip: IP,
                port,
                flowinfo,
                scope_id,
            };
            assert_eq!(decode(as_bytes(&address)), Some(fields));
        }
    }

    #[test]
    fn an_address_without_scope_has_scope_0() {
        let address = encode(IP, 80, 0, 7);
        let decoded = decode(&as_bytes(&address)[..24]);
        let fields = Fields {
            ip: IP,
            port: 80,
            flowinfo: 0,
            scope_id: 0,
        };
        assert_eq!(decoded, Some(fields));
        assert_eq!(decode(&as_bytes(&address)[..23]), None);
    }

    #[test]
    fn text_is_that_of_glibc() {
        for (address, expected) in [
            ("::", "::"),
            ("::1", "::1"),
            ("1::", "1::"),
            ("::1.2.3.4", "::1.2.3.4"),
            ("::1:0", "::0.1.0.0"),
            ("::ffff:1.2.3.4", "::ffff:1.2.3.4"),
            ("::ffff:0.0.0.0", "::ffff:0.0.0.0"),
            ("::ffff:0:1.2.3.4", "::ffff:0:102:304"),
            ("64:ff9b::1.2.3.4", "64:ff9b::102:304"),
            ("0:0:0:0:0:fffe:1:2", "::fffe:1:2"),
            ("1:0:0:2:0:0:0:3", "1:0:0:2::3"),
            ("0:0:1:0:0:2:3:4", "::1:0:0:2:3:4"),
            ("1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"),
        ] {
            let ip: Ipv6Addr = address.parse().expect("a test's own address");
            assert_eq!(text(ip), expected);
        }
    }

    #[test]
    fn numeric_hosts() {
        assert_eq!(numeric("::1"), Some((Ipv6Addr::LOCALHOST, 0)));
        assert_eq!(numeric("2001:db8:1:2:3:4:5:6"), Some((IP, 0)));
        for host in [
            "",
            "fe80::1%lo",
            "fe80::1%1",
            "[::1]",
            "127.0.0.1",
            "::1\0",
            "1::2::3",
            "::g",
            ":",
        ] {
            assert_eq!(numeric(host), None, "{host}");
        }
    }
}

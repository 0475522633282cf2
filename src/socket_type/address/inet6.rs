//! AF_INET6, ipv6(7): `(host, port[, flowinfo[, scope_id]])`.

use std::net::{Ipv4Addr, Ipv6Addr};

use rustpython_vm::{PyObject, PyObjectRef, PyResult, VirtualMachine};
use socket2::SockAddr;

use super::{
    arguments::{self, unsigned_int},
    host::{Host, checked_port, constant_host, constant_number, port_argument},
};
use crate::sockaddr::inet6::{Fields, decode, encode};

/// The largest flow label, RFC 8200 section 3: 20 bits.
pub(super) const FLOWINFO_MAX: u32 = 0xf_ffff;

pub(super) fn parse(vm: &VirtualMachine, address: &PyObject, caller: &str) -> PyResult<SockAddr> {
    let what = format_args!("{caller}(): AF_INET6");
    let (host, port, flowinfo, scope_id) = match arguments::tuple(vm, address, what)? {
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
    let port = port_argument(vm, port, caller)?;
    let flowinfo = flowinfo.map_or(Ok(0), |number| unsigned_int(vm, number))?;
    let scope_id = scope_id
        .map(|number| unsigned_int(vm, number))
        .transpose()?;
    let (ip, found_scope) = host.address(vm, libc::AF_INET6, |found| {
        decode(found).map(|found| (found.ip, found.scope_id))
    })?;
    let port = checked_port(vm, port, caller)?;
    if flowinfo > FLOWINFO_MAX {
        return Err(vm.new_overflow_error(format!("{caller}(): flowinfo must be 0-1048575.")));
    }
    Ok(encode(Fields {
        ip,
        port,
        flowinfo,
        // CPython drops the scope of `fe80::1%eth0` unless the tuple repeats it, and the call then fails with EINVAL.
        scope_id: scope_id.unwrap_or(found_scope),
    }))
}

/// As the one of AF_INET.
pub(super) fn constant(vm: &VirtualMachine, elements: &[PyObjectRef]) -> Option<SockAddr> {
    let [host, port, rest @ ..] = elements else {
        return None;
    };
    let (ip, own_scope) = constant_host(vm, host, numeric)?;
    let number = |number| constant_number::<u32>(vm, number);
    let (flowinfo, scope_id) = match rest {
        [] => (0, own_scope),
        [flowinfo] => (number(flowinfo)?, own_scope),
        [flowinfo, scope_id] => (number(flowinfo)?, number(scope_id)?),
        _ => return None,
    };
    let port = constant_number(vm, port)?;
    (flowinfo <= FLOWINFO_MAX).then(|| {
        encode(Fields {
            ip,
            port,
            flowinfo,
            scope_id,
        })
    })
}

/// `(host, port, flowinfo, scope_id)`. The host has no `%scope`: that is the last element.
pub(super) fn to_python(vm: &VirtualMachine, fields: Fields) -> PyObjectRef {
    let Fields {
        ip,
        port,
        flowinfo,
        scope_id,
    } = fields;
    vm.new_tuple((text(ip), port, flowinfo, scope_id)).into()
}

/// A numeric address and its scope, which is 0: an address with `%scope` is left to the look-up.
fn numeric(host: &str) -> Option<(Ipv6Addr, u32)> {
    host.parse().ok().map(|ip| (ip, 0))
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
    use std::net::Ipv6Addr;

    use super::{numeric, text};

    const IP: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 1, 2, 3, 4, 5, 6);

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

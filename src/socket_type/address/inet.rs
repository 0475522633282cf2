//! AF_INET, ip(7): `(host, port)`. RDS, rds(7), has the same.

use std::net::Ipv4Addr;

use rustpython_vm::{PyObject, PyObjectRef, PyResult, VirtualMachine};
use socket2::SockAddr;

use super::{
    arguments,
    host::{Host, checked_port, constant_host, constant_number, port_argument},
};
use crate::sockaddr::inet::{Fields, Quad, decode, encode};

pub(super) fn parse(vm: &VirtualMachine, address: &PyObject, caller: &str) -> PyResult<SockAddr> {
    let what = format_args!("{caller}(): AF_INET");
    let [host, port] = arguments::tuple(vm, address, what)? else {
        return Err(vm.new_type_error("AF_INET address must be a pair (host, port)"));
    };
    let host = Host::new(vm, host, numeric)?;
    let port = port_argument(vm, port, caller)?;
    let ip = host.address(vm, libc::AF_INET, |found| Some(decode(found)?.ip))?;
    let port = checked_port(vm, port, caller)?;
    Ok(encode(Fields { ip, port }))
}

/// The address of a tuple's elements if they never stand for another: a numeric host, and classes that nobody has derived.
pub(super) fn constant(vm: &VirtualMachine, elements: &[PyObjectRef]) -> Option<SockAddr> {
    let [host, port] = elements else {
        return None;
    };
    Some(encode(Fields {
        ip: constant_host(vm, host, numeric)?,
        port: constant_number(vm, port)?,
    }))
}

pub(super) fn to_python(vm: &VirtualMachine, fields: Fields) -> PyObjectRef {
    vm.new_tuple((Quad::new(fields.ip).as_str(), fields.port))
        .into()
}

/// The address of a dotted quad. Shorter and non-decimal forms such as `127.1` are left to the look-up.
fn numeric(host: &str) -> Option<Ipv4Addr> {
    host.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::numeric;

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

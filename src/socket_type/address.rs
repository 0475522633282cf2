//! Addresses: between the objects that Python programs pass and the structures of the kernel.
//!
//! A family has a file of its own, which takes a Python object apart and builds one. The bytes are the business of
//! [`crate::sockaddr`]. A new family is a file there and one here, an arm in [`parse`] and one in [`from_kernel`].

use rustpython_vm::{PyObject, PyResult, VirtualMachine};
use socket2::SockAddr;

use super::PySocket;
use crate::sockaddr::{self, Address, FAMILY_SIZE, as_bytes};

mod alg;
mod arguments;
mod bluetooth;
mod can;
mod host;
mod inet;
mod inet6;
mod interfaces;
mod netlink;
mod packet;
#[cfg(all(test, feature = "cli"))]
mod python_tests;
mod qipcrtr;
mod tipc;
mod unix;
mod vsock;

pub(super) use self::arguments::unsigned_long;

/// The socket address that `address` stands for in this socket, which may be closed.
///
/// `caller` is the method's name, for messages. A host name is resolved, which can block and run signal handlers; the
/// name of an interface is one in the socket's network namespace.
///
/// # Errors
///
/// CPython's: TypeError for a wrong type, OverflowError for a number out of range, OSError for a path that is too long,
/// for a Bluetooth address of the wrong form, for an interface that does not exist and for a family without an address
/// form, and `gaierror` for a host that does not resolve.
pub(crate) fn parse(
    vm: &VirtualMachine,
    socket: &PySocket,
    address: &PyObject,
    caller: &str,
) -> PyResult<SockAddr> {
    match socket.family() {
        libc::AF_INET | libc::AF_RDS => inet::parse(vm, address, caller),
        libc::AF_INET6 => inet6::parse(vm, address, caller),
        libc::AF_UNIX => unix::parse(vm, address),
        libc::AF_NETLINK => netlink::parse(vm, address, caller),
        libc::AF_PACKET => packet::parse(vm, socket, address, caller),
        libc::AF_VSOCK => vsock::parse(vm, address),
        libc::AF_CAN => can::parse(vm, socket, address, caller),
        libc::AF_ALG => alg::parse(vm, address, caller),
        libc::AF_TIPC => tipc::parse(vm, address, caller),
        sockaddr::qipcrtr::AF_QIPCRTR => qipcrtr::parse(vm, address),
        libc::AF_BLUETOOTH => bluetooth::parse(vm, socket.proto(), address, caller),
        _ => Err(vm.new_os_error(format!("{caller}(): bad family"))),
    }
}

/// The Python form of an address that the kernel filled in for this socket.
///
/// An empty address, such as the sender's on a connected stream, is None. A family without a form of its own, and an
/// address too short for its family, become `(family, bytes after the family)`.
///
/// # Errors
///
/// ValueError for a TIPC address of an unknown kind.
pub(crate) fn from_kernel(vm: &VirtualMachine, socket: &PySocket, address: &SockAddr) -> PyResult {
    let bytes = as_bytes(address);
    let Some(family) = sockaddr::family(bytes) else {
        return Ok(vm.ctx.none());
    };
    let Some(address) = sockaddr::decode(bytes, socket.proto()) else {
        let data = bytes.get(FAMILY_SIZE..).unwrap_or_default().to_vec();
        return Ok(vm.new_tuple((family, vm.ctx.new_bytes(data))).into());
    };
    Ok(match address {
        Address::Inet(fields) => inet::to_python(vm, fields),
        Address::Inet6(fields) => inet6::to_python(vm, fields),
        Address::Unix(name) => unix::to_python(vm, name),
        Address::Netlink(fields) => netlink::to_python(vm, fields),
        Address::Packet(fields) => packet::to_python(vm, socket, fields),
        Address::Vsock(fields) => vsock::to_python(vm, fields),
        Address::Can(fields) => can::to_python(vm, socket, fields),
        Address::Alg(fields) => alg::to_python(vm, fields),
        Address::Tipc(fields) => tipc::to_python(vm, fields)?,
        Address::Qipcrtr(fields) => qipcrtr::to_python(vm, fields),
        Address::Bluetooth(fields) => bluetooth::to_python(vm, fields),
    })
}

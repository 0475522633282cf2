//! Addresses: between the objects that Python programs pass and the structures of the kernel.
//!
//! A family has a file of its own, which takes a Python object apart and builds one. The bytes are the business of
//! [`crate::sockaddr`]. A new family is a file there and one here, an arm in [`parse`] and one in [`from_kernel`].

use rustpython_vm::{PyObject, PyResult, VirtualMachine, builtins::PyTuple};
use socket2::SockAddr;

use super::{
    PySocket,
    peer_cache::{Bytes, is_internet},
};
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

/// Where `sendto` sends to.
pub(super) enum Receiver {
    /// As the same object has stood for before.
    Known(Bytes),
    New(SockAddr),
}

impl Receiver {
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Known(bytes) => bytes.get(),
            Self::New(address) => as_bytes(address),
        }
    }
}

/// [`parse`] for `sendto`. The object that stood for a numeric host last time is not taken apart again.
pub(super) fn parse_receiver(
    vm: &VirtualMachine,
    socket: &PySocket,
    address: &PyObject,
) -> PyResult<Receiver> {
    let family = socket.family();
    let known = socket.source.known_peers();
    if let Some(known) = known.and_then(|peers| peers.address(address))
        // The socket may have been initialised anew meanwhile, with another family.
        && sockaddr::family(known.get()) == Some(family)
    {
        return Ok(Receiver::Known(known));
    }
    let Some(tuple) = address.downcast_ref_if_exact::<PyTuple>(vm) else {
        return parse(vm, socket, address, "sendto").map(Receiver::New);
    };
    let constant = match family {
        libc::AF_INET => inet::constant(vm, tuple.as_slice()),
        libc::AF_INET6 => inet6::constant(vm, tuple.as_slice()),
        _ => None,
    };
    let Some(constant) = constant else {
        return parse(vm, socket, address, "sendto").map(Receiver::New);
    };
    let peers = socket.source.peers();
    peers.put_sent_to(as_bytes(&constant), tuple.to_owned());
    Ok(Receiver::New(constant))
}

/// [`from_kernel`] for who has sent a datagram: the same object as last time, if it is the same address.
pub(super) fn of_sender(vm: &VirtualMachine, socket: &PySocket, bytes: &[u8]) -> PyResult {
    if !is_internet(bytes) {
        return from_kernel_bytes(vm, socket, bytes);
    }
    let known = socket.source.known_peers();
    if let Some(known) = known.and_then(|peers| peers.object(bytes)) {
        return Ok(known);
    }
    let object = from_kernel_bytes(vm, socket, bytes)?;
    if let Ok(tuple) = object.clone().downcast_exact::<PyTuple>(vm)
        && is_accepted(bytes)
    {
        let peers = socket.source.peers();
        peers.put_heard_from(bytes, tuple.into_pyref());
    }
    Ok(object)
}

/// Whether the Python form of an address can be sent to.
fn is_accepted(bytes: &[u8]) -> bool {
    match sockaddr::decode(bytes, 0) {
        Some(Address::Inet(_)) => true,
        Some(Address::Inet6(fields)) => fields.flowinfo <= inet6::FLOWINFO_MAX,
        _ => false,
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
    from_kernel_bytes(vm, socket, as_bytes(address))
}

fn from_kernel_bytes(vm: &VirtualMachine, socket: &PySocket, bytes: &[u8]) -> PyResult {
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

//! AF_PACKET, packet(7): `(interface, protocol[, packet type[, hardware type[, link-layer address]]])`.

use std::ffi::CString;

use rustpython_vm::{PyObject, PyObjectRef, PyResult, TryFromBorrowedObject, VirtualMachine};
use socket2::SockAddr;

use super::{arguments, interfaces};
use crate::{
    memory::ReadMemory,
    sockaddr::packet::{ADDRESS_MAX, Fields, encode},
    socket_type::PySocket,
};

pub(super) fn parse(
    vm: &VirtualMachine,
    socket: &PySocket,
    address: &PyObject,
    caller: &str,
) -> PyResult<SockAddr> {
    let what = format_args!("{caller}(): AF_PACKET");
    let form = || vm.new_type_error("AF_PACKET address must be a tuple of two to five elements");
    let elements = arguments::tuple(vm, address, what)?;
    let ([interface, protocol], rest) = elements
        .split_first_chunk()
        .filter(|(_, rest)| rest.len() <= 3)
        .ok_or_else(form)?;
    let interface = arguments::text(vm, interface)?.ok_or_else(form)?;
    let number = |object: &PyObject| {
        let number = object.try_index(vm)?;
        i32::try_from(number.as_bigint()).map_err(|_| {
            vm.new_overflow_error(format!("{caller}(): address argument out of range"))
        })
    };
    let protocol = number(protocol)?;
    let packet = rest.first().map_or(Ok(0), |object| number(object))?;
    let hardware = rest.get(1).map_or(Ok(0), |object| number(object))?;
    let link = match rest.get(2) {
        Some(object) => ReadMemory::try_from_borrowed_object(vm, object)?
            .borrow()
            .to_vec(),
        None => Vec::new(),
    };

    let interface = interfaces::index(vm, socket, &cut(interface))?;
    let too_long = || vm.new_value_error("Hardware address must be 8 bytes or less");
    if link.len() > ADDRESS_MAX {
        return Err(too_long());
    }
    let Ok(protocol) = u16::try_from(protocol) else {
        return Err(vm.new_overflow_error(format!("{caller}(): proto must be 0-65535.")));
    };
    let fields = Fields {
        protocol,
        interface,
        // As in CPython, without a check of their ranges.
        hardware: hardware as u16,
        packet: packet as u8,
        address: &link,
    };
    encode(fields).ok_or_else(too_long)
}

/// As much of the name as an interface's can have: CPython drops the rest.
fn cut(interface: &str) -> CString {
    let longest = libc::IFNAMSIZ - 1;
    let name = interface.bytes().take(longest).collect::<Vec<_>>();
    // The argument has no NUL.
    CString::new(name).unwrap_or_default()
}

/// `(interface, protocol, packet type, hardware type, link-layer address)`.
pub(super) fn to_python(vm: &VirtualMachine, socket: &PySocket, fields: Fields<'_>) -> PyObjectRef {
    vm.new_tuple((
        interfaces::name(vm, socket, fields.interface),
        fields.protocol,
        fields.packet,
        fields.hardware,
        vm.ctx.new_bytes(fields.address.to_vec()),
    ))
    .into()
}

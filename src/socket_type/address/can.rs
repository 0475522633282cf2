//! AF_CAN, the kernel's Documentation/networking/can.rst. The name of an interface is `''` for any.
//!
//! CAN_RAW, CAN_BCM: `(interface,)`. CAN_ISOTP: `(interface, rx_id, tx_id)`. CAN_J1939: `(interface, name, pgn,
//! address)`.

use rustpython_vm::{PyObject, PyObjectRef, PyResult, VirtualMachine};
use socket2::SockAddr;

use super::{
    arguments::{self, file_system_text, unsigned_char, unsigned_int, unsigned_long},
    interfaces,
};
use crate::{
    sockaddr::can::{Endpoint, Fields, encode},
    socket_type::PySocket,
};

pub(super) fn parse(
    vm: &VirtualMachine,
    socket: &PySocket,
    address: &PyObject,
    caller: &str,
) -> PyResult<SockAddr> {
    let (interface, endpoint) = match socket.proto() {
        libc::CAN_RAW | libc::CAN_BCM => {
            let what = format_args!("{caller}(): AF_CAN");
            let [interface] = arguments::tuple(vm, address, what)? else {
                return Err(vm.new_type_error("AF_CAN address must be a tuple (interface, )"));
            };
            (file_system_text(vm, interface)?, Endpoint::Bus)
        }
        libc::CAN_ISOTP => {
            let [interface, rx_id, tx_id] = arguments::exactly(vm, address, "function")?;
            let interface = file_system_text(vm, interface)?;
            // Identifiers have 32 bits in the kernel; more are cut off, as in CPython.
            let endpoint = Endpoint::Isotp {
                rx_id: unsigned_long(vm, "argument 2", rx_id)? as u32,
                tx_id: unsigned_long(vm, "argument 3", tx_id)? as u32,
            };
            (interface, endpoint)
        }
        libc::CAN_J1939 => {
            let [interface, name, pgn, address] = arguments::exactly(vm, address, "function")?;
            let interface = file_system_text(vm, interface)?;
            let endpoint = Endpoint::J1939 {
                name: unsigned_long(vm, "argument 2", name)?,
                pgn: unsigned_int(vm, pgn)?,
                address: unsigned_char(vm, address)?,
            };
            (interface, endpoint)
        }
        _ => return Err(vm.new_os_error(format!("{caller}(): unsupported CAN protocol"))),
    };
    let interface = match interface.count_bytes() {
        0 => 0,
        1..libc::IFNAMSIZ => interfaces::index(vm, socket, &interface)?,
        _ => return Err(vm.new_os_error("AF_CAN interface name too long".to_owned())),
    };
    Ok(encode(Fields {
        interface,
        endpoint,
    }))
}

pub(super) fn to_python(vm: &VirtualMachine, socket: &PySocket, fields: Fields) -> PyObjectRef {
    let interface = interfaces::name(vm, socket, fields.interface);
    match fields.endpoint {
        Endpoint::Bus => vm.new_tuple((interface,)),
        Endpoint::Isotp { rx_id, tx_id } => vm.new_tuple((interface, rx_id, tx_id)),
        Endpoint::J1939 { name, pgn, address } => vm.new_tuple((interface, name, pgn, address)),
    }
    .into()
}

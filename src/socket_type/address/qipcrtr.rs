//! AF_QIPCRTR, Qualcomm's IPC router: `(node, port)`.

use rustpython_vm::{PyObject, PyObjectRef, PyResult, VirtualMachine};
use socket2::SockAddr;

use super::arguments::{self, unsigned_int};
use crate::sockaddr::qipcrtr::{Fields, encode};

pub(super) fn parse(vm: &VirtualMachine, address: &PyObject) -> PyResult<SockAddr> {
    arguments::tuple(vm, address, "getsockaddrarg: AF_QIPCRTR")?;
    let [node, port] = arguments::exactly(vm, address, "getsockaddrarg()")?;
    Ok(encode(Fields {
        node: unsigned_int(vm, node)?,
        port: unsigned_int(vm, port)?,
    }))
}

pub(super) fn to_python(vm: &VirtualMachine, fields: Fields) -> PyObjectRef {
    vm.new_tuple((fields.node, fields.port)).into()
}

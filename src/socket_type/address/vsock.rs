//! AF_VSOCK, vsock(7): `(cid, port)`.

use rustpython_vm::{PyObject, PyObjectRef, PyResult, VirtualMachine};
use socket2::SockAddr;

use super::arguments::{self, unsigned_int};
use crate::sockaddr::vsock::{Fields, encode};

pub(super) fn parse(vm: &VirtualMachine, address: &PyObject) -> PyResult<SockAddr> {
    arguments::tuple(vm, address, "getsockaddrarg: AF_VSOCK")?;
    let [cid, port] = arguments::exactly(vm, address, "getsockaddrarg()")?;
    Ok(encode(Fields {
        cid: unsigned_int(vm, cid)?,
        port: unsigned_int(vm, port)?,
    }))
}

pub(super) fn to_python(vm: &VirtualMachine, fields: Fields) -> PyObjectRef {
    vm.new_tuple((fields.cid, fields.port)).into()
}

//! AF_NETLINK, netlink(7): `(pid, groups)`.

use rustpython_vm::{PyObject, PyObjectRef, PyResult, VirtualMachine};
use socket2::SockAddr;

use super::arguments::{self, unsigned_int};
use crate::sockaddr::netlink::{Fields, encode};

pub(super) fn parse(vm: &VirtualMachine, address: &PyObject, caller: &str) -> PyResult<SockAddr> {
    let what = format_args!("{caller}(): AF_NETLINK");
    let [pid, groups] = arguments::tuple(vm, address, what)? else {
        return Err(vm.new_type_error("AF_NETLINK address must be a pair (pid, groups)"));
    };
    Ok(encode(Fields {
        pid: unsigned_int(vm, pid)?,
        groups: unsigned_int(vm, groups)?,
    }))
}

pub(super) fn to_python(vm: &VirtualMachine, fields: Fields) -> PyObjectRef {
    vm.new_tuple((fields.pid, fields.groups)).into()
}

//! AF_UNIX, unix(7): a path, an abstract name that begins with NUL, or nothing.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

use rustpython_vm::{
    PyObject, PyObjectRef, PyResult, TryFromBorrowedObject, VirtualMachine, builtins::PyStr,
};
use socket2::SockAddr;

use crate::memory::ReadMemory;
use crate::sockaddr::unix::{Name, encode};

pub(super) fn parse(vm: &VirtualMachine, address: &PyObject) -> PyResult<SockAddr> {
    let encoded = match address.downcast_ref::<PyStr>() {
        Some(path) => encode(vm.fsencode(path)?.as_bytes()),
        None => encode(&ReadMemory::try_from_borrowed_object(vm, address)?.borrow()),
    };
    encoded.ok_or_else(|| vm.new_os_error("AF_UNIX path too long".to_owned()))
}

/// A path is a str by the file system's encoding, `''` if there is none; an abstract name is bytes.
pub(super) fn to_python(vm: &VirtualMachine, name: Name<'_>) -> PyObjectRef {
    match name {
        Name::Path(path) => vm.fsdecode(OsStr::from_bytes(path)).into(),
        Name::Abstract(name) => vm.ctx.new_bytes(name.to_vec()).into(),
    }
}

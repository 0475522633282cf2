//! Network interfaces by name and by index, in the socket's network namespace: netdevice(7).

use std::{ffi::CStr, os::fd::AsFd};

use rustpython_vm::{PyResult, VirtualMachine, builtins::PyStrRef, convert::IntoPyException};
use socket2::{Domain, Socket, Type};

use crate::{
    blocking_bridge::Failure,
    socket_type::{PySocket, system},
};

/// # Errors
///
/// OSError: `ENODEV` for a name that no interface has, `EBADF` for a closed socket.
pub(super) fn index(vm: &VirtualMachine, socket: &PySocket, name: &CStr) -> PyResult<i32> {
    socket
        .with_fd(|fd| system::interface_index(fd, name))
        .map_err(|failure: Failure| failure.into_pyexception(vm))
}

/// Empty for the index 0, which is no interface's, and for one that is gone. Of a socket that is closed by now, this
/// thread's network namespace is asked.
pub(super) fn name(vm: &VirtualMachine, socket: &PySocket, index: i32) -> PyStrRef {
    if index == 0 {
        return vm.fsdecode("");
    }
    let name = socket
        .with_fd(|fd| system::interface_name(fd, index))
        .or_else(|_| {
            let any = Socket::new(Domain::UNIX, Type::DGRAM, None)?;
            system::interface_name(any.as_fd(), index)
        });
    vm.fsdecode(name.unwrap_or_default())
}

//! Python exceptions from operating-system errors, with the `args` that CPython gives them.

use std::io;

use rustpython_vm::{
    VirtualMachine, builtins::PyBaseExceptionRef, host_env::errno::strerror_string,
};

/// `OSError(errno, strerror)`, as the subclass that PEP 3151 assigns to `errno`.
pub(crate) fn from_errno(vm: &VirtualMachine, errno: i32) -> PyBaseExceptionRef {
    let text = strerror_string(errno).unwrap_or_else(|| format!("Unknown error {errno}"));
    let args = vec![vm.ctx.new_int(errno).into(), vm.ctx.new_str(text).into()];
    // Through the class's constructor: it picks the subclass and leaves two `args`, where the VM's own
    // conversion from `io::Error` leaves five.
    match vm.invoke_exception(vm.ctx.exceptions.os_error, args) {
        Ok(error) => error,
        Err(error) => error,
    }
}

/// The exception of a failed system call; an error without an errno becomes a plain `OSError(text)`.
pub(crate) fn from_io(vm: &VirtualMachine, error: &io::Error) -> PyBaseExceptionRef {
    match error.raw_os_error() {
        Some(errno) => from_errno(vm, errno),
        None => vm.new_os_error(error.to_string()),
    }
}

/// `TimeoutError('timed out')`: what a socket call raises at its deadline, without an errno as on CPython.
pub(crate) fn timed_out(vm: &VirtualMachine) -> PyBaseExceptionRef {
    timed_out_saying(vm, "timed out")
}

/// `TimeoutError(text)`.
pub(crate) fn timed_out_saying(vm: &VirtualMachine, text: &'static str) -> PyBaseExceptionRef {
    let class = vm.ctx.exceptions.timeout_error.to_owned();
    vm.new_exception_msg(class, text.into())
}

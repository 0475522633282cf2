//! `socket.gaierror` and `socket.herror`: the exceptions of failed look-ups.

use std::sync::OnceLock;

use rustpython_vm::{
    VirtualMachine,
    builtins::{PyBaseExceptionRef, PyTypeRef},
};

use crate::{
    dns::{EaiError, HostError},
    errors,
};

// One context serves all interpreters of a process, so one class each does, too.
static GAIERROR: OnceLock<PyTypeRef> = OnceLock::new();
static HERROR: OnceLock<PyTypeRef> = OnceLock::new();

fn new_type(vm: &VirtualMachine, name: &str) -> PyTypeRef {
    let base = vm.ctx.exceptions.os_error.to_owned();
    vm.ctx.new_exception_type("socket", name, Some(vec![base]))
}

/// The class `socket.gaierror`.
pub(crate) fn gaierror_type(vm: &VirtualMachine) -> PyTypeRef {
    GAIERROR.get_or_init(|| new_type(vm, "gaierror")).clone()
}

/// The class `socket.herror`.
pub(crate) fn herror_type(vm: &VirtualMachine) -> PyTypeRef {
    HERROR.get_or_init(|| new_type(vm, "herror")).clone()
}

fn with_code(vm: &VirtualMachine, class: PyTypeRef, code: i32, text: String) -> PyBaseExceptionRef {
    let args = vec![vm.ctx.new_int(code).into(), vm.ctx.new_str(text).into()];
    match vm.invoke_exception(&class, args) {
        Ok(error) => error,
        Err(error) => error,
    }
}

/// `gaierror(code, text)`; the plain `OSError` behind `EAI_SYSTEM`.
pub(crate) fn gaierror(vm: &VirtualMachine, error: &EaiError) -> PyBaseExceptionRef {
    match error.errno {
        Some(errno) => errors::from_errno(vm, errno),
        None => with_code(vm, gaierror_type(vm), error.code, error.text()),
    }
}

/// `herror(code, text)`; the plain `OSError` behind `NETDB_INTERNAL` where it is known.
pub(crate) fn herror(vm: &VirtualMachine, error: &HostError) -> PyBaseExceptionRef {
    match error.errno {
        Some(errno) if errno != 0 => errors::from_errno(vm, errno),
        _ => with_code(vm, herror_type(vm), error.code, error.text()),
    }
}

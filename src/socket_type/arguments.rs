//! The arguments of the methods that may be left out, with the defaults that `inspect.signature` shows.

use rustpython_vm::{
    AsObject, FromArgs, PyObjectRef, PyResult, TryFromObject, VirtualMachine, function::OptionalArg,
};

use crate::{
    memory::WriteMemory,
    socket_module::integers::{CInt, CSize},
};

/// `socket.__init__`'s.
#[derive(FromArgs)]
pub(crate) struct InitArgs {
    #[pyarg(any, default = CInt(-1), py_default = "-1")]
    pub(super) family: CInt,
    #[pyarg(any, default = CInt(-1), py_default = "-1")]
    pub(super) r#type: CInt,
    #[pyarg(any, default = CInt(-1), py_default = "-1")]
    pub(super) proto: CInt,
    #[pyarg(any, default, py_default = "None")]
    pub(super) fileno: Option<PyObjectRef>,
}

/// The last argument of the calls that move data.
#[derive(FromArgs)]
pub(crate) struct Flags {
    #[pyarg(positional, default, py_default = "0")]
    pub(super) flags: CInt,
}

#[derive(FromArgs)]
pub(crate) struct Backlog {
    #[pyarg(positional, default = CInt(128), py_default = "128")]
    pub(super) backlog: CInt,
}

/// `getsockopt`'s.
#[derive(FromArgs)]
pub(crate) struct OptionSize {
    #[pyarg(positional, default, py_default = "0")]
    pub(super) buffersize: CInt,
}

/// `setsockopt`'s, which only a value of None has.
#[derive(FromArgs)]
pub(crate) struct OptionLength {
    // No Python value stands for its absence.
    #[pyarg(positional, optional, py_default = "...")]
    pub(super) optlen: OptionalArg<PyObjectRef>,
}

/// What `recvmsg` and `recvmsg_into` offer beside the data.
#[derive(FromArgs)]
pub(crate) struct Ancillary {
    #[pyarg(positional, default, py_default = "0")]
    pub(super) ancbufsize: CSize,
    #[pyarg(positional, default, py_default = "0")]
    pub(super) flags: CInt,
}

/// What `sendmsg` sends beside the data.
#[derive(FromArgs)]
pub(crate) struct SendMessage {
    #[pyarg(positional, optional, py_default = "()")]
    pub(super) ancdata: OptionalArg<PyObjectRef>,
    #[pyarg(positional, default, py_default = "0")]
    pub(super) flags: CInt,
    #[pyarg(positional, default, py_default = "None")]
    pub(super) address: Option<PyObjectRef>,
}

/// Those of the calls that receive into one buffer.
#[derive(FromArgs)]
pub(crate) struct Into {
    #[pyarg(any)]
    buffer: PyObjectRef,
    #[pyarg(any, default, py_default = "0")]
    nbytes: CSize,
    #[pyarg(any, default, py_default = "0")]
    flags: CInt,
}

impl Into {
    /// The buffer, how many bytes to receive at most, and the flags.
    pub(super) fn check(
        self,
        vm: &VirtualMachine,
        caller: &str,
        too_small: &'static str,
    ) -> PyResult<(WriteMemory, usize, i32)> {
        let buffer = writable_buffer(vm, self.buffer, caller)?;
        let limit = match size(vm, self.nbytes, caller)? {
            0 => buffer.len(),
            size if size > buffer.len() => return Err(vm.new_value_error(too_small)),
            size => size,
        };
        Ok((buffer, limit, self.flags.0))
    }
}

pub(super) fn writable_buffer(
    vm: &VirtualMachine,
    object: PyObjectRef,
    caller: &str,
) -> PyResult<WriteMemory> {
    WriteMemory::try_from_object(vm, object.clone()).map_err(|error| {
        if !error.fast_isinstance(vm.ctx.exceptions.type_error) {
            return error;
        }
        let class = if vm.is_none(&object) {
            "None".to_owned()
        } else {
            object.class().name().to_string()
        };
        vm.new_type_error(format!(
            "{caller}() argument 1 must be read-write bytes-like object, not {class}"
        ))
    })
}

/// A size as Python gives it, which may not be negative.
pub(super) fn size(vm: &VirtualMachine, size: CSize, caller: &str) -> PyResult<usize> {
    usize::try_from(size.0)
        .map_err(|_| vm.new_value_error(format!("negative buffersize in {caller}")))
}

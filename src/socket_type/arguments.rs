//! The arguments of the methods that may be left out, with the defaults that `inspect.signature` shows.

use rustpython_vm::{
    FromArgs, PyObjectRef, VirtualMachine,
    function::{ArgMemoryBuffer, OptionalArg},
};

use crate::{
    blocking_bridge::Failure,
    socket_module::integers::{CInt, CSize},
};

/// `socket.__init__`'s.
#[derive(FromArgs)]
pub(crate) struct InitArgs {
    #[pyarg(any, default = -1, py_default = "-1")]
    pub(super) family: i32,
    #[pyarg(any, default = -1, py_default = "-1")]
    pub(super) r#type: i32,
    #[pyarg(any, default = -1, py_default = "-1")]
    pub(super) proto: i32,
    #[pyarg(any, default, py_default = "None")]
    pub(super) fileno: Option<PyObjectRef>,
}

/// The last argument of the calls that move data.
#[derive(FromArgs)]
pub(crate) struct Flags {
    #[pyarg(positional, default = 0)]
    pub(super) flags: i32,
}

#[derive(FromArgs)]
pub(crate) struct Backlog {
    #[pyarg(positional, default = 128)]
    pub(super) backlog: i32,
}

/// `getsockopt`'s.
#[derive(FromArgs)]
pub(crate) struct OptionSize {
    #[pyarg(positional, default = 0)]
    pub(super) buffersize: i32,
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
    pub(super) buffer: ArgMemoryBuffer,
    #[pyarg(any, default = 0)]
    nbytes: isize,
    #[pyarg(any, default = 0)]
    pub(super) flags: i32,
}

impl Into {
    /// How many bytes to receive at most.
    pub(super) fn limit(&self, vm: &VirtualMachine, caller: &str) -> Result<usize, Failure> {
        match size(vm, self.nbytes, caller)? {
            0 => Ok(self.buffer.len()),
            size if size > self.buffer.len() => Err(vm
                .new_value_error("nbytes is greater than the length of the buffer")
                .into()),
            size => Ok(size),
        }
    }
}

/// A size as Python gives it, which may not be negative.
pub(super) fn size(vm: &VirtualMachine, size: isize, caller: &str) -> Result<usize, Failure> {
    usize::try_from(size).map_err(|_| {
        vm.new_value_error(format!("negative buffersize in {caller}"))
            .into()
    })
}

//! The arguments of the methods, with the defaults that `inspect.signature` shows.

use rustpython_vm::{
    AsObject, FromArgs, PyObjectRef, PyResult, TryFromObject, VirtualMachine,
    function::{self, ArgumentError, FuncArgs, OptionalArg, Param},
};

use super::given::Positional;
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

impl Default for InitArgs {
    fn default() -> Self {
        Self {
            family: CInt(-1),
            r#type: CInt(-1),
            proto: CInt(-1),
            fileno: None,
        }
    }
}

/// Those of `recv` and `recvfrom`.
#[derive(FromArgs)]
pub(crate) struct Receive {
    #[pyarg(positional)]
    pub(super) buffersize: CSize,
    #[pyarg(positional, default, py_default = "0")]
    pub(super) flags: CInt,
}

impl Positional for Receive {
    #[inline]
    fn take(args: &mut Vec<PyObjectRef>, vm: &VirtualMachine) -> Option<PyResult<Self>> {
        let given = args.len();
        if !matches!(given, 2 | 3) {
            return None;
        }
        let flags = if given == 3 { args.pop() } else { None };
        let size = args.pop()?;
        let converted = || {
            Ok(Self {
                buffersize: CSize::try_from_object(vm, size)?,
                flags: or_default(flags, vm)?,
            })
        };
        Some(converted())
    }
}

/// Those of `send` and `sendall`.
#[derive(FromArgs)]
pub(crate) struct SendData {
    #[pyarg(positional)]
    pub(super) data: PyObjectRef,
    #[pyarg(positional, default, py_default = "0")]
    pub(super) flags: CInt,
}

impl Positional for SendData {
    #[inline]
    fn take(args: &mut Vec<PyObjectRef>, vm: &VirtualMachine) -> Option<PyResult<Self>> {
        let given = args.len();
        if !matches!(given, 2 | 3) {
            return None;
        }
        let flags = if given == 3 { args.pop() } else { None };
        let data = args.pop()?;
        Some(or_default(flags, vm).map(|flags| Self { data, flags }))
    }
}

fn or_default<T: TryFromObject + Default>(
    argument: Option<PyObjectRef>,
    vm: &VirtualMachine,
) -> PyResult<T> {
    argument.map_or_else(|| Ok(T::default()), |given| T::try_from_object(vm, given))
}

/// Those of `sendto`, whose optional one is in the middle.
pub(crate) struct SendTo {
    pub(super) data: PyObjectRef,
    pub(super) flags: CInt,
    pub(super) address: PyObjectRef,
}

impl function::FromArgs for SendTo {
    const PARAMS: Option<&'static [Param]> = <FuncArgs as function::FromArgs>::PARAMS;

    fn from_args(vm: &VirtualMachine, args: &mut FuncArgs) -> Result<Self, ArgumentError> {
        if !args.kwargs.is_empty() {
            let text = "socket.sendto() takes no keyword arguments";
            return Err(vm.new_type_error(text).into());
        }
        let given = args.args.len();
        let taken = Self::take_behind(0, &mut args.args, vm).unwrap_or_else(|| {
            let text = format!("sendto() takes 2 or 3 arguments ({given} given)");
            Err(vm.new_type_error(text))
        });
        Ok(taken?)
    }
}

impl Positional for SendTo {
    #[inline]
    fn take(args: &mut Vec<PyObjectRef>, vm: &VirtualMachine) -> Option<PyResult<Self>> {
        Self::take_behind(1, args, vm)
    }
}

impl SendTo {
    #[inline]
    fn take_behind(
        first: usize,
        args: &mut Vec<PyObjectRef>,
        vm: &VirtualMachine,
    ) -> Option<PyResult<Self>> {
        let given = args.len().checked_sub(first)?;
        if !matches!(given, 2 | 3) {
            return None;
        }
        let address = args.pop()?;
        let flags = if given == 3 { args.pop() } else { None };
        let data = args.pop()?;
        let taken = |flags| Self {
            data,
            flags,
            address,
        };
        Some(or_default(flags, vm).map(taken))
    }
}

/// That of `settimeout`.
#[derive(FromArgs)]
pub(crate) struct Seconds {
    #[pyarg(positional)]
    pub(super) timeout: PyObjectRef,
}

impl Positional for Seconds {
    #[inline]
    fn take(args: &mut Vec<PyObjectRef>, _vm: &VirtualMachine) -> Option<PyResult<Self>> {
        if args.len() != 2 {
            return None;
        }
        let timeout = args.pop()?;
        Some(Ok(Self { timeout }))
    }
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

impl Positional for Into {
    #[inline]
    fn take(args: &mut Vec<PyObjectRef>, vm: &VirtualMachine) -> Option<PyResult<Self>> {
        let given = args.len();
        if !matches!(given, 2..=4) {
            return None;
        }
        let flags = if given == 4 { args.pop() } else { None };
        let nbytes = if given >= 3 { args.pop() } else { None };
        let buffer = args.pop()?;
        let converted = || {
            Ok(Self {
                buffer,
                nbytes: or_default(nbytes, vm)?,
                flags: or_default(flags, vm)?,
            })
        };
        Some(converted())
    }
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

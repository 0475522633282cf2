//! `sendmsg_afalg`: data for the kernel's cryptography (AF_ALG), with what to do with it as ancillary data.
//!
//! The items are those of the kernel's Documentation/crypto/userspace-if.rst, each an `unsigned int` in front.

use rustpython_vm::{
    PyObjectRef, PyResult, TryFromObject, VirtualMachine,
    builtins::{PyInt, PyIntRef},
    function::FuncArgs,
};

use super::{
    PySocket, ancillary,
    message::{self, Outgoing},
};
use crate::{
    blocking_bridge::Failure,
    control_message::{ControlBuffer, Item},
    memory::ReadMemory,
    socket_module::integers::CInt,
};

/// What Python code gave, of the types that CPython checks before all values.
struct Arguments {
    msg: Option<PyObjectRef>,
    op: Option<PyIntRef>,
    iv: Option<ReadMemory>,
    assoclen: Option<PyIntRef>,
    flags: i32,
}

impl Arguments {
    fn new(vm: &VirtualMachine, mut args: FuncArgs) -> PyResult<Self> {
        let given = args.args.len();
        if given > 1 {
            return Err(vm.new_type_error(format!(
                "sendmsg_afalg() takes at most 1 positional argument ({given} given)"
            )));
        }
        let positional = args.take_positional();
        let named = args.take_keyword("msg");
        if positional.is_some() && named.is_some() {
            return Err(vm.new_type_error(
                "argument for sendmsg_afalg() given by name ('msg') and position (1)",
            ));
        }
        let arguments = Self {
            msg: positional.or(named),
            op: exact_kind(vm, args.take_keyword("op"), 2)?,
            iv: args
                .take_keyword("iv")
                .map(|iv| ReadMemory::try_from_object(vm, iv))
                .transpose()?,
            assoclen: exact_kind(vm, args.take_keyword("assoclen"), 4)?,
            flags: match args.take_keyword("flags") {
                Some(flags) => CInt::try_from_object(vm, flags)?.0,
                None => 0,
            },
        };
        match args.kwargs.keys().next() {
            Some(name) => Err(vm.new_type_error(format!(
                "sendmsg_afalg() got an unexpected keyword argument '{name}'"
            ))),
            None => Ok(arguments),
        }
    }

    /// The operation, `ALG_OP_ENCRYPT` and the like.
    fn operation(&self, vm: &VirtualMachine) -> PyResult<u32> {
        self.op
            .as_ref()
            .and_then(|op| c_int(op))
            .and_then(|op| u32::try_from(op).ok())
            .ok_or_else(|| vm.new_type_error("Invalid or missing argument 'op'"))
    }

    fn associated_length(&self, vm: &VirtualMachine) -> PyResult<Option<u32>> {
        let Some(length) = &self.assoclen else {
            return Ok(None);
        };
        let length = c_int(length)
            .ok_or_else(|| vm.new_overflow_error("Python int too large to convert to C int"))?;
        match u32::try_from(length) {
            Ok(length) => Ok(Some(length)),
            Err(_) => Err(vm.new_type_error("assoclen must be positive")),
        }
    }

    /// The ancillary data.
    fn control(&self, vm: &VirtualMachine) -> PyResult<ControlBuffer> {
        let operation = self.operation(vm)?.to_ne_bytes();
        let associated = self.associated_length(vm)?.map(u32::to_ne_bytes);
        let vector = self
            .iv
            .as_ref()
            .map(|iv| initialisation_vector(vm, iv))
            .transpose()?;
        let item = |kind, data| Item {
            level: libc::SOL_ALG,
            kind,
            data,
        };
        let mut items = vec![item(libc::ALG_SET_OP, &operation[..])];
        items.extend(vector.as_deref().map(|iv| item(libc::ALG_SET_IV, iv)));
        items.extend(
            associated
                .as_ref()
                .map(|length| item(libc::ALG_SET_AEAD_ASSOCLEN, &length[..])),
        );
        ControlBuffer::from_items(&items).map_err(|error| ancillary::exception(vm, error))
    }
}

/// An integer argument that CPython takes only as an `int`; `position` is for the message.
fn exact_kind(
    vm: &VirtualMachine,
    argument: Option<PyObjectRef>,
    position: usize,
) -> PyResult<Option<PyIntRef>> {
    let Some(argument) = argument else {
        return Ok(None);
    };
    argument.downcast::<PyInt>().map(Some).map_err(|other| {
        let name = if vm.is_none(&other) {
            "None".to_owned()
        } else {
            other.class().name().to_string()
        };
        vm.new_type_error(format!(
            "sendmsg_afalg() argument {position} must be int, not {name}"
        ))
    })
}

fn c_int(value: &PyInt) -> Option<i32> {
    i32::try_from(value.as_bigint()).ok()
}

/// `struct af_alg_iv`: a length and as many bytes.
fn initialisation_vector(vm: &VirtualMachine, iv: &ReadMemory) -> PyResult<Vec<u8>> {
    let iv = iv.borrow();
    let length =
        u32::try_from(iv.len()).map_err(|_| vm.new_os_error("ancillary data item too large"))?;
    let mut data = Vec::new();
    data.try_reserve_exact(size_of::<u32>() + iv.len())
        .map_err(|_| vm.no_memory_error())?;
    data.extend(length.to_ne_bytes());
    data.extend_from_slice(&iv);
    Ok(data)
}

pub(super) fn send(
    socket: &PySocket,
    args: FuncArgs,
    vm: &VirtualMachine,
) -> Result<usize, Failure> {
    if socket.family() != libc::AF_ALG {
        return Err(vm
            .new_os_error("algset is only supported for AF_ALG")
            .into());
    }
    let arguments = Arguments::new(vm, args)?;
    let control = arguments.control(vm)?;
    let message = Outgoing::with_control(vm, arguments.msg.as_deref(), Some(control))?;
    message::send(socket, &message, arguments.flags, None, vm)
}

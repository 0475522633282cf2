//! Ancillary data as Python gives and gets it: (level, type, data) items, to and from control buffers.

use rustpython_vm::{
    AsObject, PyObject, PyObjectRef, PyResult, TryFromObject, VirtualMachine,
    builtins::{PyBaseExceptionRef, PyTuple},
    warn,
};

use crate::{
    control_message::{BufferError, ControlBuffer, Item, Items, LENGTH_MAX},
    memory::ReadMemory,
    socket_module::integers::CInt,
};

/// What begins the messages about an item of `sendmsg`'s second argument.
const ITEM: &str = "[sendmsg() ancillary data items]()";

/// The control buffer of `sendmsg`'s second argument; None where it has no items.
pub(super) fn to_control(
    vm: &VirtualMachine,
    ancdata: &PyObject,
) -> PyResult<Option<ControlBuffer>> {
    let items = super::message::elements(vm, ancdata, "sendmsg() argument 2 must be an iterable")?;
    if items.is_empty() {
        return Ok(None);
    }
    let items = items
        .into_iter()
        .map(|item| {
            let [level, kind, data] = fields(vm, &item)?;
            let CInt(level) = CInt::try_from_object(vm, level)?;
            let CInt(kind) = CInt::try_from_object(vm, kind)?;
            Ok((level, kind, ReadMemory::try_from_object(vm, data)?))
        })
        .collect::<PyResult<Vec<_>>>()?;
    // Copied: two items may be of one bytearray, whose lock is not to be taken twice.
    let data = items
        .iter()
        .map(|(_, _, data)| data.copy(vm))
        .collect::<PyResult<Vec<_>>>()?;
    let items: Vec<Item<'_>> = items
        .iter()
        .zip(&data)
        .map(|(&(level, kind, _), data)| Item { level, kind, data })
        .collect();
    ControlBuffer::from_items(&items)
        .map(Some)
        .map_err(|error| exception(vm, error))
}

/// The three fields of an item, which may be any sequence but text and bytes.
fn fields(vm: &VirtualMachine, item: &PyObjectRef) -> PyResult<[PyObjectRef; 3]> {
    let count = |kind, count| {
        vm.new_type_error(format!(
            "{ITEM} argument must be {kind} of length 3, not {count}"
        ))
    };
    if let Some(tuple) = item.downcast_ref::<PyTuple>() {
        return <[PyObjectRef; 3]>::try_from(tuple.as_slice().to_vec())
            .map_err(|fields| count("tuple", fields.len()));
    }
    let types = &vm.ctx.types;
    let is_other = [
        types.str_type,
        types.bytes_type,
        types.bytearray_type,
        types.dict_type,
    ]
    .into_iter()
    .any(|class| item.fast_isinstance(class));
    let sequence = item.sequence_unchecked();
    if is_other || !sequence.check() {
        let name = if vm.is_none(item) {
            "None".to_owned()
        } else {
            item.class().name().to_string()
        };
        return Err(vm.new_type_error(format!("{ITEM} argument must be 3-item tuple, not {name}")));
    }
    match sequence.length(vm)? {
        3 => Ok([
            sequence.get_item(0, vm)?,
            sequence.get_item(1, vm)?,
            sequence.get_item(2, vm)?,
        ]),
        other => Err(count("sequence", other)),
    }
}

/// The exception for a control buffer that cannot be made.
pub(super) fn exception(vm: &VirtualMachine, error: BufferError) -> PyBaseExceptionRef {
    match error {
        BufferError::ItemTooLarge => vm.new_os_error("ancillary data item too large"),
        BufferError::TooMuch => vm.new_os_error("too much ancillary data"),
        BufferError::NoMemory => vm.no_memory_error(),
    }
}

/// The room that `recvmsg` and `recvmsg_into` are asked to offer the kernel.
pub(super) fn room(vm: &VirtualMachine, size: isize) -> PyResult<ControlBuffer> {
    match usize::try_from(size) {
        Ok(size) if size <= LENGTH_MAX => {
            ControlBuffer::zeroed(size).map_err(|error| exception(vm, error))
        }
        _ => Err(vm.new_value_error("invalid ancillary data buffer length")),
    }
}

/// The list of items in what the kernel has filled in.
pub(super) fn from_control(vm: &VirtualMachine, control: &[u8]) -> PyResult<PyObjectRef> {
    let mut items = Items::new(control);
    let tuples = items.by_ref().map(|Item { level, kind, data }| {
        let fields = vec![
            vm.ctx.new_int(level).into(),
            vm.ctx.new_int(kind).into(),
            vm.ctx.new_bytes(data.to_vec()).into(),
        ];
        vm.ctx.new_tuple(fields).into()
    });
    let list = vm.ctx.new_list(tuples.collect());
    if items.is_malformed() {
        let text = "received malformed or improperly-truncated ancillary data";
        let category = vm.ctx.exceptions.runtime_warning.to_owned();
        warn::warn(vm.ctx.new_str(text).into(), Some(category), 1, None, vm)?;
    }
    Ok(list.into())
}

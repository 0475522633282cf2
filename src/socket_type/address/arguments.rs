//! The elements of an address: the argument conversions of CPython that the families share, with its messages.
//!
//! The unsigned ones check no range: the low bits of any integer count.

use std::{ffi::CString, fmt::Display};

use rustpython_vm::{
    PyObject, PyObjectRef, PyResult, VirtualMachine,
    builtins::{PyStr, PyTuple},
    function::FsPath,
};

/// The elements of an address that has to be a tuple; `what` begins the message if it is none.
pub(super) fn tuple<'a>(
    vm: &VirtualMachine,
    address: &'a PyObject,
    what: impl Display,
) -> PyResult<&'a [PyObjectRef]> {
    match address.downcast_ref::<PyTuple>() {
        Some(tuple) => Ok(tuple.as_slice()),
        None => Err(vm.new_type_error(format!(
            "{what} address must be tuple, not {}",
            address.class().slot_name()
        ))),
    }
}

/// The elements of an address of which CPython does not check first that it is a tuple.
pub(super) fn exactly<'a, const COUNT: usize>(
    vm: &VirtualMachine,
    address: &'a PyObject,
    function: &str,
) -> PyResult<&'a [PyObjectRef; COUNT]> {
    let Some(tuple) = address.downcast_ref::<PyTuple>() else {
        let text = "new style getargs format but argument is not a tuple";
        return Err(vm.new_system_error(text));
    };
    let given = tuple.as_slice();
    given.try_into().map_err(|_| {
        let given = given.len();
        vm.new_type_error(format!(
            "{function} takes exactly {COUNT} arguments ({given} given)"
        ))
    })
}

/// A str, in UTF-8. None if it is something else.
///
/// # Errors
///
/// ValueError for a NUL inside, UnicodeEncodeError for a lone surrogate.
pub(super) fn text<'a>(vm: &VirtualMachine, object: &'a PyObject) -> PyResult<Option<&'a str>> {
    let Some(text) = object.downcast_ref::<PyStr>() else {
        return Ok(None);
    };
    let text = text.try_as_utf8(vm)?.as_str();
    if text.contains('\0') {
        return Err(vm.new_value_error("embedded null character"));
    }
    Ok(Some(text))
}

/// The bytes of a str, bytes or path-like object, in the encoding of the file system.
pub(super) fn file_system_text(vm: &VirtualMachine, object: &PyObject) -> PyResult<CString> {
    let path = FsPath::try_from_path_like(object.to_owned(), false, vm)?;
    let bytes = match &path {
        FsPath::Str(text) => vm.fsencode(text)?.as_encoded_bytes().to_vec(),
        FsPath::Bytes(bytes) => bytes.as_bytes().to_vec(),
    };
    CString::new(bytes).map_err(|_| vm.new_value_error("embedded null byte"))
}

pub(super) fn unsigned_char(vm: &VirtualMachine, object: &PyObject) -> PyResult<u8> {
    Ok(unsigned_int(vm, object)? as u8)
}

pub(super) fn unsigned_short(vm: &VirtualMachine, object: &PyObject) -> PyResult<u16> {
    Ok(unsigned_int(vm, object)? as u16)
}

pub(super) fn unsigned_int(vm: &VirtualMachine, object: &PyObject) -> PyResult<u32> {
    Ok(object.try_index(vm)?.as_u32_mask())
}

/// An `unsigned long`; `argument` names it in the message.
pub(in crate::socket_type) fn unsigned_long(
    vm: &VirtualMachine,
    argument: &str,
    object: &PyObject,
) -> PyResult<u64> {
    match object.try_index_opt(vm) {
        Some(index) => Ok(index?.as_u64_mask()),
        None => {
            let class = if vm.is_none(object) {
                "None".to_owned()
            } else {
                object.class().slot_name().to_string()
            };
            Err(vm.new_type_error(format!("{argument} must be int, not {class}")))
        }
    }
}

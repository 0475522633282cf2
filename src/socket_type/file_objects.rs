//! Buffered file objects over sockets: what `socket.makefile` returns.
//!
//! They do what the classes of `io` do whose names they have, and show themselves as those. Over a `socket.SocketIO` that reads
//! from one of our sockets they make the system calls themselves; over any other raw object they call its methods.

mod common;
mod decoded;
mod exclusive;
mod pair;
mod raw;
mod reader;
mod socket_io;
mod text;
mod writer;

use rustpython_vm::{
    Py, PyObject, PyResult, VirtualMachine,
    builtins::{PyBaseExceptionRef, PyModule},
    class::PyClassImpl,
};

use self::{
    pair::BufferedRWPair, reader::BufferedReader, socket_io::SocketIo, text::TextFile,
    writer::BufferedWriter,
};

/// `io.DEFAULT_BUFFER_SIZE`.
const DEFAULT_SIZE: isize = 128 * 1024;

/// Puts the classes into the module.
pub(crate) fn add_to(vm: &VirtualMachine, module: &Py<PyModule>) -> PyResult<()> {
    module.set_attr("_SocketIO", SocketIo::make_static_type(), vm)?;
    module.set_attr("_BufferedReader", BufferedReader::make_static_type(), vm)?;
    module.set_attr("_BufferedWriter", BufferedWriter::make_static_type(), vm)?;
    module.set_attr("_BufferedRWPair", BufferedRWPair::make_static_type(), vm)?;
    module.set_attr("_TextIOWrapper", TextFile::make_static_type(), vm)
}

fn buffer_size(size: isize, vm: &VirtualMachine) -> PyResult<usize> {
    match usize::try_from(size) {
        Ok(size) if size > 0 => Ok(size),
        _ => Err(vm.new_value_error("buffer size must be strictly positive")),
    }
}

/// # Errors
///
/// io.UnsupportedOperation unless the method of the object says yes.
fn check(
    object: &PyObject,
    method: &'static str,
    otherwise: &str,
    vm: &VirtualMachine,
) -> PyResult<()> {
    if vm.call_method(object, method, ())?.try_to_bool(vm)? {
        return Ok(());
    }
    Err(unsupported(vm, otherwise))
}

/// `io.UnsupportedOperation(text)`.
fn unsupported(vm: &VirtualMachine, text: &str) -> PyBaseExceptionRef {
    let class = vm
        .import("_io", 0)
        .and_then(|io| io.get_attr("UnsupportedOperation", vm));
    let error = class.and_then(|class| class.call((text.to_owned(),), vm));
    match error.and_then(|error| error.try_into_value(vm)) {
        Ok(error) | Err(error) => error,
    }
}

fn closed_file(vm: &VirtualMachine) -> PyBaseExceptionRef {
    vm.new_value_error("I/O operation on closed file.")
}

fn reentrant(file: &PyObject, vm: &VirtualMachine) -> PyBaseExceptionRef {
    let shown = file.repr(vm).map_or_else(
        |_| file.class().slot_name().to_string(),
        |repr| repr.to_string(),
    );
    vm.new_runtime_error(format!("reentrant call inside {shown}"))
}

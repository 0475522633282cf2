//! What readers and writers have in common: the methods that ask the raw object, and the life of a file object.

use std::sync::atomic::{AtomicBool, Ordering};

use rustpython_vm::{
    AsObject, FromArgs, Py, PyObject, PyObjectRef, PyPayload, PyResult, TryFromObject,
    VirtualMachine, function::FuncArgs, pyclass,
};

use super::{closed_file, raw::Raw, unsupported};
use crate::socket_module::integers::CSize;

/// A size that may be left out, None or negative: no limit.
#[derive(FromArgs)]
pub(crate) struct Size {
    #[pyarg(positional, default, py_default = "-1")]
    size: SizeOrNone,
}

struct SizeOrNone(isize);

impl Default for SizeOrNone {
    fn default() -> Self {
        Self(-1)
    }
}

impl TryFromObject for SizeOrNone {
    fn try_from_object(vm: &VirtualMachine, object: PyObjectRef) -> PyResult<Self> {
        if vm.is_none(&object) {
            return Ok(Self(-1));
        }
        if object.try_index_opt(vm).is_none() {
            let class = object.class().name().to_string();
            let text = format!("argument should be integer or None, not '{class}'");
            return Err(vm.new_type_error(text));
        }
        CSize::try_from_object(vm, object).map(|size| Self(size.0))
    }
}

impl Size {
    pub(super) fn number(&self) -> isize {
        self.size.0
    }

    /// `None`: no limit.
    pub(super) fn limit(&self) -> Option<usize> {
        usize::try_from(self.number()).ok()
    }
}

#[derive(FromArgs)]
pub(crate) struct Whence {
    #[pyarg(positional, default, py_default = "0")]
    _whence: Option<PyObjectRef>,
}

/// The errors of two steps of which the second is done in any case.
pub(super) fn both<T>(first: PyResult<()>, second: PyResult<T>) -> PyResult<T> {
    match (first, second) {
        (Err(first), Err(second)) => {
            second.set_context(Some(first));
            Err(second)
        }
        (Err(error), Ok(_)) => Err(error),
        (Ok(()), second) => second,
    }
}

/// Whether the Python object says that it is closed.
pub(super) fn says_closed(file: &PyObject, vm: &VirtualMachine) -> PyResult<bool> {
    file.get_attr("closed", vm)?.try_to_bool(vm)
}

/// The end of an object that nobody refers to any more: it is closed, and an error is reported.
pub(super) fn finalise(file: &PyObject, finalising: &AtomicBool, vm: &VirtualMachine) {
    if says_closed(file, vm).unwrap_or(true) {
        return;
    }
    finalising.store(true, Ordering::Relaxed);
    if let Err(error) = vm.call_method(file, "close", ()) {
        let shown = file.repr(vm).map_or_else(
            |_| file.class().slot_name().to_string(),
            |repr| repr.to_string(),
        );
        let doing = format!("Exception ignored while finalizing file {shown}");
        vm.run_unraisable(error, Some(doing), vm.ctx.none());
    }
}

/// `<_io.BufferedReader name=3>`.
pub(super) fn repr(file: &PyObject, vm: &VirtualMachine) -> PyResult<String> {
    let class = file.class().slot_name().to_string();
    match file.get_attr("name", vm) {
        Ok(name) => Ok(format!("<{class} name={}>", name.repr(vm)?)),
        Err(error)
            if error.fast_isinstance(vm.ctx.exceptions.attribute_error)
                || error.fast_isinstance(vm.ctx.exceptions.value_error) =>
        {
            Ok(format!("<{class}>"))
        }
        Err(error) => Err(error),
    }
}

/// What every file object of ours has, over whatever it lies.
#[pyclass]
pub(super) trait FileObject: PyPayload {
    /// The class of `io` that it stands for.
    const STANDS_FOR: &'static str;

    /// The class in `io` of what this is: a native class cannot derive from the VM's.
    #[pygetset]
    fn __class__(_zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult {
        vm.import("_io", 0)?.get_attr(Self::STANDS_FOR, vm)
    }

    #[pymethod]
    fn __enter__(zelf: PyObjectRef, vm: &VirtualMachine) -> PyResult {
        Self::check_closed(zelf.clone(), vm)?;
        Ok(zelf)
    }

    #[pymethod]
    fn __exit__(zelf: PyObjectRef, _why: FuncArgs, vm: &VirtualMachine) -> PyResult {
        vm.call_method(&zelf, "close", ())
    }

    #[pymethod]
    fn __getstate__(zelf: PyObjectRef, vm: &VirtualMachine) -> PyResult {
        let class = zelf.class().name().to_string();
        Err(vm.new_type_error(format!("cannot pickle '{class}' instances")))
    }

    #[pymethod]
    fn __reduce_ex__(zelf: PyObjectRef, _protocol: PyObjectRef, vm: &VirtualMachine) -> PyResult {
        Self::__getstate__(zelf, vm)
    }

    #[pymethod]
    fn __reduce__(zelf: PyObjectRef, vm: &VirtualMachine) -> PyResult {
        Self::__getstate__(zelf, vm)
    }

    #[pymethod(name = "_checkClosed")]
    fn check_closed(zelf: PyObjectRef, vm: &VirtualMachine) -> PyResult<()> {
        if says_closed(&zelf, vm)? {
            return Err(closed_file(vm));
        }
        Ok(())
    }

    #[pymethod(name = "_checkReadable")]
    fn check_readable(zelf: PyObjectRef, vm: &VirtualMachine) -> PyResult<()> {
        check_able(&zelf, "readable", vm)
    }

    #[pymethod(name = "_checkWritable")]
    fn check_writable(zelf: PyObjectRef, vm: &VirtualMachine) -> PyResult<()> {
        check_able(&zelf, "writable", vm)
    }

    #[pymethod(name = "_checkSeekable")]
    fn check_seekable(zelf: PyObjectRef, vm: &VirtualMachine) -> PyResult<()> {
        check_able(&zelf, "seekable", vm)
    }
}

fn check_able(file: &PyObject, what: &'static str, vm: &VirtualMachine) -> PyResult<()> {
    if vm.call_method(file, what, ())?.try_to_bool(vm)? {
        return Ok(());
    }
    Err(unsupported(vm, &format!("File or stream is not {what}.")))
}

/// What is asked of the raw object.
#[pyclass]
pub(super) trait OverRaw: FileObject {
    fn raw(&self) -> &Raw;

    /// The object below, whose methods neither wait for nor see what is in the buffer.
    #[pygetset(name = "raw")]
    fn raw_object(zelf: &Py<Self>, vm: &VirtualMachine) -> PyObjectRef {
        zelf.raw()
            .get(vm)
            .map_or_else(|_| vm.ctx.none(), ToOwned::to_owned)
    }

    #[pygetset]
    fn closed(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult {
        zelf.raw().get(vm)?.get_attr("closed", vm)
    }

    #[pygetset]
    fn name(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult {
        zelf.raw().get(vm)?.get_attr("name", vm)
    }

    #[pygetset]
    fn mode(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult {
        zelf.raw().get(vm)?.get_attr("mode", vm)
    }

    /// Return the descriptor of the raw object.
    #[pymethod]
    fn fileno(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult {
        vm.call_method(zelf.raw().get(vm)?, "fileno", ())
    }

    /// Return whether this is a terminal.
    #[pymethod]
    fn isatty(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult {
        vm.call_method(zelf.raw().get(vm)?, "isatty", ())
    }

    /// Return whether the raw object can seek; a socket cannot.
    #[pymethod]
    fn seekable(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult {
        vm.call_method(zelf.raw().get(vm)?, "seekable", ())
    }

    /// Tell the raw object that a file object was not closed by the program.
    #[pymethod]
    fn _dealloc_warn(zelf: &Py<Self>, source: PyObjectRef, vm: &VirtualMachine) {
        if let Ok(raw) = zelf.raw().get(vm) {
            // Most have no such method.
            let _ = vm.call_method(raw, "_dealloc_warn", (source,));
        }
    }

    /// Raise io.UnsupportedOperation: the stream of a socket has no positions.
    #[pymethod]
    fn seek(
        zelf: &Py<Self>,
        _target: PyObjectRef,
        _whence: Whence,
        vm: &VirtualMachine,
    ) -> PyResult {
        zelf.raw().check_open("seek of closed file", vm)?;
        Err(unsupported(vm, "File or stream is not seekable."))
    }

    /// Raise io.UnsupportedOperation: the stream of a socket has no positions.
    #[pymethod]
    fn tell(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult {
        vm.call_method(zelf.raw().get(vm)?, "tell", ())
    }
}

/// `readlines`: whole lines, until they have at least as many bytes as the hint, if there is one.
pub(super) fn lines(
    hint: &Size,
    mut next: impl FnMut() -> PyResult<Option<(PyObjectRef, usize)>>,
) -> PyResult<Vec<PyObjectRef>> {
    let hint = match hint.number() {
        0 => None,
        _ => hint.limit(),
    };
    let mut lines = Vec::new();
    let mut length = 0;
    while let Some((line, more)) = next()? {
        lines.push(line);
        length += more;
        if hint.is_some_and(|hint| length > hint) {
            break;
        }
    }
    Ok(lines)
}

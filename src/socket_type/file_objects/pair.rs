//! `io.BufferedRWPair` over a socket: a reader and a writer, neither of which waits for the other.

use std::sync::atomic::AtomicBool;

use rustpython_vm::{
    AsObject, FromArgs, Py, PyObjectRef, PyPayload, PyRef, PyResult, VirtualMachine,
    builtins::{PyBytesRef, PyType},
    convert::ToPyObject,
    function::ArgIterable,
    object::{Traverse, TraverseFn},
    protocol::PyIterReturn,
    pyclass,
    types::{Constructor, Destructor, IterNext, Iterable},
};

use super::{
    super::send::Data,
    common::{self, FileObject, OverRaw, Size},
    reader::BufferedReader,
    unsupported,
    writer::BufferedWriter,
};
use crate::memory::WriteMemory;

#[derive(FromArgs)]
pub(crate) struct Arguments {
    #[pyarg(positional)]
    reader: PyObjectRef,
    #[pyarg(positional)]
    writer: PyObjectRef,
    #[pyarg(positional, default = super::DEFAULT_SIZE, py_default = "131072")]
    buffer_size: isize,
}

/// A buffer for a raw stream that is read and one that is written, or for one that is both.
#[pyclass(module = "_io", name = "BufferedRWPair", traverse = "manual")]
#[derive(Debug, PyPayload)]
pub(crate) struct BufferedRWPair {
    reader: PyRef<BufferedReader>,
    writer: PyRef<BufferedWriter>,
    finalising: AtomicBool,
}

// SAFETY: visits each object that the payload owns, once.
unsafe impl Traverse for BufferedRWPair {
    fn traverse(&self, visit: &mut TraverseFn<'_>) {
        self.reader.traverse(visit);
        self.writer.traverse(visit);
    }
}

impl Constructor for BufferedRWPair {
    type Args = Arguments;

    fn py_new(_class: &Py<PyType>, args: Self::Args, vm: &VirtualMachine) -> PyResult<Self> {
        let reader = BufferedReader::new(args.reader, args.buffer_size, vm)?;
        let writer = BufferedWriter::new(args.writer, args.buffer_size, vm)?;
        Ok(Self {
            reader: reader.into_ref(&vm.ctx),
            writer: writer.into_ref(&vm.ctx),
            finalising: AtomicBool::new(false),
        })
    }
}

impl BufferedRWPair {
    pub(super) fn reader(&self) -> &PyRef<BufferedReader> {
        &self.reader
    }

    pub(super) fn writer(&self) -> &PyRef<BufferedWriter> {
        &self.writer
    }
}

impl FileObject for BufferedRWPair {
    const STANDS_FOR: &'static str = "BufferedRWPair";
}

#[pyclass(
    with(Constructor, Destructor, Iterable, IterNext, FileObject),
    flags(HAS_DICT, HAS_WEAKREF)
)]
impl BufferedRWPair {
    /// Read size bytes, or all up to the end of the stream, as BufferedReader.read does.
    #[pymethod]
    fn read(zelf: &Py<Self>, size: Size, vm: &VirtualMachine) -> PyResult {
        BufferedReader::read_bytes(&zelf.reader, &size, vm)
    }

    /// Read up to size bytes, with at most one read of the raw stream.
    #[pymethod]
    fn read1(zelf: &Py<Self>, size: Size, vm: &VirtualMachine) -> PyResult<PyBytesRef> {
        Ok(vm
            .ctx
            .new_bytes(BufferedReader::read_once(&zelf.reader, &size, vm)?))
    }

    /// Return bytes without taking them, at most one read of the raw stream; how many is not up to the argument.
    #[pymethod]
    fn peek(zelf: &Py<Self>, _size: Size, vm: &VirtualMachine) -> PyResult<PyBytesRef> {
        Ok(vm.ctx.new_bytes(BufferedReader::look(&zelf.reader, vm)?))
    }

    /// Read into a buffer, as BufferedReader.readinto does.
    #[pymethod]
    fn readinto(
        zelf: &Py<Self>,
        buffer: WriteMemory,
        vm: &VirtualMachine,
    ) -> PyResult<Option<usize>> {
        BufferedReader::read_into(&zelf.reader, &buffer, false, vm)
    }

    /// Read into a buffer with at most one read of the raw stream.
    #[pymethod]
    fn readinto1(
        zelf: &Py<Self>,
        buffer: WriteMemory,
        vm: &VirtualMachine,
    ) -> PyResult<Option<usize>> {
        BufferedReader::read_into(&zelf.reader, &buffer, true, vm)
    }

    /// Read a line with its end, or size bytes of it at most.
    #[pymethod]
    fn readline(zelf: &Py<Self>, size: Size, vm: &VirtualMachine) -> PyResult<PyBytesRef> {
        Ok(vm
            .ctx
            .new_bytes(BufferedReader::line(&zelf.reader, size.limit(), vm)?))
    }

    /// Read lines up to the end of the stream; with a hint, only until they have that many bytes together.
    #[pymethod]
    fn readlines(zelf: &Py<Self>, hint: Size, vm: &VirtualMachine) -> PyResult<Vec<PyObjectRef>> {
        Self::check_closed(zelf.to_owned().into(), vm)?;
        BufferedReader::all_lines(&zelf.reader, &hint, vm)
    }

    /// Write all of the data, which is sent when the buffer is full, or by flush(). Return its length.
    #[pymethod]
    fn write(zelf: &Py<Self>, data: PyObjectRef, vm: &VirtualMachine) -> PyResult<usize> {
        BufferedWriter::write_bytes(&zelf.writer, &Data::new(vm, data)?, vm)
    }

    /// Write each element of an iterable.
    #[pymethod]
    fn writelines(zelf: &Py<Self>, lines: ArgIterable, vm: &VirtualMachine) -> PyResult<()> {
        Self::check_closed(zelf.to_owned().into(), vm)?;
        BufferedWriter::write_lines(&zelf.writer, lines, vm)
    }

    /// Send what is in the buffer.
    #[pymethod]
    fn flush(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult<()> {
        BufferedWriter::write_out(&zelf.writer, vm)
    }

    /// Close the writer, and then the reader, even if that fails.
    #[pymethod]
    fn close(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult {
        let writer = BufferedWriter::end(&zelf.writer, vm).map(drop);
        common::both(writer, BufferedReader::end(&zelf.reader, vm))
    }

    #[pygetset]
    fn closed(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult {
        OverRaw::closed(&zelf.writer, vm)
    }

    /// Return whether the reader's raw stream can be read.
    #[pymethod]
    fn readable(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult {
        vm.call_method(zelf.reader.as_object(), "readable", ())
    }

    /// Return whether the writer's raw stream can be written.
    #[pymethod]
    fn writable(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult {
        vm.call_method(zelf.writer.as_object(), "writable", ())
    }

    /// Return False.
    #[pymethod]
    fn seekable(_zelf: &Py<Self>) -> bool {
        false
    }

    /// Return whether either stream is a terminal.
    #[pymethod]
    fn isatty(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult {
        let writer = OverRaw::isatty(&zelf.writer, vm)?;
        if writer.clone().try_to_bool(vm)? {
            return Ok(writer);
        }
        OverRaw::isatty(&zelf.reader, vm)
    }

    /// Raise io.UnsupportedOperation: there may be two descriptors.
    #[pymethod]
    fn fileno(_zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult {
        Err(unsupported(vm, "fileno"))
    }

    /// Raise io.UnsupportedOperation.
    #[pymethod]
    fn detach(_zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult {
        Err(unsupported(vm, "detach"))
    }

    /// Raise io.UnsupportedOperation.
    #[pymethod]
    fn seek(
        _zelf: &Py<Self>,
        _target: PyObjectRef,
        _whence: common::Whence,
        vm: &VirtualMachine,
    ) -> PyResult {
        Err(unsupported(vm, "seek"))
    }

    /// Raise io.UnsupportedOperation.
    #[pymethod]
    fn tell(_zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult {
        Err(unsupported(vm, "seek"))
    }

    /// Raise io.UnsupportedOperation.
    #[pymethod]
    fn truncate(_zelf: &Py<Self>, _size: Size, vm: &VirtualMachine) -> PyResult {
        Err(unsupported(vm, "truncate"))
    }
}

impl Iterable for BufferedRWPair {
    fn iter(zelf: PyRef<Self>, vm: &VirtualMachine) -> PyResult {
        Self::check_closed(zelf.clone().into(), vm)?;
        Ok(zelf.into())
    }
}

impl IterNext for BufferedRWPair {
    fn next(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult<PyIterReturn> {
        let line = BufferedReader::line(&zelf.reader, None, vm)?;
        if line.is_empty() {
            return Ok(PyIterReturn::StopIteration(None));
        }
        Ok(PyIterReturn::Return(vm.ctx.new_bytes(line).to_pyobject(vm)))
    }
}

impl Destructor for BufferedRWPair {
    fn del(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult<()> {
        common::finalise(zelf.as_object(), &zelf.finalising, vm);
        Ok(())
    }
}

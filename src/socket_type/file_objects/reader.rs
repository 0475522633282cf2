//! `io.BufferedReader` over a socket.

use std::sync::atomic::{AtomicBool, Ordering};

use rustpython_vm::{
    AsObject, FromArgs, Py, PyObjectRef, PyPayload, PyResult, VirtualMachine,
    builtins::{PyBytesRef, PyType},
    convert::ToPyObject,
    object::{Traverse, TraverseFn},
    protocol::PyIterReturn,
    pyclass,
    types::{Constructor, Destructor, IterNext, Iterable, Representable},
};

use super::{
    closed_file,
    common::{self, FileObject, OverRaw, Size},
    exclusive::{Exclusive, Taken},
    raw::{Raw, ReadBuffer},
    unsupported,
};
use crate::{
    line_buffer::{Line, LineBuffer},
    memory::WriteMemory,
    text_lines,
};

/// What a text file says of its closed reader.
const CLOSED: &str = "I/O operation on closed file.";

#[derive(FromArgs)]
pub(crate) struct Arguments {
    #[pyarg(any)]
    pub(super) raw: PyObjectRef,
    #[pyarg(any, default = super::DEFAULT_SIZE, py_default = "131072")]
    pub(super) buffer_size: isize,
}

/// A buffer for a raw stream of bytes that are read.
#[pyclass(module = "_io", name = "BufferedReader", traverse = "manual")]
#[derive(PyPayload)]
pub(crate) struct BufferedReader {
    raw: Raw,
    /// How many bytes are asked for at once, at least.
    size: usize,
    buffer: Exclusive<ReadBuffer>,
    /// `close` ends the wait of another thread.
    closing: AtomicBool,
    finalising: AtomicBool,
}

impl std::fmt::Debug for BufferedReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BufferedReader")
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

// SAFETY: visits the one object that the payload owns.
unsafe impl Traverse for BufferedReader {
    fn traverse(&self, visit: &mut TraverseFn<'_>) {
        self.raw.owned().traverse(visit);
    }
}

impl Constructor for BufferedReader {
    type Args = Arguments;

    fn py_new(_class: &Py<PyType>, args: Self::Args, vm: &VirtualMachine) -> PyResult<Self> {
        Self::new(args.raw, args.buffer_size, vm)
    }
}

impl BufferedReader {
    pub(super) fn new(raw: PyObjectRef, size: isize, vm: &VirtualMachine) -> PyResult<Self> {
        let size = super::buffer_size(size, vm)?;
        super::check(&raw, "readable", "File or stream is not readable.", vm)?;
        Ok(Self {
            raw: Raw::new(raw, vm),
            size,
            buffer: Exclusive::default(),
            closing: AtomicBool::new(false),
            finalising: AtomicBool::new(false),
        })
    }

    /// Has the buffer to itself, for a read that may have to wait.
    ///
    /// # Errors
    ///
    /// Those of a file object that cannot be read, with this text where it is closed.
    fn enter<'a>(
        zelf: &'a Py<Self>,
        closed: &'static str,
        vm: &VirtualMachine,
    ) -> PyResult<Taken<'a, ReadBuffer>> {
        let reentrant = || super::reentrant(zelf.as_object(), vm);
        let mut buffer = zelf.buffer.take(vm, reentrant, || {})?;
        zelf.raw.check_readable(&mut buffer, closed, vm)?;
        Ok(buffer)
    }

    /// What `f` finds among the bytes that are there.
    #[inline]
    fn ready<R>(&self, f: impl FnOnce(&mut LineBuffer) -> Option<R>) -> Option<R> {
        self.buffer.with(|buffer| buffer.ready(f))?
    }

    fn fill(
        &self,
        buffer: &mut ReadBuffer,
        limit: usize,
        vm: &VirtualMachine,
    ) -> PyResult<Option<usize>> {
        self.raw.fill(buffer, limit, &self.closing, vm)
    }

    /// The next line with its end, cut at `limit` bytes; what is left at the end of the stream, or of a stream that does not block.
    #[inline]
    pub(super) fn line(
        zelf: &Py<Self>,
        limit: Option<usize>,
        vm: &VirtualMachine,
    ) -> PyResult<Vec<u8>> {
        let limit = limit.unwrap_or(usize::MAX);
        match zelf.ready(|data| data.take_line(limit)) {
            Some(line) => Ok(line),
            None => Self::line_from_raw(zelf, limit, vm),
        }
    }

    fn line_from_raw(zelf: &Py<Self>, limit: usize, vm: &VirtualMachine) -> PyResult<Vec<u8>> {
        let mut buffer = Self::enter(zelf, "readline of closed file", vm)?;
        let mut searched = 0;
        loop {
            if let Line::Ends(length) = buffer.data.find_line(searched, limit) {
                return Ok(buffer.data.take(length));
            }
            searched = buffer.data.len();
            if matches!(zelf.fill(&mut buffer, zelf.size, vm)?, None | Some(0)) {
                return Ok(buffer.data.take(usize::MAX));
            }
        }
    }

    /// Takes so many of the bytes that there are as `length` says, if it does.
    #[inline]
    pub(super) fn take_ready(
        &self,
        length: impl FnOnce(&[u8]) -> Option<usize>,
    ) -> Option<Vec<u8>> {
        self.ready(|data| length(data.bytes()).map(|length| data.take(length)))
    }

    /// Takes a line as `find` finds it, given the bytes, how many it has searched, and whether they are the last ones.
    pub(super) fn take_line(
        zelf: &Py<Self>,
        find: impl Fn(&[u8], usize, bool) -> text_lines::Line,
        vm: &VirtualMachine,
    ) -> PyResult<Vec<u8>> {
        let mut buffer = Self::enter(zelf, CLOSED, vm)?;
        let mut searched = 0;
        let mut is_last = false;
        loop {
            match find(buffer.data.bytes(), searched, is_last) {
                text_lines::Line::Ends(length) => return Ok(buffer.data.take(length)),
                text_lines::Line::Open(_) if is_last => return Ok(buffer.data.take(usize::MAX)),
                text_lines::Line::Open(so_far) => searched = so_far,
            }
            is_last = matches!(zelf.fill(&mut buffer, zelf.size, vm)?, None | Some(0));
        }
    }

    /// Takes as many bytes as `complete` says are so, after a read of the raw stream if there are none. At the end of the stream, all.
    pub(super) fn take_complete(
        zelf: &Py<Self>,
        complete: impl Fn(&[u8]) -> usize,
        vm: &VirtualMachine,
    ) -> PyResult<Vec<u8>> {
        let mut buffer = Self::enter(zelf, CLOSED, vm)?;
        loop {
            let length = complete(buffer.data.bytes());
            if length > 0 {
                return Ok(buffer.data.take(length));
            }
            if matches!(zelf.fill(&mut buffer, zelf.size, vm)?, None | Some(0)) {
                return Ok(buffer.data.take(usize::MAX));
            }
        }
    }

    pub(super) fn is_closed(&self, vm: &VirtualMachine) -> PyResult<bool> {
        self.raw.is_closed(vm)
    }

    /// # Errors
    ///
    /// OSError after a timeout.
    pub(super) fn check_in_time(&self, vm: &VirtualMachine) -> PyResult<()> {
        self.raw.check_in_time(vm)
    }

    pub(super) fn read_bytes(zelf: &Py<Self>, size: &Size, vm: &VirtualMachine) -> PyResult {
        zelf.raw.get(vm)?;
        if size.number() < -1 {
            return Err(vm.new_value_error("read length must be non-negative or -1"));
        }
        let Some(size) = size.limit() else {
            return Self::read_all(zelf, vm);
        };
        let ready =
            |data: &mut LineBuffer| (0 < size && size <= data.len()).then(|| data.take(size));
        if let Some(data) = zelf.ready(ready) {
            return Ok(vm.ctx.new_bytes(data).into());
        }
        let mut buffer = Self::enter(zelf, "read of closed file", vm)?;
        while buffer.data.len() < size {
            let missing = size - buffer.data.len();
            // Whole buffers go straight to where they are wanted; the memory grows with what there is, not with what is asked for.
            let limit = missing.min(buffer.data.len()).max(zelf.size);
            match zelf.fill(&mut buffer, limit, vm)? {
                Some(0) => break,
                None if buffer.data.is_empty() => return Ok(vm.ctx.none()),
                None => break,
                Some(_) => {}
            }
        }
        Ok(vm.ctx.new_bytes(buffer.data.take(size)).into())
    }

    pub(super) fn read_all(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult {
        let mut buffer = Self::enter(zelf, "read of closed file", vm)?;
        if !zelf.raw.is_direct(vm) {
            return Self::read_all_by_methods(zelf, &mut buffer, vm);
        }
        loop {
            let limit = buffer.data.len().max(zelf.size);
            match zelf.fill(&mut buffer, limit, vm)? {
                None if buffer.data.is_empty() => return Ok(vm.ctx.none()),
                None | Some(0) => return Ok(vm.ctx.new_bytes(buffer.data.take(usize::MAX)).into()),
                Some(_) => {}
            }
        }
    }

    /// By `readall` of the raw object if it has that, else by `read`.
    fn read_all_by_methods(
        zelf: &Py<Self>,
        buffer: &mut ReadBuffer,
        vm: &VirtualMachine,
    ) -> PyResult {
        let raw = zelf.raw.get(vm)?;
        let readall = vm.get_attribute_opt(raw, "readall")?;
        loop {
            let (method, read) = match &readall {
                Some(readall) => ("readall", readall.call((), vm)?),
                None => ("read", zelf.raw.call_until_uninterrupted("read", (), vm)?),
            };
            if !vm.is_none(&read) {
                let Some(bytes) = read.downcast_ref::<rustpython_vm::builtins::PyBytes>() else {
                    return Err(vm.new_type_error(format!("{method}() should return bytes")));
                };
                if readall.is_none() && !bytes.as_bytes().is_empty() {
                    buffer.data.append(bytes.as_bytes());
                    continue;
                }
                if buffer.data.is_empty() {
                    return Ok(read);
                }
                buffer.data.append(bytes.as_bytes());
            } else if buffer.data.is_empty() {
                return Ok(read);
            }
            return Ok(vm.ctx.new_bytes(buffer.data.take(usize::MAX)).into());
        }
    }

    pub(super) fn read_once(
        zelf: &Py<Self>,
        size: &Size,
        vm: &VirtualMachine,
    ) -> PyResult<Vec<u8>> {
        let size = size.limit().unwrap_or(zelf.size);
        let ready = |data: &mut LineBuffer| (!data.is_empty()).then(|| data.take(size));
        if let Some(data) = zelf.ready(ready) {
            return Ok(data);
        }
        let mut buffer = Self::enter(zelf, "read of closed file", vm)?;
        if size > 0 && buffer.data.is_empty() {
            zelf.fill(&mut buffer, size, vm)?;
        }
        Ok(buffer.data.take(size))
    }

    pub(super) fn look(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult<Vec<u8>> {
        let mut buffer = Self::enter(zelf, "peek of closed file", vm)?;
        if buffer.data.is_empty() {
            zelf.fill(&mut buffer, zelf.size, vm)?;
        }
        Ok(buffer.data.bytes().to_vec())
    }

    /// `readinto` and, with `once`, `readinto1`, which reads from the raw object once at most.
    pub(super) fn read_into(
        zelf: &Py<Self>,
        memory: &WriteMemory,
        once: bool,
        vm: &VirtualMachine,
    ) -> PyResult<Option<usize>> {
        let mut buffer = Self::enter(zelf, "readinto of closed file", vm)?;
        let mut done = buffer.data.take_into(&mut memory.borrow());
        let mut has_read = false;
        while done < memory.len() && !(once && has_read) {
            let missing = memory.len() - done;
            if once && done > 0 && missing <= zelf.size {
                break;
            }
            let received = (missing > zelf.size)
                .then(|| zelf.raw.receive_into(memory, done, &zelf.closing, vm))
                .flatten();
            let result = match received {
                Some(result) => result,
                None => zelf.fill(&mut buffer, missing.max(zelf.size), vm),
            };
            has_read = true;
            match result {
                Ok(Some(count)) if count > 0 && buffer.data.is_empty() => done += count,
                Ok(Some(count)) if count > 0 => {
                    let mut memory = memory.borrow();
                    let rest = memory.get_mut(done..).unwrap_or_default();
                    if rest.is_empty() {
                        // It has shrunk meanwhile.
                        break;
                    }
                    done += buffer.data.take_into(rest);
                }
                Ok(None) if done == 0 => return Ok(None),
                Ok(_) => break,
                Err(error) => {
                    // Nothing that was received is lost.
                    let read = memory.borrow();
                    buffer.data.put_back(read.get(..done).unwrap_or_default());
                    return Err(error);
                }
            }
        }
        Ok(Some(done))
    }

    pub(super) fn all_lines(
        zelf: &Py<Self>,
        hint: &Size,
        vm: &VirtualMachine,
    ) -> PyResult<Vec<PyObjectRef>> {
        common::lines(hint, || {
            let line = Self::line(zelf, None, vm)?;
            let length = line.len();
            Ok((length > 0).then(|| (vm.ctx.new_bytes(line).into(), length)))
        })
    }

    pub(super) fn end(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult {
        if zelf.raw.is_closed(vm)? {
            return Ok(vm.ctx.none());
        }
        if zelf.finalising.load(Ordering::Relaxed) {
            OverRaw::_dealloc_warn(zelf, zelf.as_object().to_owned(), vm);
        }
        let result = Self::close_raw(zelf, vm);
        zelf.closing.store(false, Ordering::Release);
        result
    }

    fn close_raw(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult {
        let take = || {
            let reentrant = || super::reentrant(zelf.as_object(), vm);
            zelf.buffer.take(vm, reentrant, || {
                zelf.closing.store(true, Ordering::Release);
                zelf.raw.wake();
            })
        };
        drop(take()?);
        let flushed = vm.call_method(zelf.as_object(), "flush", ()).map(drop);
        let mut buffer = take()?;
        let closed = vm.call_method(zelf.raw.get(vm)?, "close", ());
        *buffer = ReadBuffer::default();
        common::both(flushed, closed)
    }
}

impl FileObject for BufferedReader {
    const STANDS_FOR: &'static str = "BufferedReader";
}

impl OverRaw for BufferedReader {
    fn raw(&self) -> &Raw {
        &self.raw
    }
}

#[pyclass(
    with(
        Constructor,
        Destructor,
        Iterable,
        IterNext,
        Representable,
        FileObject,
        OverRaw
    ),
    flags(HAS_DICT, HAS_WEAKREF)
)]
impl BufferedReader {
    /// Read size bytes, or all up to the end of the stream; fewer only there. A stream that does not block gives what it has, and
    /// None if that is nothing.
    #[pymethod]
    fn read(zelf: &Py<Self>, size: Size, vm: &VirtualMachine) -> PyResult {
        Self::read_bytes(zelf, &size, vm)
    }

    /// Read up to size bytes, with at most one read of the raw stream.
    #[pymethod]
    fn read1(zelf: &Py<Self>, size: Size, vm: &VirtualMachine) -> PyResult<PyBytesRef> {
        Ok(vm.ctx.new_bytes(Self::read_once(zelf, &size, vm)?))
    }

    /// Return bytes without taking them, at most one read of the raw stream; how many is not up to the argument.
    #[pymethod]
    fn peek(zelf: &Py<Self>, _size: Size, vm: &VirtualMachine) -> PyResult<PyBytesRef> {
        Ok(vm.ctx.new_bytes(Self::look(zelf, vm)?))
    }

    /// Read into a buffer until it is full or the stream ends. Return the number of bytes, or None if a stream that does not block
    /// has none.
    #[pymethod]
    fn readinto(
        zelf: &Py<Self>,
        buffer: WriteMemory,
        vm: &VirtualMachine,
    ) -> PyResult<Option<usize>> {
        Self::read_into(zelf, &buffer, false, vm)
    }

    /// Read into a buffer with at most one read of the raw stream. Return the number of bytes.
    #[pymethod]
    fn readinto1(
        zelf: &Py<Self>,
        buffer: WriteMemory,
        vm: &VirtualMachine,
    ) -> PyResult<Option<usize>> {
        Self::read_into(zelf, &buffer, true, vm)
    }

    /// Read a line with its end, or size bytes of it at most.
    #[pymethod]
    fn readline(zelf: &Py<Self>, size: Size, vm: &VirtualMachine) -> PyResult<PyBytesRef> {
        Ok(vm.ctx.new_bytes(Self::line(zelf, size.limit(), vm)?))
    }

    /// Read lines up to the end of the stream; with a hint, only until they have that many bytes together.
    #[pymethod]
    fn readlines(zelf: &Py<Self>, hint: Size, vm: &VirtualMachine) -> PyResult<Vec<PyObjectRef>> {
        if zelf.raw.is_closed(vm)? {
            return Err(closed_file(vm));
        }
        Self::all_lines(zelf, &hint, vm)
    }

    /// Flush the raw stream.
    #[pymethod]
    fn flush(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult {
        vm.call_method(zelf.raw.get(vm)?, "flush", ())
    }

    /// Close the raw stream. A thread that waits in a read from a socket ends with OSError.
    #[pymethod]
    fn close(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult {
        Self::end(zelf, vm)
    }

    /// Separate the raw stream and return it. The file object is of no use any more, and what is in its buffer is lost.
    #[pymethod]
    fn detach(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult {
        Self::flush(zelf, vm)?;
        let reentrant = || super::reentrant(zelf.as_object(), vm);
        let mut buffer = zelf.buffer.take(vm, reentrant, || {})?;
        *buffer = ReadBuffer::default();
        zelf.raw.detach(vm)
    }

    /// Return whether the raw stream can be read.
    #[pymethod]
    fn readable(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult {
        vm.call_method(zelf.raw.get(vm)?, "readable", ())
    }

    /// Return False.
    #[pymethod]
    fn writable(_zelf: &Py<Self>) -> bool {
        false
    }

    /// Raise io.UnsupportedOperation.
    #[pymethod]
    fn write(_zelf: &Py<Self>, _data: PyObjectRef, vm: &VirtualMachine) -> PyResult {
        Err(unsupported(vm, "write"))
    }

    /// Raise io.UnsupportedOperation.
    #[pymethod]
    fn truncate(zelf: &Py<Self>, _size: Size, vm: &VirtualMachine) -> PyResult {
        zelf.raw.check_open("truncate of closed file", vm)?;
        Err(unsupported(vm, "truncate"))
    }
}

impl Iterable for BufferedReader {
    fn iter(zelf: rustpython_vm::PyRef<Self>, vm: &VirtualMachine) -> PyResult {
        if zelf.raw.is_closed(vm)? {
            return Err(closed_file(vm));
        }
        Ok(zelf.into())
    }
}

impl IterNext for BufferedReader {
    fn next(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult<PyIterReturn> {
        let line = Self::line(zelf, None, vm)?;
        if line.is_empty() {
            return Ok(PyIterReturn::StopIteration(None));
        }
        Ok(PyIterReturn::Return(vm.ctx.new_bytes(line).to_pyobject(vm)))
    }
}

impl Representable for BufferedReader {
    fn repr_str(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult<String> {
        common::repr(zelf.as_object(), vm)
    }
}

impl Destructor for BufferedReader {
    fn del(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult<()> {
        common::finalise(zelf.as_object(), &zelf.finalising, vm);
        Ok(())
    }
}

//! `io.BufferedWriter` over a socket.

use std::{
    mem,
    sync::atomic::{AtomicBool, Ordering},
};

use rustpython_vm::{
    AsObject, Py, PyObjectRef, PyPayload, PyResult, VirtualMachine,
    builtins::{PyBaseExceptionRef, PyType},
    function::ArgIterable,
    object::{Traverse, TraverseFn},
    protocol::PyIterReturn,
    pyclass,
    types::{Constructor, Destructor, IterNext, Iterable, Representable},
};

use super::{
    super::send::Data,
    closed_file,
    common::{self, FileObject, OverRaw, Size},
    exclusive::{Exclusive, Taken},
    raw::Raw,
    reader::Arguments,
    unsupported,
};

/// A buffer for a raw stream of bytes that are written.
#[pyclass(module = "_io", name = "BufferedWriter", traverse = "manual")]
#[derive(PyPayload)]
pub(crate) struct BufferedWriter {
    raw: Raw,
    /// How many bytes may wait to be written.
    size: usize,
    pending: Exclusive<Vec<u8>>,
    finalising: AtomicBool,
}

impl std::fmt::Debug for BufferedWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BufferedWriter")
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

// SAFETY: visits the one object that the payload owns.
unsafe impl Traverse for BufferedWriter {
    fn traverse(&self, visit: &mut TraverseFn<'_>) {
        self.raw.owned().traverse(visit);
    }
}

impl Constructor for BufferedWriter {
    type Args = Arguments;

    fn py_new(_class: &Py<PyType>, args: Self::Args, vm: &VirtualMachine) -> PyResult<Self> {
        Self::new(args.raw, args.buffer_size, vm)
    }
}

/// The memory that the first write takes: for a request or an answer, and not for all that may be buffered.
const FIRST_CAPACITY: usize = 4096;

/// A raw stream that does not block takes no more; so many bytes of the caller's have been taken.
fn would_block(vm: &VirtualMachine, taken: usize) -> PyBaseExceptionRef {
    let text = "write could not complete without blocking";
    let arguments = vec![
        vm.ctx.new_int(libc::EAGAIN).into(),
        vm.ctx.new_str(text).into(),
        vm.ctx.new_int(taken).into(),
    ];
    match vm.invoke_exception(vm.ctx.exceptions.blocking_io_error, arguments) {
        Ok(error) | Err(error) => error,
    }
}

impl BufferedWriter {
    pub(super) fn new(raw: PyObjectRef, size: isize, vm: &VirtualMachine) -> PyResult<Self> {
        super::check(&raw, "writable", "File or stream is not writable.", vm)?;
        Ok(Self {
            size: super::buffer_size(size, vm)?,
            raw: Raw::new(raw, vm),
            pending: Exclusive::default(),
            finalising: AtomicBool::new(false),
        })
    }

    fn enter<'a>(zelf: &'a Py<Self>, vm: &VirtualMachine) -> PyResult<Taken<'a, Vec<u8>>> {
        let reentrant = || super::reentrant(zelf.as_object(), vm);
        zelf.pending.take(vm, reentrant, || {})
    }

    /// Appends the data to what is pending, if there is room for all of it.
    fn buffer(&self, pending: &mut Vec<u8>, data: &[u8]) -> bool {
        let fits = data.len() <= self.size.saturating_sub(pending.len());
        if fits {
            if pending.capacity() == 0 {
                pending.reserve(self.size.min(FIRST_CAPACITY));
            }
            pending.extend_from_slice(data);
        }
        fits
    }

    /// Appends as much of the data behind its first `from` bytes as there is room for. Returns how much.
    fn buffer_part(&self, pending: &mut Vec<u8>, data: &Data, from: usize) -> usize {
        data.with_rest(from, |data| {
            let room = self.size.saturating_sub(pending.len());
            let part = data.get(..room).unwrap_or(data);
            pending.extend_from_slice(part);
            part.len()
        })
    }

    #[inline]
    pub(super) fn write_bytes(
        zelf: &Py<Self>,
        data: &Data,
        vm: &VirtualMachine,
    ) -> PyResult<usize> {
        zelf.raw.check_open("write to closed file", vm)?;
        let buffered = zelf
            .pending
            .with(|pending| data.with_rest(0, |data| zelf.buffer(pending, data)));
        if buffered == Some(true) {
            return Ok(data.len());
        }
        Self::write_through(zelf, data, vm)
    }

    /// [`Self::write_bytes`] of bytes that belong to no object.
    #[inline]
    pub(super) fn write_slice(zelf: &Py<Self>, data: &[u8], vm: &VirtualMachine) -> PyResult<()> {
        zelf.raw.check_open("write to closed file", vm)?;
        if zelf.pending.with(|pending| zelf.buffer(pending, data)) != Some(true) {
            let data = Data::Bytes(vm.ctx.new_bytes(data.to_vec()));
            Self::write_through(zelf, &data, vm)?;
        }
        Ok(())
    }

    pub(super) fn is_closed(&self, vm: &VirtualMachine) -> PyResult<bool> {
        self.raw.is_closed(vm)
    }

    fn write_through(zelf: &Py<Self>, data: &Data, vm: &VirtualMachine) -> PyResult<usize> {
        let mut pending = Self::enter(zelf, vm)?;
        zelf.raw.check_open("write to closed file", vm)?;
        let length = data.len();
        if let Err(error) = zelf.write_pending(&mut pending, vm) {
            if !error.fast_isinstance(vm.ctx.exceptions.blocking_io_error) {
                return Err(error);
            }
            return match zelf.buffer_part(&mut pending, data, 0) {
                taken if taken == length => Ok(length),
                taken => Err(would_block(vm, taken)),
            };
        }
        let mut written = 0;
        // More than a buffer goes straight to the raw stream.
        while length - written > zelf.size {
            match zelf.raw.write(data, written, vm)? {
                Some(count) => {
                    written += count;
                    vm.check_signals()?;
                }
                None => {
                    let taken = written + zelf.buffer_part(&mut pending, data, written);
                    return Err(would_block(vm, taken));
                }
            }
        }
        zelf.buffer_part(&mut pending, data, written);
        Ok(length)
    }

    /// Writes what is pending. What the raw stream did not take before an error stays.
    fn write_pending(&self, pending: &mut Vec<u8>, vm: &VirtualMachine) -> PyResult<()> {
        if pending.is_empty() {
            return Ok(());
        }
        let bytes = vm.ctx.new_bytes(mem::take(pending));
        let data = Data::Bytes(bytes.clone());
        let mut written = 0;
        let mut write = || {
            while written < data.len() {
                match self.raw.write(&data, written, vm)? {
                    Some(count) => written += count,
                    None => return Err(would_block(vm, 0)),
                }
                // A part may be all that there is because of a signal.
                vm.check_signals()?;
            }
            Ok(())
        };
        let result = write();
        *pending = bytes.as_bytes().get(written..).unwrap_or_default().to_vec();
        result
    }

    pub(super) fn write_out(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult<()> {
        zelf.raw.check_open("flush of closed file", vm)?;
        if zelf.pending.with(|pending| pending.is_empty()) == Some(true) {
            return Ok(());
        }
        let mut pending = Self::enter(zelf, vm)?;
        zelf.raw.check_open("flush of closed file", vm)?;
        zelf.write_pending(&mut pending, vm)
    }

    pub(super) fn write_lines(
        zelf: &Py<Self>,
        lines: ArgIterable,
        vm: &VirtualMachine,
    ) -> PyResult<()> {
        for line in lines.iter(vm)? {
            Self::write_bytes(zelf, &Data::new(vm, line?)?, vm)?;
        }
        Ok(())
    }

    pub(super) fn end(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult {
        if zelf.raw.is_closed(vm)? {
            return Ok(vm.ctx.none());
        }
        if zelf.finalising.load(Ordering::Relaxed) {
            OverRaw::_dealloc_warn(zelf, zelf.as_object().to_owned(), vm);
        }
        // Another thread that writes goes first.
        drop(Self::enter(zelf, vm)?);
        if zelf.raw.is_closed(vm)? {
            return Ok(vm.ctx.none());
        }
        let flushed = vm.call_method(zelf.as_object(), "flush", ()).map(drop);
        // Who writes meanwhile waits, and finds it closed.
        let mut pending = Self::enter(zelf, vm)?;
        let closed = vm.call_method(zelf.raw.get(vm)?, "close", ());
        *pending = Vec::new();
        common::both(flushed, closed)
    }
}

impl FileObject for BufferedWriter {
    const STANDS_FOR: &'static str = "BufferedWriter";
}

impl OverRaw for BufferedWriter {
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
impl BufferedWriter {
    /// Write all of the data, which is sent when the buffer is full, or by flush(). Return its length.
    #[pymethod]
    fn write(zelf: &Py<Self>, data: PyObjectRef, vm: &VirtualMachine) -> PyResult<usize> {
        let data = Data::new(vm, data)?;
        Self::write_bytes(zelf, &data, vm)
    }

    /// Write each element of an iterable.
    #[pymethod]
    fn writelines(zelf: &Py<Self>, lines: ArgIterable, vm: &VirtualMachine) -> PyResult<()> {
        if zelf.raw.is_closed(vm)? {
            return Err(closed_file(vm));
        }
        Self::write_lines(zelf, lines, vm)
    }

    /// Send what is in the buffer. After an error, what was not sent is still there.
    #[pymethod]
    fn flush(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult<()> {
        Self::write_out(zelf, vm)
    }

    /// Send what is in the buffer, and close the raw stream, even if that fails.
    #[pymethod]
    fn close(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult {
        Self::end(zelf, vm)
    }

    /// Send what is in the buffer, separate the raw stream and return it. The file object is of no use any more.
    #[pymethod]
    fn detach(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult {
        Self::write_out(zelf, vm)?;
        zelf.raw.detach(vm)
    }

    /// Return False.
    #[pymethod]
    fn readable(_zelf: &Py<Self>) -> bool {
        false
    }

    /// Return whether the raw stream can be written.
    #[pymethod]
    fn writable(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult {
        vm.call_method(zelf.raw.get(vm)?, "writable", ())
    }

    /// Call truncate() of the raw stream, which a socket cannot do.
    #[pymethod]
    fn truncate(zelf: &Py<Self>, size: Size, vm: &VirtualMachine) -> PyResult {
        Self::write_out(zelf, vm)?;
        let size = size
            .limit()
            .map_or_else(|| vm.ctx.none(), |size| vm.ctx.new_int(size).into());
        vm.call_method(zelf.raw.get(vm)?, "truncate", (size,))
    }

    /// Raise io.UnsupportedOperation.
    #[pymethod]
    fn read(_zelf: &Py<Self>, _size: Size, vm: &VirtualMachine) -> PyResult {
        Err(unsupported(vm, "read"))
    }

    /// Raise io.UnsupportedOperation.
    #[pymethod]
    fn read1(_zelf: &Py<Self>, _size: Size, vm: &VirtualMachine) -> PyResult {
        Err(unsupported(vm, "read1"))
    }

    /// Raise io.UnsupportedOperation.
    #[pymethod]
    fn readinto(_zelf: &Py<Self>, _buffer: PyObjectRef, vm: &VirtualMachine) -> PyResult {
        Err(unsupported(vm, "read"))
    }

    /// Raise io.UnsupportedOperation.
    #[pymethod]
    fn readinto1(_zelf: &Py<Self>, _buffer: PyObjectRef, vm: &VirtualMachine) -> PyResult {
        Err(unsupported(vm, "read1"))
    }

    /// Raise io.UnsupportedOperation.
    #[pymethod]
    fn readline(_zelf: &Py<Self>, _size: Size, vm: &VirtualMachine) -> PyResult {
        Err(unsupported(vm, "read"))
    }

    /// Raise io.UnsupportedOperation.
    #[pymethod]
    fn readlines(_zelf: &Py<Self>, _hint: Size, vm: &VirtualMachine) -> PyResult {
        Err(unsupported(vm, "read"))
    }
}

impl Iterable for BufferedWriter {
    fn iter(zelf: rustpython_vm::PyRef<Self>, vm: &VirtualMachine) -> PyResult {
        if zelf.raw.is_closed(vm)? {
            return Err(closed_file(vm));
        }
        Ok(zelf.into())
    }
}

impl IterNext for BufferedWriter {
    fn next(_zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult<PyIterReturn> {
        Err(unsupported(vm, "read"))
    }
}

impl Representable for BufferedWriter {
    fn repr_str(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult<String> {
        common::repr(zelf.as_object(), vm)
    }
}

impl Destructor for BufferedWriter {
    fn del(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult<()> {
        common::finalise(zelf.as_object(), &zelf.finalising, vm);
        Ok(())
    }
}

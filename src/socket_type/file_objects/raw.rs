//! The raw object below a buffer: read from and written to directly where it is a socket's own, by its methods where not.

use std::{
    io,
    ops::Range,
    sync::atomic::{AtomicBool, Ordering},
};

use rustpython_vm::{
    AsObject, PyObject, PyObjectRef, PyPayload, PyRef, PyResult, TryFromObject, VirtualMachine,
    builtins::{PyBaseExceptionRef, PyMemoryView},
    class::StaticType,
    function::{ArgMemoryBuffer, IntoFuncArgs},
    protocol::{BufferFlags, PyBuffer, VecBuffer},
};

use super::{
    super::{receive::as_uninit, send::{self, Data}, system},
    socket_io::{self, SocketIo},
};
use crate::{blocking_bridge::run_handlers, line_buffer::LineBuffer, reactor::Direction};

/// What was read and not yet asked for.
#[derive(Default)]
pub(super) struct ReadBuffer {
    pub(super) data: LineBuffer,
    /// The memory that a raw object in Python reads into, kept so as not to be cleared each time.
    scratch: Vec<u8>,
}

pub(super) struct Raw {
    object: PyObjectRef,
    /// Whether it is closed is told by the native part of `SocketIO`.
    tells_directly: bool,
    detached: AtomicBool,
}

impl Raw {
    pub(super) fn new(object: PyObjectRef, vm: &VirtualMachine) -> Self {
        let tells_directly = object.downcast_ref::<SocketIo>().is_some()
            && socket_io::is_native(&object, SocketIo::static_type(), "closed", vm);
        Self {
            object,
            tells_directly,
            detached: AtomicBool::new(false),
        }
    }

    /// # Errors
    ///
    /// ValueError when the buffer has been detached from it.
    pub(super) fn get(&self, vm: &VirtualMachine) -> PyResult<&PyObject> {
        if self.detached.load(Ordering::Acquire) {
            return Err(vm.new_value_error("raw stream has been detached"));
        }
        Ok(&self.object)
    }

    /// The raw object, also when detached: what the collector of garbage has to know.
    pub(super) fn owned(&self) -> &PyObjectRef {
        &self.object
    }

    pub(super) fn detach(&self, vm: &VirtualMachine) -> PyResult {
        let raw = self.get(vm)?.to_owned();
        self.detached.store(true, Ordering::Release);
        Ok(raw)
    }

    #[inline]
    pub(super) fn is_closed(&self, vm: &VirtualMachine) -> PyResult<bool> {
        let raw = self.get(vm)?;
        if self.tells_directly
            && let Some(raw) = raw.downcast_ref::<SocketIo>()
        {
            return Ok(raw.is_closed());
        }
        raw.get_attr("closed", vm)?.try_to_bool(vm)
    }

    /// # Errors
    ///
    /// ValueError with this text when the raw object is closed; see also [`Self::get`].
    #[inline]
    pub(super) fn check_open(&self, text: &'static str, vm: &VirtualMachine) -> PyResult<()> {
        if self.is_closed(vm)? {
            return Err(vm.new_value_error(text));
        }
        Ok(())
    }

    /// Whether reads make the system calls themselves.
    pub(super) fn is_direct(&self, vm: &VirtualMachine) -> bool {
        let io = self.object.downcast_ref::<SocketIo>();
        io.is_some_and(|io| SocketIo::direct_receiver(io, vm).is_some())
    }

    /// Ends the wait of a thread that reads from the socket itself.
    pub(super) fn wake(&self) {
        if let Some(raw) = self.object.downcast_ref::<SocketIo>() {
            raw.wake();
        }
    }

    /// One raw read of at most `limit` bytes, which go behind those in the buffer. 0 at the end of the stream; `None` where the
    /// raw object does not block and has nothing. `stop` ends a wait with `EBADF`.
    pub(super) fn fill(
        &self,
        buffer: &mut ReadBuffer,
        limit: usize,
        stop: &AtomicBool,
        vm: &VirtualMachine,
    ) -> PyResult<Option<usize>> {
        let raw = self.get(vm)?;
        let Some(io) = raw.downcast_ref::<SocketIo>() else {
            return self.fill_by_method(buffer, limit, vm);
        };
        let Some(socket) = SocketIo::direct_receiver(io, vm) else {
            return self.fill_by_method(buffer, limit, vm);
        };
        io.check_readable(vm)?;
        let data = &mut buffer.data;
        let received = socket.blocking(vm, 0, |call, _| {
            call.run(Direction::Read, |fd| {
                if stop.load(Ordering::Acquire) || io.is_closed() {
                    return Err(io::Error::from_raw_os_error(libc::EBADF));
                }
                let memory = data.reserve(limit).map_err(|_| io::Error::from_raw_os_error(libc::ENOMEM))?;
                let room = memory.spare_capacity_mut();
                let room = room.get_mut(..limit).unwrap_or_default();
                let received = system::receive(fd, room, 0);
                let count = *received.as_ref().unwrap_or(&0);
                // SAFETY: the kernel has written that many bytes of the capacity.
                unsafe { memory.set_len(memory.len() + count) };
                // While it waits, an empty buffer holds no memory.
                data.settle();
                received
            })
        });
        data.settle();
        io.received(received, vm)
    }

    fn fill_by_method(
        &self,
        buffer: &mut ReadBuffer,
        limit: usize,
        vm: &VirtualMachine,
    ) -> PyResult<Option<usize>> {
        if buffer.scratch.len() < limit {
            buffer.scratch = vm.new_zeroed_bytes(limit)?;
        }
        let memory = VecBuffer::from(std::mem::take(&mut buffer.scratch)).into_ref(&vm.ctx);
        let view = PyMemoryView::from_buffer_range(memory.clone().into_pybuffer(false), 0..limit, vm)?
            .into_ref(&vm.ctx);
        let result = self.call_until_uninterrupted("readinto", (view.clone(),), vm);
        view.release();
        buffer.scratch = memory.take();
        let count = self.count("readinto", result?, limit, vm)?;
        if let Some(bytes) = buffer.scratch.get(..count.unwrap_or(0)) {
            buffer.data.append(bytes);
        }
        Ok(count)
    }

    /// One raw read into memory behind its first `from` bytes.
    pub(super) fn read_into(
        &self,
        memory: &ArgMemoryBuffer,
        from: usize,
        stop: &AtomicBool,
        vm: &VirtualMachine,
    ) -> PyResult<Option<usize>> {
        let raw = self.get(vm)?;
        let io = raw.downcast_ref::<SocketIo>();
        if let Some(io) = io
            && let Some(socket) = SocketIo::direct_receiver(io, vm)
        {
            io.check_readable(vm)?;
            let received = socket.blocking(vm, 0, |call, _| {
                call.run(Direction::Read, |fd| {
                    if stop.load(Ordering::Acquire) || io.is_closed() {
                        return Err(io::Error::from_raw_os_error(libc::EBADF));
                    }
                    // Borrowed for each attempt only: a borrow locks the object, and others may need it.
                    let mut memory = memory.borrow_buf_mut();
                    let room = memory.get_mut(from..).unwrap_or_default();
                    system::receive(fd, as_uninit(room), 0)
                })
            });
            return io.received(received, vm);
        }
        let length = memory.len();
        let object = memory.source_object();
        let view = bytes_view(object, BufferFlags::WRITABLE, from..length, vm)?;
        let result = self.call_until_uninterrupted("readinto", (view.clone(),), vm);
        view.release();
        self.count("readinto", result?, length.saturating_sub(from), vm)
    }

    /// One raw write of the data behind its first `from` bytes. Returns how many the raw object took; `None` where it does not
    /// block and takes nothing now.
    pub(super) fn write(
        &self,
        data: &Data,
        from: usize,
        vm: &VirtualMachine,
    ) -> PyResult<Option<usize>> {
        let raw = self.get(vm)?;
        if let Some(io) = raw.downcast_ref::<SocketIo>()
            && let Some(socket) = SocketIo::direct_sender(io, vm)
        {
            io.check_writable(vm)?;
            return socket_io::or_none(send::send_rest(&socket, data, from, 0, None, vm), vm);
        }
        let length = data.len();
        let object = match data {
            Data::Bytes(bytes) => bytes.as_object(),
            Data::Buffer(buffer) => buffer.source_object(),
        };
        let view = bytes_view(object, BufferFlags::SIMPLE, from..length, vm)?;
        let result = self.call_until_uninterrupted("write", (view.clone(),), vm);
        view.release();
        self.count("write", result?, length.saturating_sub(from), vm)
    }

    /// PEP 475, for raw objects that let EINTR out.
    pub(super) fn call_until_uninterrupted(
        &self,
        method: &'static str,
        arguments: impl IntoFuncArgs + Clone,
        vm: &VirtualMachine,
    ) -> PyResult {
        loop {
            match vm.call_method(self.get(vm)?, method, arguments.clone()) {
                Err(error) if is_interrupted(&error, vm) => run_handlers(vm)?,
                result => return result,
            }
        }
    }

    /// What a raw read or write has returned.
    fn count(
        &self,
        method: &'static str,
        returned: PyObjectRef,
        limit: usize,
        vm: &VirtualMachine,
    ) -> PyResult<Option<usize>> {
        if vm.is_none(&returned) {
            return Ok(None);
        }
        let (shown, cause) = match isize::try_from_object(vm, returned) {
            Ok(count) => match usize::try_from(count) {
                Ok(count) if count <= limit => return Ok(Some(count)),
                _ => (count, None),
            },
            Err(error) if method == "readinto" => (-1, Some(error)),
            Err(error) => return Err(error),
        };
        let error = vm.new_os_error(format!(
            "raw {method}() returned invalid length {shown} (should have been between 0 and {limit})"
        ));
        if cause.is_some() {
            error.set_cause(cause);
        }
        Err(error)
    }
}

/// A view of a part of an object's bytes.
fn bytes_view(
    object: &PyObject,
    flags: BufferFlags,
    range: Range<usize>,
    vm: &VirtualMachine,
) -> PyResult<PyRef<PyMemoryView>> {
    let buffer = PyBuffer::from_object(vm, object, flags)?;
    Ok(PyMemoryView::from_buffer_range(buffer, range, vm)?.into_ref(&vm.ctx))
}

fn is_interrupted(error: &PyBaseExceptionRef, vm: &VirtualMachine) -> bool {
    error.fast_isinstance(vm.ctx.exceptions.interrupted_error)
}

//! The raw object below a buffer: read from and written to directly where it is a socket's own, by its methods where not.

use std::{
    io,
    sync::atomic::{AtomicBool, Ordering},
};

use rustpython_vm::{
    AsObject, PyObject, PyObjectRef, PyPayload, PyResult, TryFromObject, VirtualMachine,
    builtins::{PyBaseExceptionRef, PyMemoryView},
    class::StaticType,
    function::IntoFuncArgs,
    protocol::{BufferFlags, PyBuffer, VecBuffer},
};

use super::{
    super::{
        receive::as_uninit,
        send::{self, Data},
        system,
    },
    socket_io::{self, SocketIo},
};
use crate::{
    blocking_bridge::{Failure, run_handlers},
    line_buffer::LineBuffer,
    memory::WriteMemory,
    reactor::Direction,
};

/// Memory of more bytes than this is not kept.
const MOST_SCRATCH: usize = 128 * 1024;

/// What was read and not yet asked for.
#[derive(Default)]
pub(super) struct ReadBuffer {
    pub(super) data: LineBuffer,
    /// The memory that a raw object in Python reads into, kept so as not to be cleared each time.
    scratch: Vec<u8>,
    /// A timeout has ended the reads, as it does for good on CPython: what is there may be but a part of what was wanted.
    is_stale: bool,
}

impl ReadBuffer {
    /// Runs `f` on the bytes, unless they are not to be read as they are.
    #[inline]
    pub(super) fn ready<R>(&mut self, f: impl FnOnce(&mut LineBuffer) -> Option<R>) -> Option<R> {
        if self.is_stale {
            return None;
        }
        f(&mut self.data)
    }
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

    /// # Errors
    ///
    /// OSError after a timeout of an open file.
    pub(super) fn check_in_time(&self, vm: &VirtualMachine) -> PyResult<()> {
        match self.get(vm)?.downcast_ref::<SocketIo>() {
            Some(raw) if !raw.is_closed() => raw.check_in_time(vm),
            _ => Ok(()),
        }
    }

    /// Before a read that may need more than there is: with bytes in the buffer, it does not matter yet whether the raw object is
    /// closed.
    pub(super) fn check_readable(
        &self,
        buffer: &mut ReadBuffer,
        text: &'static str,
        vm: &VirtualMachine,
    ) -> PyResult<()> {
        self.check_in_time(vm)?;
        if buffer.data.is_empty() {
            self.check_open(text, vm)?;
        }
        buffer.is_stale = false;
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
                let memory = data
                    .reserve(limit)
                    .map_err(|_| io::Error::from_raw_os_error(libc::ENOMEM))?;
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
        buffer.is_stale = matches!(received, Err(Failure::TimedOut));
        if matches!(received, Err(Failure::Errno(libc::ENOMEM))) {
            return Err(vm.no_memory_error());
        }
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
        let view =
            PyMemoryView::from_buffer_range(memory.clone().into_pybuffer(false), 0..limit, vm)?
                .into_ref(&vm.ctx);
        let result = self.call_until_uninterrupted("readinto", (view.clone(),), vm);
        view.release();
        buffer.scratch = memory.take();
        let count = self.count("readinto", result?, limit, vm)?;
        if let Some(bytes) = buffer.scratch.get(..count.unwrap_or(0)) {
            buffer.data.append(bytes);
        }
        if buffer.scratch.len() > MOST_SCRATCH {
            buffer.scratch = Vec::new();
        }
        Ok(count)
    }

    /// One receive into memory behind its first `from` bytes; `None` for a raw object that is read by its methods.
    pub(super) fn receive_into(
        &self,
        memory: &WriteMemory,
        from: usize,
        stop: &AtomicBool,
        vm: &VirtualMachine,
    ) -> Option<PyResult<Option<usize>>> {
        let io = self.object.downcast_ref::<SocketIo>()?;
        let socket = SocketIo::direct_receiver(io, vm)?;
        if let Err(error) = io.check_readable(vm) {
            return Some(Err(error));
        }
        let received = socket.blocking(vm, 0, |call, _| {
            call.run(Direction::Read, |fd| {
                if stop.load(Ordering::Acquire) || io.is_closed() {
                    return Err(io::Error::from_raw_os_error(libc::EBADF));
                }
                // Borrowed for each attempt only: a borrow locks the object, and others may need it.
                let mut memory = memory.borrow();
                let room = memory.get_mut(from..).unwrap_or_default();
                system::receive(fd, as_uninit(room), 0)
            })
        });
        Some(io.received(received, vm))
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
        // A view of a part of other items than bytes is beyond the VM, so they are copied.
        let view = match data {
            Data::Bytes(bytes) => {
                let buffer = PyBuffer::from_object(vm, bytes.as_object(), BufferFlags::SIMPLE)?;
                PyMemoryView::from_buffer_range(buffer, from..length, vm)?
            }
            Data::Buffer(_) => {
                let rest = vm.ctx.new_bytes(data.with_rest(from, <[u8]>::to_vec));
                PyMemoryView::from_object(rest.as_object(), vm)?
            }
        };
        let view = view.into_ref(&vm.ctx);
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
        let count = match isize::try_from_object(vm, returned) {
            Ok(count) => count,
            Err(error) if method == "readinto" => {
                let failed = vm.new_os_error("raw readinto() failed");
                failed.set_cause(Some(error));
                return Err(failed);
            }
            Err(error) => return Err(error),
        };
        match usize::try_from(count) {
            Ok(count) if count <= limit => Ok(Some(count)),
            _ => Err(vm.new_os_error(format!(
                "raw {method}() returned invalid length {count} (should have been between 0 and {limit})"
            ))),
        }
    }
}

fn is_interrupted(error: &PyBaseExceptionRef, vm: &VirtualMachine) -> bool {
    error.fast_isinstance(vm.ctx.exceptions.interrupted_error)
}

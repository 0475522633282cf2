//! The native part of `socket.SocketIO`: raw file access to a socket.

use std::sync::atomic::{AtomicBool, Ordering};

use rustpython_vm::{
    AsObject, FromArgs, Py, PyObject, PyObjectRef, PyPayload, PyRef, PyResult, VirtualMachine,
    builtins::{PyStr, PyType},
    class::StaticType,
    common::lock::PyRwLock,
    convert::{IntoPyException, ToPyObject},
    object::{Traverse, TraverseFn},
    pyclass,
    types::{Constructor, DefaultConstructor, Initializer},
};

use super::{
    super::{PySocket, arguments::writable_buffer, receive, send},
    common::both,
};
use crate::blocking_bridge::Failure;

/// What a file object over a socket is made of, beside the methods that every raw file has.
#[pyclass(module = "_socket", name = "_SocketIO", traverse = "manual")]
#[derive(PyPayload, Default)]
pub(crate) struct SocketIo {
    sock: PyRwLock<Option<PyObjectRef>>,
    reading: AtomicBool,
    writing: AtomicBool,
    /// A timeout is final: a buffer above may have lost what it had gathered.
    timed_out: AtomicBool,
    closed: AtomicBool,
}

impl std::fmt::Debug for SocketIo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SocketIo")
            .field("closed", &self.closed)
            .finish_non_exhaustive()
    }
}

// SAFETY: visits the one object that the payload owns.
unsafe impl Traverse for SocketIo {
    fn traverse(&self, visit: &mut TraverseFn<'_>) {
        self.sock.traverse(visit);
    }
}

impl DefaultConstructor for SocketIo {}

impl Initializer for SocketIo {
    type Args = (PyObjectRef, PyObjectRef);

    fn init(zelf: &Py<Self>, (sock, mode): Self::Args, vm: &VirtualMachine) -> PyResult<()> {
        let letters = mode.downcast_ref::<PyStr>().and_then(|mode| mode.to_str());
        let letters = letters.unwrap_or_default();
        let (reading, writing) = match letters.strip_suffix('b').unwrap_or(letters) {
            "r" => (true, false),
            "w" => (false, true),
            "rw" => (true, true),
            _ => {
                let mode = mode.repr(vm)?;
                return Err(vm.new_value_error(format!("invalid mode: {mode}")));
            }
        };
        zelf.reading.store(reading, Ordering::Relaxed);
        zelf.writing.store(writing, Ordering::Relaxed);
        zelf.timed_out.store(false, Ordering::Relaxed);
        *zelf.sock.write() = Some(sock);
        Ok(())
    }
}

impl SocketIo {
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    fn sock(&self) -> Option<PyObjectRef> {
        self.sock.read().clone()
    }

    /// The socket, if a call of this method of it would be one of the native class's: nobody has overridden it.
    fn native(&self, method: &'static str, vm: &VirtualMachine) -> Option<PyRef<PySocket>> {
        let sock = self.sock()?.downcast::<PySocket>().ok()?;
        is_native(sock.as_object(), PySocket::static_type(), method, vm).then_some(sock)
    }

    pub(super) fn check_readable(&self, vm: &VirtualMachine) -> PyResult<()> {
        self.check_open(vm)?;
        if !self.reading.load(Ordering::Relaxed) {
            return Err(super::unsupported(vm, "File or stream is not readable."));
        }
        self.check_in_time(vm)
    }

    /// # Errors
    ///
    /// OSError after a timeout.
    #[inline]
    pub(super) fn check_in_time(&self, vm: &VirtualMachine) -> PyResult<()> {
        if self.timed_out.load(Ordering::Relaxed) {
            return Err(vm.new_os_error("cannot read from timed out object"));
        }
        Ok(())
    }

    pub(super) fn check_writable(&self, vm: &VirtualMachine) -> PyResult<()> {
        self.check_open(vm)?;
        if !self.writing.load(Ordering::Relaxed) {
            return Err(super::unsupported(vm, "File or stream is not writable."));
        }
        Ok(())
    }

    fn check_open(&self, vm: &VirtualMachine) -> PyResult<()> {
        if self.is_closed() {
            return Err(super::closed_file(vm));
        }
        Ok(())
    }

    /// What a receive has come to: `None` where the socket does not block and has nothing.
    pub(super) fn received(
        &self,
        result: Result<usize, Failure>,
        vm: &VirtualMachine,
    ) -> PyResult<Option<usize>> {
        if matches!(result, Err(Failure::TimedOut)) {
            self.timed_out.store(true, Ordering::Relaxed);
        }
        or_none(result, vm)
    }

    /// Ends the waits of those who read from the socket, who then look at what has changed.
    pub(super) fn wake(&self) {
        let Some(sock) = self.sock() else {
            return;
        };
        if let Some(socket) = sock.downcast_ref::<PySocket>()
            && let Some(source) = socket.source.load().get()
        {
            source.wake_waiters();
        }
    }

    /// The socket to receive from directly, if that is what `readinto` of this object does.
    pub(super) fn direct_receiver(zelf: &Py<Self>, vm: &VirtualMachine) -> Option<PyRef<PySocket>> {
        is_native(zelf.as_object(), Self::static_type(), "readinto", vm)
            .then(|| zelf.native("recv_into", vm))?
    }

    /// The socket to send to directly, if that is what `write` of this object does.
    pub(super) fn direct_sender(zelf: &Py<Self>, vm: &VirtualMachine) -> Option<PyRef<PySocket>> {
        is_native(zelf.as_object(), Self::static_type(), "write", vm)
            .then(|| zelf.native("send", vm))?
    }
}

/// Whether the attribute of the object is the native class's.
pub(super) fn is_native(
    object: &PyObject,
    class: &Py<PyType>,
    name: &'static str,
    vm: &VirtualMachine,
) -> bool {
    let name = vm.ctx.intern_str(name);
    if let Some(attributes) = object.dict()
        && attributes.contains_key(name, vm)
    {
        return false;
    }
    match (object.class().get_attr(name), class.get_attr(name)) {
        (Some(found), Some(native)) => found.is(&native),
        _ => false,
    }
}

/// `None` for what a socket that does not block cannot do now.
pub(super) fn or_none(
    result: Result<usize, Failure>,
    vm: &VirtualMachine,
) -> PyResult<Option<usize>> {
    match result {
        Ok(count) => Ok(Some(count)),
        Err(Failure::Errno(libc::EAGAIN)) => Ok(None),
        Err(failure) => Err(failure.into_pyexception(vm)),
    }
}

/// The outcome of `recv_into` or `send` of a socket that is not ours, or not only.
fn or_none_called(result: PyResult, vm: &VirtualMachine) -> PyResult {
    let error = match result {
        Ok(count) => return Ok(count),
        Err(error) => error,
    };
    if error.fast_isinstance(vm.ctx.exceptions.os_error) {
        let errno = error.as_object().get_attr("errno", vm)?;
        if vm.bool_eq(&errno, vm.ctx.new_int(libc::EAGAIN).as_object())? {
            return Ok(vm.ctx.none());
        }
    }
    Err(error)
}

/// The argument of the calls that move data.
#[derive(FromArgs)]
struct Buffer {
    #[pyarg(any)]
    b: PyObjectRef,
}

#[pyclass(with(Constructor, Initializer), flags(BASETYPE))]
impl SocketIo {
    /// Fill the buffer with what is there, waiting for the first byte. Return the number of bytes, 0 at the end of the
    /// stream, or None if the socket does not block and has nothing. A timeout is final: bytes that a buffer above has
    /// gathered may be lost, so later reads fail.
    #[pymethod]
    fn readinto(zelf: &Py<Self>, Buffer { b: buffer }: Buffer, vm: &VirtualMachine) -> PyResult {
        zelf.check_readable(vm)?;
        if let Some(socket) = zelf.native("recv_into", vm) {
            let buffer = writable_buffer(vm, buffer, "recv_into")?;
            let received = receive::receive_into(&socket, &buffer, buffer.len(), 0, vm);
            let received = zelf.received(received, vm)?;
            return Ok(received.to_pyobject(vm));
        }
        let sock = zelf.sock().unwrap_or_else(|| vm.ctx.none());
        let result = vm.call_method(&sock, "recv_into", (buffer,));
        if let Err(error) = &result
            && error.fast_isinstance(vm.ctx.exceptions.timeout_error)
        {
            zelf.timed_out.store(true, Ordering::Relaxed);
            return result;
        }
        or_none_called(result, vm)
    }

    /// Send the bytes, and return how many the socket took: maybe fewer than given, or None if it does not block and takes
    /// nothing now.
    #[pymethod]
    fn write(zelf: &Py<Self>, Buffer { b: data }: Buffer, vm: &VirtualMachine) -> PyResult {
        zelf.check_writable(vm)?;
        if let Some(socket) = zelf.native("send", vm) {
            let data = send::Data::new(vm, data)?;
            let sent = or_none(send::send(&socket, &data, 0, None, vm), vm)?;
            return Ok(sent.to_pyobject(vm));
        }
        let sock = zelf.sock().unwrap_or_else(|| vm.ctx.none());
        or_none_called(vm.call_method(&sock, "send", (data,)), vm)
    }

    /// Whether the file object is closed. (The socket may be open, for others or for itself.)
    #[pygetset]
    fn closed(zelf: &Py<Self>) -> bool {
        zelf.is_closed()
    }

    /// Let go of the socket; a socket closed meanwhile now closes its descriptor. Who reads from it wakes.
    #[pymethod]
    fn close(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult<()> {
        if zelf.is_closed() {
            return Ok(());
        }
        let flushed = vm.call_method(zelf.as_object(), "flush", ()).map(drop);
        zelf.closed.store(true, Ordering::Release);
        zelf.wake();
        let sock = zelf.sock.write().take();
        let released = match sock {
            Some(sock) => vm.call_method(&sock, "_decref_socketios", ()).map(drop),
            None => Ok(()),
        };
        both(flushed, released)
    }

    #[pygetset]
    fn _sock(zelf: &Py<Self>) -> Option<PyObjectRef> {
        zelf.sock()
    }

    #[pygetset]
    fn _reading(zelf: &Py<Self>) -> bool {
        zelf.reading.load(Ordering::Relaxed)
    }

    #[pygetset]
    fn _writing(zelf: &Py<Self>) -> bool {
        zelf.writing.load(Ordering::Relaxed)
    }

    #[pygetset]
    fn _timeout_occurred(zelf: &Py<Self>) -> bool {
        zelf.timed_out.load(Ordering::Relaxed)
    }

    #[pygetset(setter)]
    fn set__timeout_occurred(zelf: &Py<Self>, occurred: bool) {
        zelf.timed_out.store(occurred, Ordering::Relaxed);
    }
}

//! What the state machine takes for its `MemoryBIO`s.

use std::{io, mem::MaybeUninit, os::fd::BorrowedFd, thread};

use rustpython_vm::{
    Py, PyObject, PyObjectRef, PyPayload, PyRef, PyResult, VirtualMachine,
    builtins::{PyBytes, PyBytesRef},
    class::PyClassImpl,
    common::lock::PyMutex,
    pyclass,
    types::Callable,
};
use socket2::SockRef;

use super::{
    records::{Incoming, Outgoing},
    stock,
};
use crate::{blocking_bridge::Failure, socket_type::PySocket};

/// What the state machine has written at once.
#[derive(Debug)]
pub(super) struct Part(PyBytesRef);

impl AsRef<[u8]> for Part {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// The two ends of a connection in memory, between its socket and its state machine.
///
/// As an object it is both methods of the state machine's `MemoryBIO`, to save a second one: called with a number it gives as many
/// bytes at most, called with bytes it takes them. It knows nobody, so that no circle of references comes to be.
#[pyclass(module = "_ssl", name = "_Ends")]
#[derive(Debug, Default, PyPayload)]
pub(super) struct Ends {
    pub(super) incoming: PyMutex<Incoming>,
    pub(super) outgoing: PyMutex<Outgoing<Part>>,
    /// During a handshake: where to look for another record before there is none to give, which is an exception.
    socket: PyMutex<Option<PyRef<PySocket>>>,
}

/// Takes the socket out again when dropped.
pub(super) struct Pulling<'a>(&'a Ends);

impl Drop for Pulling<'_> {
    fn drop(&mut self) {
        *self.0.socket.lock() = None;
    }
}

impl Ends {
    /// Has the state machine take from the socket what is there already, for as long as the result lives.
    pub(super) fn pull_from(&self, socket: PyRef<PySocket>) -> Pulling<'_> {
        *self.socket.lock() = Some(socket);
        Pulling(self)
    }

    /// Receives what is there, until a record is whole.
    pub(super) fn fill_from(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        let receive = |room: &mut _| SockRef::from(&fd).recv_with_flags(room, libc::MSG_DONTWAIT);
        self.incoming.lock().fill(receive)
    }

    fn pull(&self) {
        let socket = self.socket.lock().clone();
        if let Some(socket) = socket
            && let Err(Failure::Errno(errno)) = socket.with_fd(|fd| self.fill_from(fd))
            && errno != libc::EAGAIN
        {
            self.incoming.lock().fail_later(errno);
        }
    }
}

#[pyclass(with(Callable))]
impl Ends {}

impl Callable for Ends {
    type Args = (PyObjectRef,);

    fn call(zelf: &Py<Self>, (argument,): Self::Args, vm: &VirtualMachine) -> PyResult {
        match argument.downcast::<PyBytes>() {
            Ok(data) => {
                let length = data.as_bytes().len();
                zelf.outgoing.lock().push(Part(data));
                Ok(vm.ctx.new_int(length).into())
            }
            Err(size) => {
                zelf.pull();
                let data = zelf.incoming.lock().take(size.try_to_value(vm)?);
                Ok(vm.ctx.new_bytes(data).into())
            }
        }
    }
}

/// A `MemoryBIO`, for both directions, whose other end is `ends`.
pub(super) fn over(ends: &PyRef<Ends>, vm: &VirtualMachine) -> PyResult {
    let bio = stock::get(vm)?.socket_bio.call((), vm)?;
    bio.set_attr("read", ends.clone(), vm)?;
    bio.set_attr("write", ends.clone(), vm)?;
    Ok(bio)
}

/// The records in a program's own `MemoryBIO`. The stock state machine loses what it takes beyond one record, where it cannot
/// keep that.
#[pyclass(module = "_ssl", name = "_FromMemory")]
#[derive(Debug, PyPayload)]
struct FromMemory {
    memory: PyObjectRef,
    incoming: PyMutex<Incoming>,
}

#[pyclass]
impl FromMemory {}

/// A `MemoryBIO` that gives the records in `memory`, one at a time, if that is one.
pub(super) fn one_by_one(memory: PyObjectRef, vm: &VirtualMachine) -> PyResult {
    let stock = stock::get(vm)?;
    if !memory.is_instance(&stock.memory_bio, vm)? {
        // The state machine will say so.
        return Ok(memory);
    }
    let bio = stock.record_bio.call((), vm)?;
    let records = FromMemory {
        memory,
        incoming: PyMutex::default(),
    };
    bio.set_attr("_records", records.into_ref(&vm.ctx), vm)?;
    Ok(bio)
}

/// `read` of what [`one_by_one`] has made.
pub(super) fn read_record(
    bio: &PyObject,
    size: usize,
    vm: &VirtualMachine,
) -> PyResult<PyBytesRef> {
    let stock = stock::get(vm)?;
    let records = bio.get_attr("_records", vm)?;
    let records = records
        .downcast_ref::<FromMemory>()
        .ok_or_else(|| vm.new_type_error("not a BIO of records"))?;
    let mut failure = None;
    let mut receive =
        |room: &mut [MaybeUninit<u8>]| match stock.read_memory(&records.memory, room.len(), vm) {
            Ok(Some(data)) => Ok(copy(data.as_bytes(), room)),
            Ok(None) => Err(io::ErrorKind::WouldBlock.into()),
            Err(error) => {
                failure = Some(error);
                Err(io::ErrorKind::Other.into())
            }
        };
    let mut incoming = records.incoming.lock();
    incoming.set_reader(Some(thread::current().id()));
    let filled = incoming.fill(&mut receive);
    if let Some(error) = failure {
        return Err(error);
    }
    match filled {
        Err(error) if error.kind() == io::ErrorKind::OutOfMemory => Err(vm.no_memory_error()),
        _ => {
            if incoming.has_ended() {
                stock.write_eof.call((bio.to_owned(),), vm)?;
            }
            Ok(vm.ctx.new_bytes(incoming.take(size)))
        }
    }
}

fn copy(data: &[u8], room: &mut [MaybeUninit<u8>]) -> usize {
    for (to, from) in room.iter_mut().zip(data) {
        to.write(*from);
    }
    data.len()
}

/// Makes the classes, before there can be objects of them.
pub(super) fn make_classes() {
    let _ = Ends::make_static_type();
    let _ = FromMemory::make_static_type();
}

impl stock::Stock {
    /// Up to `size` bytes of a `MemoryBIO`; none at its end, and `None` before they have come.
    fn read_memory(
        &self,
        memory: &PyObject,
        size: usize,
        vm: &VirtualMachine,
    ) -> PyResult<Option<PyBytesRef>> {
        let data = self.read_bio.call((memory.to_owned(), size), vm)?;
        let data = data
            .downcast::<PyBytes>()
            .map_err(|_| vm.new_type_error("a BIO gives bytes"))?;
        if data.as_bytes().is_empty() && !memory.get_attr("eof", vm)?.try_to_bool(vm)? {
            return Ok(None);
        }
        Ok(Some(data))
    }
}

//! What the state machine takes for its `MemoryBIO`s.

use std::{cell::RefCell, io, mem::MaybeUninit, os::fd::BorrowedFd};

use rustpython_vm::{
    Py, PyObject, PyObjectRef, PyPayload, PyRef, PyResult, VirtualMachine,
    builtins::{PyBaseExceptionRef, PyBytes, PyBytesRef},
    class::PyClassImpl,
    common::lock::PyMutex,
    pyclass,
    types::Callable,
};
use socket2::SockRef;

use super::{
    connection::Connection,
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
#[derive(Debug, Default)]
pub(super) struct Ends {
    pub(super) incoming: PyMutex<Incoming>,
    pub(super) outgoing: PyMutex<Outgoing<Part>>,
}

impl Ends {
    /// Receives what is there, until a record is whole.
    pub(super) fn fill_from(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        let receive = |room: &mut _| SockRef::from(&fd).recv_with_flags(room, libc::MSG_DONTWAIT);
        self.incoming.lock().fill(receive)
    }

    fn pull(&self, socket: &PySocket) {
        if let Err(Failure::Errno(errno)) = socket.with_fd(|fd| self.fill_from(fd))
            && errno != libc::EAGAIN
        {
            self.incoming.lock().fail_later(errno);
        }
    }
}

/// What a step of a state machine gets to read.
pub(super) enum Source {
    /// Nothing: another thread may be reading. Two could take records in one order, and process them in the other.
    Nothing,
    /// The record that has been received.
    Received,
    /// That, and what the socket has already: in a handshake, to look for another record before there is none, which is an exception.
    Socket(PyRef<PySocket>),
}

struct Step {
    connection: PyRef<Connection>,
    source: Source,
}

thread_local! {
    /// Whose state machine this thread runs.
    static STEP: RefCell<Option<Step>> = const { RefCell::new(None) };
}

/// Ends the step when dropped: the thread goes on with the one before, in the midst of which Python code has used a connection.
pub(super) struct InStep {
    before: Option<Step>,
}

impl InStep {
    /// What the state machines of this thread read and write is this connection's, for as long as the result lives.
    pub(super) fn begin(connection: PyRef<Connection>, source: Source) -> Self {
        let step = Step { connection, source };
        // Not there any more in a destructor of thread-local data, where the step then fails.
        let before = STEP.try_with(|current| current.replace(Some(step)));
        Self {
            before: before.unwrap_or_default(),
        }
    }
}

impl Drop for InStep {
    fn drop(&mut self) {
        let before = self.before.take();
        let _ended = STEP.try_with(|current| current.replace(before));
    }
}

/// Both methods of the `MemoryBIO` that all state machines have: called with a number it gives as many bytes at most, called with
/// bytes it takes them, of the connection whose step it is. So a connection has no objects for it.
#[pyclass(module = "_ssl", name = "_Wire")]
#[derive(Debug, PyPayload)]
struct Wire;

#[pyclass(with(Callable))]
impl Wire {}

impl Callable for Wire {
    type Args = (PyObjectRef,);

    fn call(_zelf: &Py<Self>, (argument,): Self::Args, vm: &VirtualMachine) -> PyResult {
        let answer = |step: &RefCell<Option<Step>>| {
            let step = step.borrow();
            let Some(Step { connection, source }) = &*step else {
                return Err(out_of_step(vm));
            };
            let ends = connection.ends();
            match argument.downcast::<PyBytes>() {
                Ok(data) => {
                    let length = data.as_bytes().len();
                    ends.outgoing.lock().push(Part(data));
                    Ok(vm.ctx.new_int(length).into())
                }
                Err(size) => {
                    match source {
                        Source::Nothing => return Ok(vm.ctx.empty_bytes.clone().into()),
                        Source::Received => {}
                        Source::Socket(socket) => ends.pull(socket),
                    }
                    let data = ends.incoming.lock().take(size.try_to_value(vm)?);
                    Ok(vm.ctx.new_bytes(data).into())
                }
            }
        };
        STEP.try_with(answer)
            .unwrap_or_else(|_| Err(out_of_step(vm)))
    }
}

fn out_of_step(vm: &VirtualMachine) -> PyBaseExceptionRef {
    vm.new_system_error("a TLS connection's memory outside of its calls")
}

/// The `MemoryBIO` of the state machines, for both directions.
///
/// Its end is never written: it would be the end for all of them.
pub(super) fn new_wire(class: &PyObject, vm: &VirtualMachine) -> PyResult {
    let bio = class.call((), vm)?;
    let wire = Wire.into_ref(&vm.ctx);
    bio.set_attr("read", wire.clone(), vm)?;
    bio.set_attr("write", wire, vm)?;
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
    let _ = Wire::make_static_type();
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

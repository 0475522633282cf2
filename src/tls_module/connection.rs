//! The class of `ssl.SSLSocket._sslobj`: a connection that waits on the reactor.
//!
//! Each method is one loop: a step of the state machine, then out with what it wrote, then in with a record if it wants one.

use std::{
    io::{self, IoSlice},
    os::fd::BorrowedFd,
    sync::atomic::{AtomicBool, Ordering},
};

use rustpython_vm::{
    AsObject, Py, PyObject, PyObjectRef, PyPayload, PyRef, PyResult, VirtualMachine,
    builtins::{PyBaseExceptionRef, PyBytes, PyBytesRef, PyStr, PyWeak},
    class::PyClassImpl,
    common::lock::PyMutex,
    convert::IntoPyException,
    function::{OptionalArg, PySetterValue},
    object::{Traverse, TraverseFn},
    pyclass,
    types::{GetAttr, SetAttr},
};
use socket2::SockRef;

use super::{
    plaintext::{LONGEST_PLAINTEXT, Plaintext, Unfinished},
    stock::{self, Names, Said, Stock},
    transport::{Ends, InStep, Source},
    turn::{Taken, Turn, Turns},
};
use crate::{
    blocking_bridge::{Call, Failure},
    errors,
    memory::WriteMemory,
    reactor::Direction,
    socket_type::PySocket,
};

/// What encryption adds at least: a type and a tag (RFC 8446, section 5.2); a nonce and a tag before 1.3.
const LEAST_OVERHEAD: usize = 17;

/// So much ciphertext goes to the kernel in one system call.
const BATCH: usize = 64 * 1024;

fn send(fd: BorrowedFd<'_>, parts: &[IoSlice<'_>]) -> io::Result<usize> {
    let socket = SockRef::from(&fd);
    match parts {
        [part] => socket.send_with_flags(part, libc::MSG_DONTWAIT),
        parts => socket.send_vectored_with_flags(parts, libc::MSG_DONTWAIT),
    }
}

/// What a read has got.
struct Data {
    first: PyBytesRef,
    others: Vec<PyBytesRef>,
}

impl Data {
    fn default_of(vm: &VirtualMachine) -> Self {
        Self {
            first: vm.ctx.empty_bytes.clone(),
            others: Vec::new(),
        }
    }

    fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let pieces = std::iter::once(&self.first).chain(&self.others);
        pieces.map(|piece| piece.as_bytes())
    }

    fn into_bytes(self, vm: &VirtualMachine) -> PyBytesRef {
        if self.others.is_empty() {
            return self.first;
        }
        let pieces: Vec<&[u8]> = self.pieces().collect();
        vm.ctx.new_bytes(pieces.concat())
    }

    /// How much of it there was room for: all, unless the buffer has shrunk meanwhile.
    fn copy_to(&self, buffer: &WriteMemory) -> usize {
        let mut memory = buffer.borrow();
        let mut copied = 0;
        for piece in self.pieces() {
            let room = memory.get_mut(copied..).unwrap_or_default();
            let length = piece.len().min(room.len());
            room[..length].copy_from_slice(&piece[..length]);
            copied += length;
        }
        copied
    }
}

/// A TLS connection over a socket.
///
/// One thread reads at a time and one writes, which do not block each other. Whoever takes both turns takes the reader's first.
#[pyclass(module = "_ssl", name = "_SSLSocket", traverse = "manual")]
#[derive(PyPayload)]
pub(super) struct Connection {
    machine: PyObjectRef,
    /// Weak, as the socket owns this object.
    socket: PyRef<PyWeak>,
    ends: Ends,
    turns: Turns,
    handshake_done: AtomicBool,
    /// The connection below has ended before the TLS connection was closed: a read has said so.
    cut_off: AtomicBool,
    /// The peer has closed the TLS connection, or broken it: what may still come is none of ours.
    records_end: AtomicBool,
    /// The last read did not take all that was decrypted, as far as we know.
    plaintext_left: AtomicBool,
    kept: PyMutex<Option<Box<Kept>>>,
}

/// What one call leaves to the next. Most leave nothing.
#[derive(Default)]
struct Kept {
    /// What a read could not fail with, as it had data.
    failed: Option<PyBaseExceptionRef>,
    unfinished: Option<Unfinished>,
}

/// Each byte counts a thousand times in a server of a thousand idle connections: what is not there in those has a box of its own.
const _: () = assert!(size_of::<Connection>() <= 112);

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("ends", &self.ends)
            .finish_non_exhaustive()
    }
}

// SAFETY: visits the object that the payload owns, once: the state machine. (Not the weak reference.)
unsafe impl Traverse for Connection {
    fn traverse(&self, visit: &mut TraverseFn<'_>) {
        self.machine.traverse(visit);
    }
}

impl Connection {
    pub(super) fn new(
        context: PyObjectRef,
        socket: PyRef<PyWeak>,
        names: Names,
        vm: &VirtualMachine,
    ) -> PyResult<Self> {
        Ok(Self {
            machine: stock::get(vm)?.new_wired_machine(&context, names, vm)?,
            socket,
            ends: Ends::default(),
            turns: Turns::new(),
            handshake_done: AtomicBool::new(false),
            cut_off: AtomicBool::new(false),
            records_end: AtomicBool::new(false),
            plaintext_left: AtomicBool::new(false),
            kept: PyMutex::new(None),
        })
    }

    pub(super) fn ends(&self) -> &Ends {
        &self.ends
    }

    /// Runs one call of Python: all of it under one deadline.
    fn run<R>(
        &self,
        vm: &VirtualMachine,
        timed_out: &'static str,
        f: impl FnOnce(&mut Call<'_>) -> Result<R, Failure>,
    ) -> PyResult<R> {
        let socket = self.socket(vm)?;
        let result = socket.blocking(vm, 0, |call, _| f(call));
        result.map_err(|failure| match failure {
            Failure::TimedOut => errors::timed_out_saying(vm, timed_out),
            other => other.into_pyexception(vm),
        })
    }

    fn socket(&self, vm: &VirtualMachine) -> PyResult<PyRef<PySocket>> {
        self.socket
            .upgrade()
            .and_then(|socket| socket.downcast::<PySocket>().ok())
            .ok_or_else(|| {
                let text = "Underlying socket connection gone";
                stock::exception(vm, |stock| stock.new_error(vm, text))
            })
    }

    /// A step of the state machine.
    ///
    /// # Errors
    ///
    /// Those of the method; that there is no end of the TLS connection, where it wants to read behind the end of the one below.
    fn step(
        zelf: &Py<Self>,
        method: fn(&Stock) -> &PyObject,
        arguments: Vec<PyObjectRef>,
        source: Source,
        vm: &VirtualMachine,
    ) -> PyResult<Said> {
        let stock = stock::get(vm)?;
        let reads = !matches!(source, Source::Nothing);
        let said = {
            let _in_step = InStep::begin(zelf.to_owned(), source);
            stock.step(method(stock), arguments, vm)?
        };
        match said {
            Said::WantsRead if reads && zelf.ends.incoming.lock().has_ended() => {
                zelf.cut_off.store(true, Ordering::Release);
                Err(stock.new_eof(vm))
            }
            said => Ok(said),
        }
    }

    fn take_reading(&self, call: &mut Call<'_>, vm: &VirtualMachine) -> Result<Taken<'_>, Failure> {
        let turn = self.turns.take(Turn::Reading, call);
        turn.map_err(|failure| self.wants_read(vm, failure))
    }

    fn take_writing(&self, call: &mut Call<'_>, vm: &VirtualMachine) -> Result<Taken<'_>, Failure> {
        let turn = self.turns.take(Turn::Writing, call);
        turn.map_err(|failure| self.wants_write(vm, failure))
    }

    fn wants_read(&self, vm: &VirtualMachine, failure: Failure) -> Failure {
        match failure {
            Failure::Errno(libc::EAGAIN) => {
                stock::exception(vm, |stock| stock.new_want_read(vm)).into()
            }
            other => other,
        }
    }

    fn wants_write(&self, vm: &VirtualMachine, failure: Failure) -> Failure {
        match failure {
            Failure::Errno(libc::EAGAIN) => {
                stock::exception(vm, |stock| stock.new_want_write(vm)).into()
            }
            other => other,
        }
    }

    /// Waits until a record is there, or the end. For the reader.
    fn fill(&self, call: &mut Call<'_>, vm: &VirtualMachine) -> Result<(), Failure> {
        let filled = call.run(Direction::Read, |fd| self.ends.fill_from(fd));
        filled.map_err(|failure| self.wants_read(vm, failure))
    }

    /// Waits until all that the state machine has written is sent. For the writer.
    fn flush(&self, call: &mut Call<'_>, vm: &VirtualMachine) -> Result<(), Failure> {
        let flushed = call.run(Direction::Write, |fd| {
            let mut outgoing = self.ends.outgoing.lock();
            outgoing.flush(|parts| send(fd, parts))
        });
        flushed.map_err(|failure| self.wants_write(vm, failure))
    }

    /// Sends what can be sent at once: a last word to a peer with whom it went wrong.
    fn flush_once(&self, vm: &VirtualMachine) {
        if let Ok(socket) = self.socket(vm) {
            let _ = socket.with_fd(|fd| {
                let mut outgoing = self.ends.outgoing.lock();
                outgoing.flush(|parts| send(fd, parts))
            });
        }
    }

    /// The stock state machine calls it the end of the connection, too, if it gets something that is no TLS. A program may take
    /// that for the end of the data, so it has to be the truth.
    fn judge(
        zelf: &Py<Self>,
        vm: &VirtualMachine,
        error: PyBaseExceptionRef,
    ) -> PyBaseExceptionRef {
        let is_eof = match stock::get(vm) {
            Ok(stock) if stock.is_error(&error) => stock.is_eof(&error),
            // Of Python code in between.
            _ => return error,
        };
        if is_eof && zelf.ends.incoming.lock().has_ended() {
            zelf.cut_off.store(true, Ordering::Release);
            return error;
        }
        zelf.records_end.store(true, Ordering::Relaxed);
        Self::send_alert(zelf, vm);
        if is_eof { zelf.broken(vm) } else { error }
    }

    /// What [`Self::keep`] has kept, once.
    fn take_kept<T>(&self, take: impl FnOnce(&mut Kept) -> Option<T>) -> Option<T> {
        let mut slot = self.kept.lock();
        let kept = slot.as_mut()?;
        let taken = take(kept);
        if kept.failed.is_none() && kept.unfinished.is_none() {
            *slot = None;
        }
        taken
    }

    fn keep(&self, keep: impl FnOnce(&mut Kept)) {
        keep(self.kept.lock().get_or_insert_default());
    }

    fn broken(&self, vm: &VirtualMachine) -> PyBaseExceptionRef {
        let text = "record layer failure";
        stock::exception(vm, |stock| {
            stock.new_protocol_error(vm, "RECORD_LAYER_FAILURE", text)
        })
    }

    /// Has the peer told what was wrong with its record, unless a writer is in the way. The state machine has the alert ready, and
    /// gives it out when it is closed.
    fn send_alert(zelf: &Py<Self>, vm: &VirtualMachine) {
        if let Some(_writing) = zelf.turns.try_take(Turn::Writing) {
            let _ = Self::close_machine(zelf, Source::Nothing, vm);
            zelf.flush_once(vm);
        }
    }

    fn handshake(zelf: &Py<Self>, call: &mut Call<'_>, vm: &VirtualMachine) -> Result<(), Failure> {
        // All calls do, as on CPython.
        if zelf.cut_off.load(Ordering::Acquire) {
            return Err(stock::exception(vm, |stock| stock.new_eof(vm)).into());
        }
        if zelf.handshake_done.load(Ordering::Acquire) {
            return Ok(());
        }
        let turn = zelf.turns.take(Turn::Handshaking, call);
        let _handshaking = turn.map_err(|failure| zelf.wants_read(vm, failure))?;
        // Another thread may have done it meanwhile, and the reader's turn be taken for long.
        if zelf.handshake_done.load(Ordering::Acquire) {
            return Ok(());
        }
        let _reading = zelf.take_reading(call, vm)?;
        let _writing = zelf.take_writing(call, vm)?;
        let socket = zelf.socket(vm)?;
        loop {
            let source = Source::Socket(socket.clone());
            let arguments = vec![zelf.machine.clone()];
            match Self::step(zelf, |stock| &stock.do_handshake, arguments, source, vm) {
                Ok(Said::Done(_)) => {
                    zelf.flush(call, vm)?;
                    zelf.handshake_done.store(true, Ordering::Release);
                    // Servers do many, and then wait for all of these connections, or on other threads.
                    call.relinquish();
                    zelf.ends.incoming.lock().tidy();
                    return Ok(());
                }
                Ok(Said::WantsWrite) => zelf.flush(call, vm)?,
                // Nothing is sent before there is nothing more to be read: small segments, one after the other, would wait for
                // the peer's acknowledgement (Nagle's algorithm), which is late.
                Ok(Said::WantsRead) => {
                    zelf.flush(call, vm)?;
                    zelf.fill(call, vm)?;
                }
                Err(error) => {
                    zelf.flush_once(vm);
                    return Err(error.into());
                }
            }
            call.next_part()?;
        }
    }

    /// The data of a record, and of more that are there already if there is room for them.
    fn read_up_to(
        zelf: &Py<Self>,
        call: &mut Call<'_>,
        size: usize,
        vm: &VirtualMachine,
    ) -> Result<Data, Failure> {
        Self::handshake(zelf, call, vm)?;
        let _reading = zelf.take_reading(call, vm)?;
        if let Some(error) = zelf.take_kept(|kept| kept.failed.take()) {
            return Err(Self::judge(zelf, vm, error).into());
        }
        let first = Self::read_record(zelf, call, size, vm)?;
        let mut length = first.as_bytes().len();
        let mut others = Vec::new();
        while let Some(data) = Self::read_long_record(zelf, call, size - length, vm)? {
            length += data.as_bytes().len();
            others.push(data);
        }
        Ok(Data { first, others })
    }

    /// The data of the next record, waiting for it if there is none left of the last one.
    fn read_record(
        zelf: &Py<Self>,
        call: &mut Call<'_>,
        size: usize,
        vm: &VirtualMachine,
    ) -> Result<PyBytesRef, Failure> {
        loop {
            let mut limit = size.min(LONGEST_PLAINTEXT);
            let mut left = zelf.plaintext_left.load(Ordering::Relaxed) && zelf.decrypted(vm)? > 0;
            if !left && !zelf.records_end.load(Ordering::Relaxed) {
                zelf.fill(call, vm)?;
                let body = zelf.ends.incoming.lock().body();
                let most = body.saturating_sub(LEAST_OVERHEAD).max(1);
                // The state machine clears as much memory as it is asked for.
                limit = limit.min(most);
                left = limit < most;
            }
            let data = Self::decrypt(zelf, limit, vm);
            if let Some(data) = data.map_err(|error| Self::judge(zelf, vm, error))? {
                let left = left && data.as_bytes().len() == limit;
                zelf.plaintext_left.store(left, Ordering::Relaxed);
                return Ok(data);
            }
            if zelf.records_end.load(Ordering::Relaxed) {
                return Err(zelf.broken(vm).into());
            }
            // The record was none of the program's.
            zelf.plaintext_left.store(false, Ordering::Relaxed);
            call.next_part()?;
        }
    }

    /// The data of a record that follows without a wait, if all of it has room: another call for it would take longer than to
    /// decrypt it.
    ///
    /// An error comes with the next call, as there is data before it.
    fn read_long_record(
        zelf: &Py<Self>,
        call: &mut Call<'_>,
        room: usize,
        vm: &VirtualMachine,
    ) -> Result<Option<PyBytesRef>, Failure> {
        let Some(body) = zelf.ends.incoming.lock().announced() else {
            return Ok(None);
        };
        if body > room || zelf.plaintext_left.load(Ordering::Relaxed) {
            return Ok(None);
        }
        match call.run_now(|fd| zelf.ends.fill_from(fd)) {
            Ok(Some(())) => {}
            Ok(None) => return Ok(None),
            Err(Failure::Errno(errno)) => {
                zelf.ends.incoming.lock().fail_later(errno);
                return Ok(None);
            }
            Err(failure) => return Err(failure),
        }
        if zelf.ends.incoming.lock().body() != body {
            return Ok(None);
        }
        Ok(Self::decrypt(zelf, body, vm).unwrap_or_else(|error| {
            zelf.keep(|kept| kept.failed = Some(error));
            None
        }))
    }

    /// Up to `size` bytes of the record at hand, of which there are none behind the last; `None` if it was none of the program's.
    fn decrypt(zelf: &Py<Self>, size: usize, vm: &VirtualMachine) -> PyResult<Option<PyBytesRef>> {
        let arguments = vec![zelf.machine.clone(), vm.ctx.new_int(size).into()];
        let said = Self::step(zelf, |stock| &stock.read, arguments, Source::Received, vm)?;
        let Said::Done(data) = said else {
            return Ok(None);
        };
        let data = data
            .downcast::<PyBytes>()
            .map_err(|_| vm.new_type_error("a read gives bytes"))?;
        if data.as_bytes().is_empty() {
            zelf.records_end.store(true, Ordering::Relaxed);
        }
        Ok(Some(data))
    }

    /// How much plaintext the state machine has.
    fn decrypted(&self, vm: &VirtualMachine) -> PyResult<usize> {
        let pending = stock::get(vm)?.pending.call((self.machine.clone(),), vm)?;
        pending.try_to_value(vm)
    }

    fn write_all(
        zelf: &Py<Self>,
        call: &mut Call<'_>,
        data: &Plaintext,
        vm: &VirtualMachine,
    ) -> Result<usize, Failure> {
        Self::handshake(zelf, call, vm)?;
        let writing = zelf.take_writing(call, vm)?;
        let bad_retry = || {
            stock::exception(vm, |stock| {
                stock.new_protocol_error(vm, "BAD_WRITE_RETRY", "bad write retry")
            })
        };
        if writing.is_nested() {
            // A signal handler's, in the midst of the data of the call that it interrupts.
            return Err(bad_retry().into());
        }
        let unfinished = zelf.take_kept(|kept| kept.unfinished.take());
        let mut encrypted = match unfinished {
            None => 0,
            Some(unfinished) if unfinished.is_of(data) => unfinished.encrypted,
            Some(other) => {
                zelf.keep(|kept| kept.unfinished = Some(other));
                return Err(bad_retry().into());
            }
        };
        let write = |piece| {
            let arguments = vec![zelf.machine.clone(), piece];
            Self::step(zelf, |stock| &stock.write, arguments, Source::Nothing, vm)
        };
        let sent = loop {
            let has_room = || zelf.ends.outgoing.lock().len() < BATCH;
            let sent = match data.encrypt(&mut encrypted, write, has_room, vm) {
                // If it wants to be rid of something: that is where it goes.
                Ok(_) => zelf.flush(call, vm),
                // The connection is beyond repair: there is nothing to repeat.
                Err(error) => {
                    zelf.flush_once(vm);
                    return Err(error.into());
                }
            };
            if sent.is_err() || encrypted >= data.len() {
                break sent;
            }
            if let Err(failure) = call.next_part() {
                break Err(failure);
            }
        };
        match sent {
            Ok(()) => Ok(encrypted),
            Err(failure) => {
                let unfinished = Unfinished::new(data, encrypted);
                zelf.keep(|kept| kept.unfinished = Some(unfinished));
                Err(failure)
            }
        }
    }

    fn close_machine(zelf: &Py<Self>, source: Source, vm: &VirtualMachine) -> PyResult<Said> {
        let arguments = vec![zelf.machine.clone()];
        Self::step(zelf, |stock| &stock.shutdown, arguments, source, vm)
    }

    fn close_notify(
        zelf: &Py<Self>,
        call: &mut Call<'_>,
        vm: &VirtualMachine,
    ) -> Result<(), Failure> {
        let step = |source| {
            let said = Self::close_machine(zelf, source, vm);
            said.inspect_err(|_| zelf.flush_once(vm))
        };
        {
            // Ours goes out while another thread still reads.
            let _writing = zelf.take_writing(call, vm)?;
            let said = step(Source::Nothing)?;
            zelf.flush(call, vm)?;
            if let Said::Done(_) = said {
                return Ok(());
            }
        }
        let _reading = zelf.take_reading(call, vm)?;
        loop {
            if let Said::Done(_) = step(Source::Received)? {
                return Ok(());
            }
            zelf.fill(call, vm)?;
            call.next_part()?;
        }
    }
}

#[pyclass(with(GetAttr, SetAttr), flags(DISALLOW_INSTANTIATION))]
impl Connection {
    /// Do the handshake, if it is not done.
    #[pymethod]
    fn do_handshake(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult<()> {
        zelf.run(vm, "The handshake operation timed out", |call| {
            Self::handshake(zelf, call, vm)
        })
    }

    /// Read up to len bytes, into the buffer if there is one. At the end of the connection there are none.
    #[pymethod]
    fn read(
        zelf: &Py<Self>,
        len: isize,
        buffer: OptionalArg<PyObjectRef>,
        vm: &VirtualMachine,
    ) -> PyResult {
        let buffer = match buffer.into_option() {
            None => None,
            Some(buffer) => Some(buffer.try_into_value::<WriteMemory>(vm)?),
        };
        let size = match (&buffer, usize::try_from(len)) {
            (None, Ok(len)) => len,
            (None, Err(_)) => return Err(vm.new_value_error("size should not be negative")),
            (Some(buffer), Ok(len)) if len > 0 => len.min(buffer.len()),
            (Some(buffer), _) => buffer.len(),
        };
        let data = if size == 0 {
            Data::default_of(vm)
        } else {
            zelf.run(vm, "The read operation timed out", |call| {
                Self::read_up_to(zelf, call, size, vm)
            })?
        };
        Ok(match buffer {
            None => data.into_bytes(vm).into(),
            Some(buffer) => vm.ctx.new_int(data.copy_to(&buffer)).into(),
        })
    }

    /// Write all of the data, and return how much that is. If the call ends early, it is to be repeated with the same bytes.
    #[pymethod]
    fn write(zelf: &Py<Self>, data: PyObjectRef, vm: &VirtualMachine) -> PyResult<usize> {
        let data = Plaintext::new(data, vm)?;
        if data.len() == 0 {
            return Ok(0);
        }
        zelf.run(vm, "The write operation timed out", |call| {
            Self::write_all(zelf, call, &data, vm)
        })
    }

    /// Tell the peer that no more data comes, wait until it says so too, and return the socket.
    #[pymethod]
    fn shutdown(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult<PyRef<PySocket>> {
        zelf.run(vm, "The read operation timed out", |call| {
            Self::close_notify(zelf, call, vm)
        })?;
        zelf.socket(vm)
    }

    /// How many bytes can be read without the socket.
    #[pymethod]
    fn pending(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult<usize> {
        Ok(zelf.decrypted(vm)? + zelf.ends.incoming.lock().body())
    }
}

/// Makes the classes, before there can be objects of them.
pub(super) fn make_classes() {
    let _ = Connection::make_static_type();
}

/// All else is the state machine's.
impl GetAttr for Connection {
    fn getattro(zelf: &Py<Self>, name: &Py<PyStr>, vm: &VirtualMachine) -> PyResult {
        match zelf.as_object().generic_getattr_opt(name, None, vm)? {
            Some(own) => Ok(own),
            None => zelf.machine.get_attr(name, vm),
        }
    }
}

impl SetAttr for Connection {
    fn setattro(
        zelf: &Py<Self>,
        name: &Py<PyStr>,
        value: PySetterValue,
        vm: &VirtualMachine,
    ) -> PyResult<()> {
        zelf.machine.call_set_attr(vm, name, value)
    }
}

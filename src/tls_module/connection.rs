//! The class of `ssl.SSLSocket._sslobj`: a connection that waits on the reactor.
//!
//! Each method is one loop: a step of the state machine, then out with what it wrote, then in with a record if it wants one.

use std::{
    io::{self, IoSlice},
    os::fd::BorrowedFd,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use rustpython_vm::{
    AsObject, Py, PyObjectRef, PyPayload, PyRef, PyResult, VirtualMachine,
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
    transport::{self, Ends},
    turn::{Taken, Turn},
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
    bio: PyObjectRef,
    /// Weak, as the socket owns this object.
    socket: PyRef<PyWeak>,
    stock: &'static Stock,
    ends: PyRef<Ends>,
    handshaking: Turn,
    reading: Turn,
    writing: Turn,
    handshake_done: AtomicBool,
    /// The connection below has ended before the TLS connection was closed: a read has said so.
    cut_off: AtomicBool,
    /// The peer has closed the TLS connection, or broken it: what may still come is none of ours.
    records_end: AtomicBool,
    /// The last read did not take all that was decrypted, as far as we know.
    plaintext_left: AtomicBool,
    /// What a read could not fail with, as it had data.
    failed: PyMutex<Option<PyBaseExceptionRef>>,
    unfinished: PyMutex<Option<Unfinished>>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("ends", &self.ends)
            .finish_non_exhaustive()
    }
}

// SAFETY: visits each object that the payload owns, once: the state machine and the memory below it. (Not the weak reference.)
unsafe impl Traverse for Connection {
    fn traverse(&self, visit: &mut TraverseFn<'_>) {
        self.machine.traverse(visit);
        self.bio.traverse(visit);
    }
}

/// The reader's turn, of which the transport knows the thread.
struct Reading<'a> {
    ends: &'a Ends,
    turn: Taken<'a>,
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        if !self.turn.is_nested() {
            self.ends.incoming.lock().set_reader(None);
        }
    }
}

impl Connection {
    pub(super) fn new(
        context: PyObjectRef,
        socket: PyRef<PyWeak>,
        names: Names,
        vm: &VirtualMachine,
    ) -> PyResult<Self> {
        let stock = stock::get(vm)?;
        let ends = Ends::default().into_ref(&vm.ctx);
        let bio = transport::over(&ends, vm)?;
        Ok(Self {
            machine: stock.new_machine(&context, [bio.clone(), bio.clone()], names, vm)?,
            bio,
            socket,
            stock,
            ends,
            handshaking: Turn::new(),
            reading: Turn::new(),
            writing: Turn::new(),
            handshake_done: AtomicBool::new(false),
            cut_off: AtomicBool::new(false),
            records_end: AtomicBool::new(false),
            plaintext_left: AtomicBool::new(false),
            failed: PyMutex::new(None),
            unfinished: PyMutex::new(None),
        })
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
                self.stock
                    .new_error(vm, "Underlying socket connection gone")
            })
    }

    fn take_reading(
        &self,
        call: &mut Call<'_>,
        vm: &VirtualMachine,
    ) -> Result<Reading<'_>, Failure> {
        let turn = self.reading.take(call);
        let turn = turn.map_err(|failure| self.wants_read(vm, failure))?;
        let thread = thread::current().id();
        self.ends.incoming.lock().set_reader(Some(thread));
        Ok(Reading {
            ends: &self.ends,
            turn,
        })
    }

    fn take_writing(&self, call: &mut Call<'_>, vm: &VirtualMachine) -> Result<Taken<'_>, Failure> {
        let turn = self.writing.take(call);
        turn.map_err(|failure| self.wants_write(vm, failure))
    }

    fn wants_read(&self, vm: &VirtualMachine, failure: Failure) -> Failure {
        match failure {
            Failure::Errno(libc::EAGAIN) => self.stock.new_want_read(vm).into(),
            other => other,
        }
    }

    fn wants_write(&self, vm: &VirtualMachine, failure: Failure) -> Failure {
        match failure {
            Failure::Errno(libc::EAGAIN) => self.stock.new_want_write(vm).into(),
            other => other,
        }
    }

    /// Waits until a record is there, or the end. For the reader.
    fn fill(&self, call: &mut Call<'_>, vm: &VirtualMachine) -> Result<(), Failure> {
        let filled = call.run(Direction::Read, |fd| self.ends.fill_from(fd));
        filled.map_err(|failure| self.wants_read(vm, failure))?;
        self.note_the_end(vm)
    }

    fn note_the_end(&self, vm: &VirtualMachine) -> Result<(), Failure> {
        if self.ends.incoming.lock().has_ended() {
            self.stock.write_eof.call((self.bio.clone(),), vm)?;
        }
        Ok(())
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
    fn judge(&self, vm: &VirtualMachine, error: PyBaseExceptionRef) -> PyBaseExceptionRef {
        if !self.stock.is_error(&error) {
            // Of Python code in between.
            return error;
        }
        let is_eof = self.stock.is_eof(&error);
        if is_eof && self.ends.incoming.lock().has_ended() {
            self.cut_off.store(true, Ordering::Release);
            return error;
        }
        self.records_end.store(true, Ordering::Relaxed);
        self.send_alert(vm);
        if is_eof { self.broken(vm) } else { error }
    }

    fn broken(&self, vm: &VirtualMachine) -> PyBaseExceptionRef {
        let text = "record layer failure";
        self.stock
            .new_protocol_error(vm, "RECORD_LAYER_FAILURE", text)
    }

    /// Has the peer told what was wrong with its record, unless a writer is in the way. The state machine has the alert ready, and
    /// gives it out when it is closed.
    fn send_alert(&self, vm: &VirtualMachine) {
        if let Some(_writing) = self.writing.try_take() {
            let _ = (self.stock).step(&self.stock.shutdown, vec![self.machine.clone()], vm);
            self.flush_once(vm);
        }
    }

    fn handshake(&self, call: &mut Call<'_>, vm: &VirtualMachine) -> Result<(), Failure> {
        // All calls do, as on CPython.
        if self.cut_off.load(Ordering::Acquire) {
            return Err(self.stock.new_eof(vm).into());
        }
        if self.handshake_done.load(Ordering::Acquire) {
            return Ok(());
        }
        let turn = self.handshaking.take(call);
        let _handshaking = turn.map_err(|failure| self.wants_read(vm, failure))?;
        // Another thread may have done it meanwhile, and the reader's turn be taken for long.
        if self.handshake_done.load(Ordering::Acquire) {
            return Ok(());
        }
        let _reading = self.take_reading(call, vm)?;
        let _writing = self.take_writing(call, vm)?;
        let _pulling = self.ends.pull_from(self.socket(vm)?);
        let stock = self.stock;
        loop {
            match stock.step(&stock.do_handshake, vec![self.machine.clone()], vm) {
                Ok(Said::Done(_)) => {
                    self.flush(call, vm)?;
                    self.handshake_done.store(true, Ordering::Release);
                    return Ok(());
                }
                Ok(Said::WantsWrite) => self.flush(call, vm)?,
                // Nothing is sent before there is nothing more to be read: small segments, one after the other, would wait for
                // the peer's acknowledgement (Nagle's algorithm), which is late.
                Ok(Said::WantsRead) => {
                    self.flush(call, vm)?;
                    self.fill(call, vm)?;
                }
                Err(error) => {
                    self.flush_once(vm);
                    return Err(error.into());
                }
            }
            call.next_part()?;
        }
    }

    /// The data of a record, and of more that are there already if there is room for them.
    fn read_up_to(
        &self,
        call: &mut Call<'_>,
        size: usize,
        vm: &VirtualMachine,
    ) -> Result<Data, Failure> {
        self.handshake(call, vm)?;
        let _reading = self.take_reading(call, vm)?;
        if let Some(error) = self.failed.lock().take() {
            return Err(self.judge(vm, error).into());
        }
        let first = self.read_record(call, size, vm)?;
        let mut length = first.as_bytes().len();
        let mut others = Vec::new();
        while let Some(data) = self.read_long_record(call, size - length, vm)? {
            length += data.as_bytes().len();
            others.push(data);
        }
        Ok(Data { first, others })
    }

    /// The data of the next record, waiting for it if there is none left of the last one.
    fn read_record(
        &self,
        call: &mut Call<'_>,
        size: usize,
        vm: &VirtualMachine,
    ) -> Result<PyBytesRef, Failure> {
        loop {
            let mut limit = size.min(LONGEST_PLAINTEXT);
            let mut left = self.plaintext_left.load(Ordering::Relaxed) && self.decrypted(vm)? > 0;
            if !left && !self.records_end.load(Ordering::Relaxed) {
                self.fill(call, vm)?;
                let body = self.ends.incoming.lock().body();
                let most = body.saturating_sub(LEAST_OVERHEAD).max(1);
                // The state machine clears as much memory as it is asked for.
                limit = limit.min(most);
                left = limit < most;
            }
            let data = self.decrypt(limit, vm);
            if let Some(data) = data.map_err(|error| self.judge(vm, error))? {
                let left = left && data.as_bytes().len() == limit;
                self.plaintext_left.store(left, Ordering::Relaxed);
                return Ok(data);
            }
            if self.records_end.load(Ordering::Relaxed) {
                return Err(self.broken(vm).into());
            }
            // The record was none of the program's.
            self.plaintext_left.store(false, Ordering::Relaxed);
            call.next_part()?;
        }
    }

    /// The data of a record that follows without a wait, if all of it has room: another call for it would take longer than to
    /// decrypt it.
    ///
    /// An error comes with the next call, as there is data before it.
    fn read_long_record(
        &self,
        call: &mut Call<'_>,
        room: usize,
        vm: &VirtualMachine,
    ) -> Result<Option<PyBytesRef>, Failure> {
        let Some(body) = self.ends.incoming.lock().announced() else {
            return Ok(None);
        };
        if body > room || self.plaintext_left.load(Ordering::Relaxed) {
            return Ok(None);
        }
        match call.run_now(|fd| self.ends.fill_from(fd)) {
            Ok(Some(())) => {}
            Ok(None) => return Ok(None),
            Err(Failure::Errno(errno)) => {
                self.ends.incoming.lock().fail_later(errno);
                return Ok(None);
            }
            Err(failure) => return Err(failure),
        }
        if self.ends.incoming.lock().body() != body {
            return Ok(None);
        }
        Ok(self.decrypt(body, vm).unwrap_or_else(|error| {
            *self.failed.lock() = Some(error);
            None
        }))
    }

    /// Up to `size` bytes of the record at hand, of which there are none behind the last; `None` if it was none of the program's.
    fn decrypt(&self, size: usize, vm: &VirtualMachine) -> PyResult<Option<PyBytesRef>> {
        let stock = self.stock;
        let arguments = vec![self.machine.clone(), vm.ctx.new_int(size).into()];
        let Said::Done(data) = stock.step(&stock.read, arguments, vm)? else {
            return Ok(None);
        };
        let data = data
            .downcast::<PyBytes>()
            .map_err(|_| vm.new_type_error("a read gives bytes"))?;
        if data.as_bytes().is_empty() {
            self.records_end.store(true, Ordering::Relaxed);
        }
        Ok(Some(data))
    }

    /// How much plaintext the state machine has.
    fn decrypted(&self, vm: &VirtualMachine) -> PyResult<usize> {
        let pending = self.stock.pending.call((self.machine.clone(),), vm)?;
        pending.try_to_value(vm)
    }

    fn write_all(
        &self,
        call: &mut Call<'_>,
        data: &Plaintext,
        vm: &VirtualMachine,
    ) -> Result<usize, Failure> {
        self.handshake(call, vm)?;
        let writing = self.take_writing(call, vm)?;
        let bad_retry =
            || (self.stock).new_protocol_error(vm, "BAD_WRITE_RETRY", "bad write retry");
        if writing.is_nested() {
            // A signal handler's, in the midst of the data of the call that it interrupts.
            return Err(bad_retry().into());
        }
        let unfinished = self.unfinished.lock().take();
        let mut encrypted = match unfinished {
            None => 0,
            Some(unfinished) if unfinished.is_of(data) => unfinished.encrypted,
            Some(other) => {
                *self.unfinished.lock() = Some(other);
                return Err(bad_retry().into());
            }
        };
        let sent = loop {
            let has_room = || self.ends.outgoing.lock().len() < BATCH;
            let sent = match data.encrypt(&self.machine, &mut encrypted, has_room, vm) {
                // If it wants to be rid of something: that is where it goes.
                Ok(_) => self.flush(call, vm),
                // The connection is beyond repair: there is nothing to repeat.
                Err(error) => {
                    self.flush_once(vm);
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
                *self.unfinished.lock() = Some(Unfinished::new(data, encrypted));
                Err(failure)
            }
        }
    }

    fn close_notify(&self, call: &mut Call<'_>, vm: &VirtualMachine) -> Result<(), Failure> {
        let step = || {
            let said = self
                .stock
                .step(&self.stock.shutdown, vec![self.machine.clone()], vm);
            said.inspect_err(|_| self.flush_once(vm))
        };
        {
            // Ours goes out while another thread still reads.
            let _writing = self.take_writing(call, vm)?;
            let said = step()?;
            self.flush(call, vm)?;
            if let Said::Done(_) = said {
                return Ok(());
            }
        }
        let _reading = self.take_reading(call, vm)?;
        loop {
            if let Said::Done(_) = step()? {
                return Ok(());
            }
            self.fill(call, vm)?;
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
            zelf.handshake(call, vm)
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
                zelf.read_up_to(call, size, vm)
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
            zelf.write_all(call, &data, vm)
        })
    }

    /// Tell the peer that no more data comes, wait until it says so too, and return the socket.
    #[pymethod]
    fn shutdown(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult<PyRef<PySocket>> {
        zelf.run(vm, "The read operation timed out", |call| {
            zelf.close_notify(call, vm)
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

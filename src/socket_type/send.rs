//! The calls that send one buffer.

use std::{io, os::fd::BorrowedFd};

use super::{PySocket, system};
use crate::{
    blocking_bridge::{Call, Failure, Wake, run_handlers},
    memory::ReadMemory,
    reactor::{Direction, Source},
};
use rustpython_vm::{
    PyObjectRef, PyResult, TryFromObject, VirtualMachine,
    builtins::{PyBytes, PyBytesRef},
};

/// What Python code gave to send. Exact `bytes` are taken as they are, which is cheaper than the buffer protocol.
pub(super) enum Data {
    Bytes(PyBytesRef),
    Buffer(ReadMemory),
}

impl Data {
    pub(super) fn new(vm: &VirtualMachine, data: PyObjectRef) -> PyResult<Self> {
        match data.downcast_exact::<PyBytes>(vm) {
            Ok(bytes) => Ok(Self::Bytes(bytes.into_pyref())),
            Err(other) => ReadMemory::try_from_object(vm, other).map(Self::Buffer),
        }
    }

    /// Runs one system call on the bytes behind `from`. A borrow locks a bytearray, so none lasts longer than that.
    pub(super) fn with_rest<R>(&self, from: usize, f: impl FnOnce(&[u8]) -> R) -> R {
        match self {
            Self::Bytes(bytes) => f(bytes.as_bytes().get(from..).unwrap_or_default()),
            Self::Buffer(buffer) => f(buffer.borrow().get(from..).unwrap_or_default()),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.with_rest(0, <[u8]>::len)
    }
}

/// `send`; and `sendto` an address in the kernel's form.
pub(super) fn send(
    socket: &PySocket,
    data: &Data,
    flags: i32,
    address: Option<&[u8]>,
    vm: &VirtualMachine,
) -> Result<usize, Failure> {
    send_rest(socket, data, 0, flags, address, vm)
}

/// [`send`] of what is behind the first `from` bytes.
pub(super) fn send_rest(
    socket: &PySocket,
    data: &Data,
    from: usize,
    flags: i32,
    address: Option<&[u8]>,
    vm: &VirtualMachine,
) -> Result<usize, Failure> {
    socket.blocking(vm, flags, |call, source| {
        let attempt = |fd: BorrowedFd<'_>, sent: usize| {
            data.with_rest(from + sent, |bytes| system::send(fd, bytes, flags, address))
        };
        let sent = first_part(socket, call, source, address.is_some(), |fd| attempt(fd, 0))?;
        if flags & libc::MSG_DONTWAIT != 0 || !socket.completes_partial_work() {
            return Ok(sent);
        }
        complete(call, source, sent, data.len().saturating_sub(from), attempt)
    })
}

/// Sends until the kernel takes something.
///
/// A Unix datagram socket that is not connected is always writable, and each send that fails for want of room in its receiver's
/// queue even reports so; only a connected one is told of room.
pub(super) fn first_part(
    socket: &PySocket,
    call: &mut Call<'_>,
    source: &Source,
    is_addressed: bool,
    mut attempt: impl FnMut(BorrowedFd<'_>) -> io::Result<usize>,
) -> Result<usize, Failure> {
    if !is_addressed || socket.family() != libc::AF_UNIX {
        return call.run(Direction::Write, attempt);
    }
    loop {
        match source.with_fd(&mut attempt) {
            Some(Err(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                call.begin_waiting(libc::EAGAIN)?;
                call.pause()?;
            }
            Some(result) => return Ok(result?),
            None => return Err(Failure::Errno(libc::EBADF)),
        }
    }
}

/// Goes on after a part of a blocking stream's data, until all is sent or an error or a signal comes, as the kernel does
/// where it waits itself (send(2)). The error after a part comes with the next call.
pub(super) fn complete(
    call: &mut Call<'_>,
    source: &Source,
    mut sent: usize,
    length: usize,
    mut attempt: impl FnMut(BorrowedFd<'_>, usize) -> io::Result<usize>,
) -> Result<usize, Failure> {
    while sent < length && call.check_deadline().is_ok() {
        let tick = source.tick(Direction::Write);
        match source.with_fd(|fd| attempt(fd, sent)) {
            // The memory has shrunk meanwhile.
            Some(Ok(0)) => break,
            Some(Ok(more)) => sent += more,
            Some(Err(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                match call.begin_waiting(libc::EAGAIN) {
                    // Made non-blocking behind our back: a part is all there is.
                    Err(Failure::Errno(_)) => break,
                    other => other?,
                }
                match call.wait_unless_signal(Direction::Write, tick) {
                    Ok(Wake::Event) => {}
                    // A time-out can only be one that another thread has set meanwhile, or the thread's deadline.
                    Ok(Wake::Signal) | Err(Failure::TimedOut | Failure::Errno(libc::EAGAIN)) => {
                        break;
                    }
                    Err(failure) => return Err(failure),
                }
            }
            Some(Err(_)) => break,
            None => return Err(Failure::Errno(libc::EBADF)),
        }
    }
    Ok(sent)
}

/// `sendall`: one deadline over all its parts.
pub(super) fn send_all(
    socket: &PySocket,
    data: &Data,
    flags: i32,
    vm: &VirtualMachine,
) -> Result<(), Failure> {
    socket.blocking(vm, flags, |call, _| {
        let mut sent = 0;
        loop {
            sent += call.run(Direction::Write, |fd| {
                data.with_rest(sent, |rest| system::send(fd, rest, flags, None))
            })?;
            if sent >= data.len() {
                return Ok(());
            }
            run_handlers(vm)?;
            call.check_deadline()?;
        }
    })
}

/// At most this much of a file is sent in one system call: other processes that share the socket see its mode changed meanwhile.
const FILE_PIECE: usize = 256 * 1024;

/// A piece of a file by sendfile(2), which may read from a slow disk: detached. 0 at the end of the file.
pub(super) fn send_file(
    socket: &PySocket,
    source: i32,
    offset: i64,
    count: usize,
    vm: &VirtualMachine,
) -> Result<usize, Failure> {
    let count = count.min(FILE_PIECE);
    socket.blocking(vm, 0, |call, _| {
        call.run_on(Direction::Write, |target| {
            vm.allow_threads(|| {
                target.with_nonblocking(|fd| system::send_file(fd, source, offset, count))
            })
        })
    })
}

//! The calls that receive into one buffer.

use std::{io, mem::MaybeUninit, os::fd::BorrowedFd};

use super::{PySocket, system};
use crate::{
    blocking_bridge::{Call, Failure, Wake},
    memory::WriteMemory,
    reactor::{Direction, has_events},
    sockaddr::Room,
};
use rustpython_vm::VirtualMachine;

/// Up to this size, data is received on the stack and copied to a `bytes` of its exact length.
const ON_STACK: usize = 8 * 1024;

/// `recv`. Nothing is received without a wait where nothing is asked for, as on CPython. The memory is taken when there is something to receive, and given back but for what was received.
pub(super) fn receive(
    socket: &PySocket,
    size: usize,
    flags: i32,
    vm: &VirtualMachine,
) -> Result<Vec<u8>, Failure> {
    if size == 0 {
        return Ok(Vec::new());
    }
    receive_exact(socket, size, flags, vm, system::receive)
}

/// `recvfrom`, which finds the room for the sender's address empty.
pub(super) fn receive_from(
    socket: &PySocket,
    size: usize,
    flags: i32,
    sender: &mut Room,
    vm: &VirtualMachine,
) -> Result<Vec<u8>, Failure> {
    receive_exact(socket, size, flags, vm, from_first(sender))
}

/// The attempts of a call: the address is that of the first one that has received something.
fn from_first(
    sender: &mut Room,
) -> impl FnMut(BorrowedFd<'_>, &mut [MaybeUninit<u8>], i32) -> io::Result<usize> {
    let mut is_first = true;
    move |fd, buffer, flags| {
        if !is_first {
            return system::receive(fd, buffer, flags);
        }
        let received = system::receive_from(fd, buffer, flags, sender)?;
        is_first = false;
        Ok(received)
    }
}

fn receive_exact(
    socket: &PySocket,
    size: usize,
    flags: i32,
    vm: &VirtualMachine,
    mut attempt: impl FnMut(BorrowedFd<'_>, &mut [MaybeUninit<u8>], i32) -> io::Result<usize>,
) -> Result<Vec<u8>, Failure> {
    if socket.waits_for_all(flags) {
        let mut data = reserve(size).map_err(|_| vm.no_memory_error())?;
        let buffer = data.spare_capacity_mut();
        let (received, ()) = wait_for_all(socket, size, flags, vm, |fd, from, flags| {
            let buffer = buffer.get_mut(from..size).unwrap_or_default();
            Ok((attempt(fd, buffer, flags)?, ()))
        })?;
        // SAFETY: the kernel has written the first `received` bytes of the capacity.
        unsafe { data.set_len(received) };
        return Ok(data);
    }
    socket.blocking(vm, flags, |call, _| {
        let received = call.run(Direction::Read, |fd| {
            if size <= ON_STACK {
                let mut buffer = [MaybeUninit::uninit(); ON_STACK];
                let buffer = &mut buffer[..size];
                let received = attempt(fd, buffer, flags)?;
                return Ok(filled(buffer, received).to_vec());
            }
            let mut data = reserve(size)?;
            let received = attempt(fd, &mut data.spare_capacity_mut()[..size], flags)?;
            // SAFETY: the kernel has written that many bytes; with MSG_TRUNC it counts also those it had to cut.
            unsafe { data.set_len(received.min(size)) };
            if data.len() <= size / 2 {
                data = data.as_slice().to_vec();
            }
            Ok(data)
        });
        match received {
            Err(Failure::Errno(libc::ENOMEM)) => Err(vm.no_memory_error().into()),
            received => received,
        }
    })
}

fn reserve(size: usize) -> io::Result<Vec<u8>> {
    let mut data = Vec::new();
    data.try_reserve_exact(size)
        .map_err(|_| io::Error::from_raw_os_error(libc::ENOMEM))?;
    Ok(data)
}

/// The part of a buffer that a system call has filled.
fn filled(buffer: &[MaybeUninit<u8>], received: usize) -> &[u8] {
    let buffer = buffer.get(..received).unwrap_or(buffer);
    // SAFETY: the kernel has written that many bytes.
    unsafe { buffer.assume_init_ref() }
}

/// `recv_into`.
pub(super) fn receive_into(
    socket: &PySocket,
    buffer: &WriteMemory,
    limit: usize,
    flags: i32,
    vm: &VirtualMachine,
) -> Result<usize, Failure> {
    if limit == 0 {
        return Ok(0);
    }
    receive_borrowed(socket, buffer, limit, flags, vm, system::receive)
}

/// `recvfrom_into`.
pub(super) fn receive_from_into(
    socket: &PySocket,
    buffer: &WriteMemory,
    limit: usize,
    flags: i32,
    sender: &mut Room,
    vm: &VirtualMachine,
) -> Result<usize, Failure> {
    receive_borrowed(socket, buffer, limit, flags, vm, from_first(sender))
}

/// The buffer is borrowed for each attempt only: a borrow locks the object, and others may need it while this call waits.
fn receive_borrowed(
    socket: &PySocket,
    buffer: &WriteMemory,
    limit: usize,
    flags: i32,
    vm: &VirtualMachine,
    mut attempt: impl FnMut(BorrowedFd<'_>, &mut [MaybeUninit<u8>], i32) -> io::Result<usize>,
) -> Result<usize, Failure> {
    let mut borrowed = |fd: BorrowedFd<'_>, from: usize, flags: i32| {
        let mut memory = buffer.borrow();
        let end = limit.min(memory.len());
        let memory = memory.get_mut(from..end).unwrap_or_default();
        attempt(fd, as_uninit(memory), flags)
    };
    if socket.waits_for_all(flags) {
        let borrowed = |fd: BorrowedFd<'_>, from, flags| Ok((borrowed(fd, from, flags)?, ()));
        let (received, ()) = wait_for_all(socket, limit, flags, vm, borrowed)?;
        return Ok(received);
    }
    socket.blocking(vm, flags, |call, _| {
        call.run(Direction::Read, |fd| borrowed(fd, 0, flags))
    })
}

pub(super) fn as_uninit(memory: &mut [u8]) -> &mut [MaybeUninit<u8>] {
    // SAFETY: same layout; only the kernel writes through it, and only initialised bytes.
    unsafe { &mut *(std::ptr::from_mut(memory) as *mut [MaybeUninit<u8>]) }
}

/// `MSG_WAITALL` on a blocking stream: goes on until `size` bytes are there, the stream ends, an error or a signal comes, as
/// the kernel does where it waits itself (recv(2)). The error after a part comes with the next call.
///
/// `attempt` receives behind as many bytes as it is told. With `MSG_PEEK` all of them are still in the socket, so it
/// looks at them from the start each time.
pub(super) fn wait_for_all<T>(
    socket: &PySocket,
    size: usize,
    flags: i32,
    vm: &VirtualMachine,
    mut attempt: impl FnMut(BorrowedFd<'_>, usize, i32) -> io::Result<(usize, T)>,
) -> Result<(usize, T), Failure> {
    let peek = flags & libc::MSG_PEEK != 0;
    socket.blocking(vm, flags, |call, source| {
        let (mut total, extra) = call.run(Direction::Read, |fd| attempt(fd, 0, flags))?;
        while total > 0 && total < size && call.check_deadline().is_ok() {
            let tick = source.tick(Direction::Read);
            let received = source.with_fd(|fd| -> io::Result<_> {
                let received = attempt(fd, if peek { 0 } else { total }, flags)?.0;
                // A peek sees the same bytes again until more come, and does not see the end of the stream.
                let ended = if peek {
                    received == total && has_events(fd, libc::POLLRDHUP)
                } else {
                    received == 0
                };
                Ok((received, ended))
            });
            match received {
                Some(Ok((received, false))) if !peek => total += received,
                Some(Ok((received, false))) if received > total => total = received,
                None => return Err(Failure::Errno(libc::EBADF)),
                Some(Ok((_, true))) => break,
                Some(Err(error)) if error.kind() != io::ErrorKind::WouldBlock => break,
                _ => {
                    if !wait_for_rest(call, tick)? {
                        break;
                    }
                }
            }
        }
        Ok((total, extra))
    })
}

/// False when the call has to return what it has: a signal came, or the descriptor was made non-blocking behind our back.
fn wait_for_rest(call: &mut Call<'_>, tick: u32) -> Result<bool, Failure> {
    match call.begin_waiting(libc::EAGAIN) {
        Err(Failure::Errno(_)) => Ok(false),
        Err(failure) => Err(failure),
        Ok(()) => match call.wait_unless_signal(Direction::Read, tick) {
            Ok(wake) => Ok(wake == Wake::Event),
            // A time-out can only be one that another thread has set meanwhile, or the thread's deadline.
            Err(Failure::TimedOut | Failure::Errno(libc::EAGAIN)) => Ok(false),
            Err(failure) => Err(failure),
        },
    }
}

//! `connect` and `accept`: the calls that have no flag for not waiting.

use std::{
    io,
    os::fd::{BorrowedFd, OwnedFd},
};

use rustpython_vm::VirtualMachine;
use socket2::{SockAddr, SockRef};

use super::{PySocket, system};
use crate::{
    blocking_bridge::{Call, Failure},
    reactor::{
        Direction, Source,
        connect::{attempt, attempt_again, is_over},
        has_events, with_more_descriptors,
    },
    sockaddr,
};

/// Waits for a connection. The descriptor is not inheritable (PEP 446).
///
/// `accept` blocks on a descriptor in blocking mode, so it is called only when a connection is there. Only another process that
/// shares the listener can take that away in between; then this call waits in the kernel, as on CPython, detached, and a
/// signal ends it. (To make the descriptor non-blocking for the call would show in all those processes. Bluetooth, which does not
/// say whether a socket listens, leaves no other way.)
pub(super) fn accept(
    socket: &PySocket,
    vm: &VirtualMachine,
) -> Result<(OwnedFd, SockAddr), Failure> {
    socket.blocking(vm, 0, |call, _| {
        call.run_on(Direction::Read, |source| {
            vm.allow_threads(|| {
                // These listen without SO_ACCEPTCONN.
                if socket.family() == libc::AF_BLUETOOTH {
                    return source.with_nonblocking(accept_named);
                }
                source.take_turn(|fd| {
                    let listener = SockRef::from(&fd);
                    // What does not listen never becomes readable so; without a timeout, the kernel refuses it at once.
                    if !has_events(fd, libc::POLLIN)
                        && (socket.timeout.is_timeout() || listener.is_listener()?)
                    {
                        return Err(io::Error::from_raw_os_error(libc::EAGAIN));
                    }
                    // The kernel aborts the connection of an AF_ALG socket of which it is asked for the peer's name.
                    if socket.family() == libc::AF_ALG {
                        let connection = with_more_descriptors(|| system::accept_nameless(fd))?;
                        return Ok((connection, sockaddr::from_bytes(&[])));
                    }
                    accept_named(fd)
                })
            })
        })
    })
}

/// accept4(2), with the peer's address.
fn accept_named(listener: BorrowedFd<'_>) -> io::Result<(OwnedFd, SockAddr)> {
    let listener = SockRef::from(&listener);
    let (connection, address) = with_more_descriptors(|| listener.accept())?;
    Ok((connection.into(), address))
}

/// `connect`, which on a non-blocking descriptor begins an attempt when it is called first.
///
/// Called again at once it tells whether that is over already, as it is on loopback: that saves a wait.
pub(super) fn connect(
    socket: &PySocket,
    address: &SockAddr,
    vm: &VirtualMachine,
) -> Result<(), Failure> {
    socket.blocking(vm, 0, |call, source| {
        loop {
            let seen = source.tick(Direction::Write);
            let mut begun = false;
            let result = source.with_nonblocking(|fd| match attempt(fd, address) {
                // EINTR: the attempt goes on, like EINPROGRESS (connect(2)).
                Err(libc::EINPROGRESS | libc::EINTR) if !socket.timeout.is_nonblocking() => {
                    begun = true;
                    attempt_again(fd, address)
                }
                result => result,
            });
            match result.unwrap_or(Err(libc::EBADF)) {
                Ok(()) => return Ok(()),
                Err(libc::EISCONN) if begun => return Ok(()),
                Err(libc::EINPROGRESS) => {
                    call.begin_waiting(libc::EINPROGRESS)?;
                    return finish(call, source, address, seen);
                }
                // Without a timeout also an attempt that an earlier call has begun is waited for, as in the kernel.
                Err(libc::EALREADY) if begun || socket.timeout.is_none() => {
                    call.begin_waiting(libc::EALREADY)?;
                    return finish(call, source, address, seen);
                }
                // A Unix listener whose queue is full. In timeout mode CPython does not wait for it either.
                Err(libc::EAGAIN) if socket.timeout.is_none() => {
                    call.begin_waiting(libc::EAGAIN)?;
                    call.pause()?;
                }
                Err(errno) => return Err(Failure::Errno(errno)),
            }
        }
    })
}

/// Waits for the end of an attempt.
fn finish(
    call: &Call<'_>,
    source: &Source,
    address: &SockAddr,
    mut seen: u32,
) -> Result<(), Failure> {
    loop {
        call.wait(Direction::Write, seen)?;
        seen = source.tick(Direction::Write);
        if is_over(source, address)? {
            return Ok(());
        }
    }
}

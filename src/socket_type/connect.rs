//! `connect` and `accept`: the calls that have no flag for not waiting.

use std::{io, os::fd::OwnedFd, time::Duration};

use rustpython_vm::VirtualMachine;
use socket2::{SockAddr, SockRef};

use super::{PySocket, create::with_more_descriptors};
use crate::{
    blocking_bridge::{Call, Failure},
    reactor::{Direction, Source, has_events},
};

/// How often a blocking `connect` to a Unix socket looks whether the listener's queue has room: the kernel tells nobody.
const QUEUE_POLLS: [Duration; 4] = [
    Duration::from_millis(1),
    Duration::from_millis(4),
    Duration::from_millis(16),
    Duration::from_millis(50),
];

/// Waits for a connection. The descriptor is not inheritable (PEP 446).
///
/// `accept` blocks on a descriptor in blocking mode, so it is called only when a connection is there. Only another process that
/// shares the listener can take that away in between; then this call waits in the kernel, as on CPython, detached, and a
/// signal ends it. (To make the descriptor non-blocking for the call would show in all those processes.)
pub(super) fn accept(
    socket: &PySocket,
    vm: &VirtualMachine,
) -> Result<(OwnedFd, SockAddr), Failure> {
    socket.blocking(vm, 0, |call, _| {
        call.run_on(Direction::Read, |source| {
            vm.allow_threads(|| {
                source.take_turn(|fd| {
                    if !has_events(fd, libc::POLLIN) {
                        return Err(io::Error::from_raw_os_error(libc::EAGAIN));
                    }
                    let accept = || SockRef::from(&fd).accept();
                    let (connection, address) = with_more_descriptors(accept)?;
                    Ok((connection.into(), address))
                })
            })
        })
    })
}

pub(super) fn connect(
    socket: &PySocket,
    address: &SockAddr,
    vm: &VirtualMachine,
) -> Result<(), Failure> {
    socket.blocking(vm, 0, |call, source| {
        let mut polls = QUEUE_POLLS.iter().copied();
        let mut pause = QUEUE_POLLS[0];
        loop {
            let seen = source.tick(Direction::Write);
            let begun = source
                .with_nonblocking(|fd| SockRef::from(&fd).connect(address))
                .unwrap_or_else(|| Err(io::Error::from_raw_os_error(libc::EBADF)));
            match begun.map_err(|error| error.raw_os_error()) {
                Ok(()) => return Ok(()),
                // EINTR: the attempt goes on in the background, like EINPROGRESS (connect(2)).
                Err(Some(libc::EINPROGRESS | libc::EINTR)) => {
                    call.begin_waiting(libc::EINPROGRESS)?;
                    finish(call, source, seen)?;
                    if socket.timeout.is_none() {
                        // The kernel's socket is connected only when a `connect` has seen the end of the attempt: a later one
                        // fails with EISCONN then, as after a `connect` that blocked.
                        let _ = source.with_nonblocking(|fd| SockRef::from(&fd).connect(address));
                    }
                    return Ok(());
                }
                // A Unix listener whose queue is full. In timeout mode CPython does not wait for it either.
                Err(Some(libc::EAGAIN)) if socket.timeout.is_none() => {
                    call.begin_waiting(libc::EAGAIN)?;
                    pause = polls.next().unwrap_or(pause);
                    call.pause(pause)?;
                }
                Err(errno) => return Err(Failure::Errno(errno.unwrap_or(libc::EIO))),
            }
        }
    })
}

/// Waits for the end of a connection attempt, whose result is `SO_ERROR`.
fn finish(call: &mut Call<'_>, source: &Source, mut seen: u32) -> Result<(), Failure> {
    loop {
        call.wait(Direction::Write, seen)?;
        seen = source.tick(Direction::Write);
        let ended = source
            .with_fd(|fd| {
                let socket = SockRef::from(&fd);
                match socket.take_error()? {
                    Some(error) => Err(error),
                    // No error may also mean no end yet: only a connected socket has a peer.
                    None => match socket.peer_addr() {
                        Err(error) if error.raw_os_error() == Some(libc::ENOTCONN) => Ok(false),
                        _ => Ok(true),
                    },
                }
            })
            .unwrap_or_else(|| Err(io::Error::from_raw_os_error(libc::EBADF)));
        match ended {
            Ok(true) => return Ok(()),
            Err(error) if error.raw_os_error() == Some(libc::EISCONN) => return Ok(()),
            Ok(false) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

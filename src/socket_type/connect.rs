//! `connect` and `accept`: the calls that have no flag for not waiting.

use std::{io, os::fd::OwnedFd, time::Duration};

use rustpython_vm::VirtualMachine;
use socket2::{SockAddr, SockRef};

use super::{PySocket, create::with_more_descriptors};
use crate::{
    blocking_bridge::Failure,
    reactor::{Direction, has_events},
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
                    let listener = SockRef::from(&fd);
                    // What does not listen never becomes readable so; without a timeout, the kernel refuses it at once.
                    let may_wait = socket.timeout.is_timeout() || listener.is_listener()?;
                    if may_wait && !has_events(fd, libc::POLLIN) {
                        return Err(io::Error::from_raw_os_error(libc::EAGAIN));
                    }
                    let accept = || listener.accept();
                    let (connection, address) = with_more_descriptors(accept)?;
                    Ok((connection.into(), address))
                })
            })
        })
    })
}

/// `connect`, which on a non-blocking descriptor begins an attempt when called first, and tells its state when called again:
/// `EALREADY` while it goes on, then its error, or success. Only that last call makes the kernel see the socket as connected, so
/// that one more fails with `EISCONN` as it should; and on loopback it tells at once what else would take a wait.
pub(super) fn connect(
    socket: &PySocket,
    address: &SockAddr,
    vm: &VirtualMachine,
) -> Result<(), Failure> {
    socket.blocking(vm, 0, |call, source| {
        let mut polls = QUEUE_POLLS.iter().copied();
        let mut pause = QUEUE_POLLS[0];
        let mut begun = false;
        loop {
            let seen = source.tick(Direction::Write);
            let result = source.with_nonblocking(|fd| {
                let connect = || {
                    SockRef::from(&fd)
                        .connect(address)
                        .map_err(|error| error.raw_os_error())
                };
                match connect() {
                    // EINTR: the attempt goes on, like EINPROGRESS (connect(2)).
                    Err(Some(libc::EINPROGRESS | libc::EINTR))
                        if !socket.timeout.is_nonblocking() =>
                    {
                        begun = true;
                        connect()
                    }
                    result => result,
                }
            });
            match result.unwrap_or(Err(Some(libc::EBADF))) {
                Ok(()) => return Ok(()),
                Err(Some(libc::EISCONN)) if begun => return Ok(()),
                Err(Some(libc::EINPROGRESS)) => {
                    call.begin_waiting(libc::EINPROGRESS)?;
                    call.wait(Direction::Write, seen)?;
                }
                // Without a timeout also an attempt that an earlier call has begun is waited for, as in the kernel.
                Err(Some(libc::EALREADY)) if begun || socket.timeout.is_none() => {
                    begun = true;
                    call.begin_waiting(libc::EALREADY)?;
                    call.wait(Direction::Write, seen)?;
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

//! One connection attempt on a source: its begin and its end, neither of which waits.

use std::{io, os::fd::BorrowedFd};

use socket2::{SockAddr, SockRef};

use super::{Source, has_events};

const AF_BLUETOOTH: libc::sa_family_t = libc::AF_BLUETOOTH as libc::sa_family_t;

/// One connect(2), or the errno.
pub(crate) fn attempt(fd: BorrowedFd<'_>, address: &SockAddr) -> Result<(), i32> {
    SockRef::from(&fd)
        .connect(address)
        .map_err(|error| error.raw_os_error().unwrap_or(libc::EIO))
}

/// One more connect(2) for the attempt that this descriptor has just begun: `EALREADY` while that goes on, `EISCONN` when it
/// is over.
pub(crate) fn attempt_again(fd: BorrowedFd<'_>, address: &SockAddr) -> Result<(), i32> {
    match attempt(fd, address) {
        // Bluetooth's RFCOMM and SCO refuse it in any state, so that it tells nothing.
        Err(libc::EBADFD) => Err(libc::EALREADY),
        result => result,
    }
}

/// Begins an attempt; true if it is over already, as it is on loopback: `connect` called again tells, which saves a wait.
///
/// # Errors
///
/// Those of connect(2); `EBADF` where the source is closed.
pub(crate) fn begin(source: &Source, address: &SockAddr) -> io::Result<bool> {
    let result = source.with_nonblocking(|fd| match attempt(fd, address) {
        // EINTR: the attempt goes on, like EINPROGRESS (connect(2)).
        Err(libc::EINPROGRESS | libc::EINTR) => match attempt_again(fd, address) {
            Ok(()) | Err(libc::EISCONN) => Ok(true),
            Err(libc::EINPROGRESS | libc::EALREADY | libc::EINTR) => Ok(false),
            Err(errno) => Err(errno),
        },
        result => result.map(|()| true),
    });
    result
        .unwrap_or(Err(libc::EBADF))
        .map_err(io::Error::from_raw_os_error)
}

/// Whether an attempt is over. (To call `connect` for that would begin another one, if the end was a `shutdown`.)
///
/// # Errors
///
/// The attempt's; `EBADF` where the source is closed.
pub(crate) fn is_over(source: &Source, address: &SockAddr) -> io::Result<bool> {
    let over = source.with_nonblocking(|fd| {
        let socket = SockRef::from(&fd);
        if let Some(error) = socket.take_error()? {
            return Err(error);
        }
        // No error may also mean no end yet: only a connected socket has a peer. (One of Bluetooth names its peer from the
        // begin of the attempt on, but is not writable before its end.)
        let has_end = address.family() != AF_BLUETOOTH || has_events(fd, libc::POLLOUT);
        if has_end && socket.peer_addr().is_ok() {
            // The kernel's socket is connected only when a `connect` has seen the end of the attempt: one more then fails
            // with EISCONN, as it should.
            let _ = attempt(fd, address);
            return Ok(true);
        }
        if has_events(fd, 0) {
            return Err(io::Error::from_raw_os_error(libc::ECONNABORTED));
        }
        Ok(false)
    });
    over.unwrap_or_else(|| Err(io::Error::from_raw_os_error(libc::EBADF)))
}

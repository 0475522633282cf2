//! What the reactor is held against: the system calls themselves, as a program without it makes them.

use std::{
    fs, io,
    os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd},
    ptr,
};

/// The result of a system call, where negative means `errno`.
fn checked(result: isize) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

fn checked_int(result: libc::c_int) -> io::Result<libc::c_int> {
    checked(result as isize).map(|_| result)
}

fn number(fd: &impl AsFd) -> RawFd {
    fd.as_fd().as_raw_fd()
}

/// A connected pair of Unix stream sockets in blocking mode.
pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let (one, other) = std::os::unix::net::UnixStream::pair()?;
    Ok((one.into(), other.into()))
}

/// A TCP socket that is neither bound nor connected.
pub fn tcp_socket() -> io::Result<OwnedFd> {
    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC;
    // SAFETY: takes numbers only.
    let fd = checked_int(unsafe { libc::socket(libc::AF_INET, kind, 0) })?;
    // SAFETY: a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

pub fn send(fd: impl AsFd, data: &[u8]) -> io::Result<usize> {
    // SAFETY: reads at most `len` bytes of the slice, which is valid for that many.
    checked(unsafe { libc::send(number(&fd), data.as_ptr().cast(), data.len(), 0) })
}

/// `recv(2)`, which waits in the kernel unless `flags` say otherwise.
pub fn receive(fd: impl AsFd, buffer: &mut [u8], flags: libc::c_int) -> io::Result<usize> {
    let (start, length) = (buffer.as_mut_ptr().cast(), buffer.len());
    // SAFETY: writes at most `len` bytes to the buffer, which is valid for that many.
    checked(unsafe { libc::recv(number(&fd), start, length, flags) })
}

/// Waits with `poll(2)` until there is something to receive.
pub fn wait(fd: impl AsFd) -> io::Result<()> {
    let mut entry = libc::pollfd {
        fd: number(&fd),
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: `entry` is one valid entry for the call.
    checked_int(unsafe { libc::poll(&mut entry, 1, -1) }).map(drop)
}

/// Ends a `recv` that waits.
pub fn shut_down(fd: impl AsFd) -> io::Result<()> {
    // SAFETY: takes numbers only.
    checked_int(unsafe { libc::shutdown(number(&fd), libc::SHUT_RDWR) }).map(drop)
}

/// An epoll set.
pub struct Epoll(OwnedFd);

impl Epoll {
    pub fn new() -> io::Result<Self> {
        // SAFETY: takes numbers only.
        let fd = checked_int(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        // SAFETY: a new descriptor that nobody else owns.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Adds a descriptor, for events that are told once.
    pub fn add(&self, fd: impl AsFd) -> io::Result<()> {
        let mut event = libc::epoll_event {
            events: (libc::EPOLLIN | libc::EPOLLRDHUP | libc::EPOLLET) as u32,
            u64: 1,
        };
        let (epoll, fd) = (self.0.as_raw_fd(), number(&fd));
        // SAFETY: `event` is valid for the call; the kernel checks both descriptors.
        checked_int(unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, fd, &mut event) })
            .map(drop)
    }

    pub fn remove(&self, fd: impl AsFd) -> io::Result<()> {
        let (epoll, fd) = (self.0.as_raw_fd(), number(&fd));
        // SAFETY: removal takes no event (Linux 2.6.9); the kernel checks both descriptors.
        checked_int(unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_DEL, fd, ptr::null_mut()) })
            .map(drop)
    }

    /// How many events there are, of one at most. Waits for it if `timeout`, in milliseconds, is negative.
    pub fn wait(&self, timeout: libc::c_int) -> io::Result<libc::c_int> {
        let mut event = libc::epoll_event { events: 0, u64: 0 };
        // SAFETY: `event` is one valid entry for the call.
        checked_int(unsafe { libc::epoll_wait(self.0.as_raw_fd(), &mut event, 1, timeout) })
    }
}

/// The calling thread's number, for [`is_asleep`].
#[must_use]
pub fn thread_id() -> libc::pid_t {
    // SAFETY: has no arguments and cannot fail.
    unsafe { libc::gettid() }
}

/// Whether a thread of this process sleeps in the kernel.
#[must_use]
pub fn is_asleep(thread: libc::pid_t) -> bool {
    fs::read_to_string(format!("/proc/self/task/{thread}/stat")).is_ok_and(|stat| {
        stat.rsplit_once(')')
            .is_some_and(|(_, rest)| rest.trim_start().starts_with('S'))
    })
}

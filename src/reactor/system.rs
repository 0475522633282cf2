//! The system calls of the reactor itself that neither std, mio nor socket2 offer.

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
    ptr,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

/// `recv(2)` that never blocks, whatever mode the descriptor is in.
pub fn recv(fd: BorrowedFd<'_>, buffer: &mut [u8], flags: i32) -> io::Result<usize> {
    // SAFETY: `recv` writes at most `len` bytes to the buffer, which is valid for that many.
    let received = unsafe {
        libc::recv(fd.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), flags | libc::MSG_DONTWAIT)
    };
    usize::try_from(received).map_err(|_| io::Error::last_os_error())
}

/// An eventfd that is readable for ever: see [`super::driver`].
pub(super) fn always_readable() -> io::Result<OwnedFd> {
    // SAFETY: `eventfd` takes no pointers.
    let fd = unsafe { libc::eventfd(1, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn control(epoll: RawFd, operation: i32, fd: RawFd, token: u64) -> Result<(), i32> {
    let mut event = libc::epoll_event { events: (libc::EPOLLIN | libc::EPOLLET) as u32, u64: token };
    // SAFETY: `event` is valid for the call; the kernel checks both descriptors.
    let done = unsafe { libc::epoll_ctl(epoll, operation, fd, &mut event) };
    // SAFETY: errno is this thread's.
    if done == 0 { Ok(()) } else { Err(unsafe { *libc::__errno_location() }) }
}

/// Makes `epoll_wait` on `epoll` return an event with `token`, now or when it is called next.
///
/// Arming an edge-triggered interest in a readable descriptor queues one event (epoll(7)). System calls only: a signal handler may
/// call this. It changes `errno`.
pub(super) fn poke(epoll: RawFd, readable: RawFd, token: u64) {
    if control(epoll, libc::EPOLL_CTL_MOD, readable, token) == Err(libc::ENOENT)
        && control(epoll, libc::EPOLL_CTL_ADD, readable, token) == Err(libc::EEXIST)
    {
        // Another thread added it in between, and thereby woke; once more costs nothing.
        let _ = control(epoll, libc::EPOLL_CTL_MOD, readable, token);
    }
}

/// What is left until `deadline`, as the kernel takes it; never less than there is.
fn remaining(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

fn timespec(duration: Duration) -> libc::timespec {
    libc::timespec {
        tv_sec: libc::time_t::try_from(duration.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: libc::c_long::from(duration.subsec_nanos()),
    }
}

/// Whether the kernel lacks `epoll_pwait2` (Linux before 5.11).
static NO_NANOSECONDS: AtomicBool = AtomicBool::new(false);

/// `epoll_pwait2(2)`, or `epoll_wait(2)` rounded up to milliseconds where the kernel lacks it. The events that it filled in.
pub(super) fn epoll_wait<'a>(
    epoll: RawFd,
    events: &'a mut [libc::epoll_event],
    deadline: Option<Instant>,
) -> io::Result<&'a [libc::epoll_event]> {
    let capacity = i32::try_from(events.len()).unwrap_or(i32::MAX);
    let mut count = -1;
    if !NO_NANOSECONDS.load(Ordering::Relaxed) {
        let timeout = deadline.map(|deadline| timespec(remaining(deadline)));
        let timeout = timeout.as_ref().map_or(ptr::null(), ptr::from_ref);
        // SAFETY: `events` holds `capacity` entries, and the timeout outlives the call; no signal mask is given.
        count = unsafe {
            libc::syscall(libc::SYS_epoll_pwait2, epoll, events.as_mut_ptr(), capacity, timeout, ptr::null::<libc::sigset_t>(), 8_usize)
        };
        if count < 0 && io::Error::last_os_error().raw_os_error() == Some(libc::ENOSYS) {
            NO_NANOSECONDS.store(true, Ordering::Relaxed);
        }
    }
    if NO_NANOSECONDS.load(Ordering::Relaxed) {
        let timeout = deadline.map_or(-1, |deadline| {
            i32::try_from(remaining(deadline).as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX)
        });
        // SAFETY: `events` holds `capacity` entries.
        count = i64::from(unsafe { libc::epoll_wait(epoll, events.as_mut_ptr(), capacity, timeout) });
    }
    match usize::try_from(count) {
        Ok(count) => Ok(events.get(..count).unwrap_or_default()),
        Err(_) => Err(io::Error::last_os_error()),
    }
}

/// `ppoll(2)` of one descriptor. True when one of `events`, or an error, is there.
pub(super) fn poll_one(fd: BorrowedFd<'_>, events: i16, timeout: Duration) -> io::Result<bool> {
    let mut entry = libc::pollfd { fd: fd.as_raw_fd(), events, revents: 0 };
    let timeout = timespec(timeout);
    // SAFETY: one valid entry and a valid timeout; no signal mask is given.
    let ready = unsafe { libc::ppoll(&mut entry, 1, &timeout, ptr::null()) };
    if ready < 0 { Err(io::Error::last_os_error()) } else { Ok(ready > 0) }
}

/// Sleeps until the time is over or a signal handler has run.
pub(super) fn sleep(duration: Duration) {
    let duration = timespec(duration);
    // SAFETY: a valid time; the rest is not asked for.
    unsafe { libc::nanosleep(&duration, ptr::null_mut()) };
}

/// `close(2)`. On Linux the number is gone whatever the result, so EINTR is success.
pub(super) fn close(fd: RawFd) -> io::Result<()> {
    // SAFETY: the caller owns the descriptor and gives it up.
    if unsafe { libc::close(fd) } == 0 {
        return Ok(());
    }
    match io::Error::last_os_error() {
        error if error.raw_os_error() == Some(libc::EINTR) => Ok(()),
        error => Err(error),
    }
}

/// Whether `O_NONBLOCK` is set: fcntl(2).
pub(super) fn is_nonblocking(fd: BorrowedFd<'_>) -> io::Result<bool> {
    // SAFETY: takes and returns flags only.
    let flags = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) };
    if flags < 0 { Err(io::Error::last_os_error()) } else { Ok(flags & libc::O_NONBLOCK != 0) }
}

/// Sets or clears `O_NONBLOCK`, in one system call and without touching the other flags: ioctl(2).
pub(super) fn set_nonblocking(fd: BorrowedFd<'_>, nonblocking: bool) -> io::Result<()> {
    let mut on = libc::c_int::from(nonblocking);
    // SAFETY: FIONBIO reads one int.
    let done = unsafe { libc::ioctl(fd.as_raw_fd(), libc::FIONBIO, &mut on) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Runs `f` with all signals blocked on this thread, so that a thread it starts never takes a signal meant for another.
pub(crate) fn with_signals_blocked<R>(f: impl FnOnce() -> R) -> R {
    // SAFETY: plain C structures, filled in by the calls.
    let mut all: libc::sigset_t = unsafe { std::mem::zeroed() };
    let mut before = all;
    // SAFETY: both sets are valid; the mask is this thread's own.
    unsafe {
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &all, &mut before);
    }
    let result = f();
    // SAFETY: restores what was read above.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &before, ptr::null_mut()) };
    result
}

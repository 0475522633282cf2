//! The system calls of the reactor itself that neither std, mio nor socket2 offer.

use std::{
    io,
    mem::MaybeUninit,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
    ptr,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

/// `recv(2)` that never blocks, whatever mode the descriptor is in.
pub fn recv(fd: BorrowedFd<'_>, buffer: &mut [u8], flags: i32) -> io::Result<usize> {
    // SAFETY: `recv` writes at most `len` bytes to the buffer, which is valid for that many.
    let received = unsafe {
        libc::recv(
            fd.as_raw_fd(),
            buffer.as_mut_ptr().cast(),
            buffer.len(),
            flags | libc::MSG_DONTWAIT,
        )
    };
    usize::try_from(received).map_err(|_| io::Error::last_os_error())
}

/// An eventfd(2) with this count, non-blocking and not inherited by programs.
pub(crate) fn eventfd(count: u32) -> io::Result<OwnedFd> {
    // SAFETY: `eventfd` takes no pointers.
    let fd = unsafe { libc::eventfd(count, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Device and inode, which tell apart what a number has meant from what it means now, if not two eventfds.
pub(super) fn identity(fd: RawFd) -> Option<(libc::dev_t, libc::ino_t)> {
    // SAFETY: a plain C structure, filled in by the call.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: `stat` is valid for the call; the kernel checks the descriptor.
    (unsafe { libc::fstat(fd, &mut stat) } == 0).then_some((stat.st_dev, stat.st_ino))
}

/// What the always readable descriptor is in an epoll set for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Poke {
    /// Put it there, silent.
    Prepare,
    /// Make `epoll_wait` return an event with this token, now or when it is called next. Async-signal-safe, but for `errno`.
    Fire(u64),
    /// Put it there and fire.
    PrepareAndFire(u64),
    /// Take it out.
    Remove,
}

/// Arming an edge-triggered interest in a readable descriptor queues one event: epoll(7).
pub(super) fn poke(epoll: RawFd, readable: RawFd, what: Poke) -> io::Result<()> {
    let (operation, token) = match what {
        Poke::Prepare => (libc::EPOLL_CTL_ADD, None),
        Poke::Fire(token) => (libc::EPOLL_CTL_MOD, Some(token)),
        Poke::PrepareAndFire(token) => (libc::EPOLL_CTL_ADD, Some(token)),
        Poke::Remove => (libc::EPOLL_CTL_DEL, None),
    };
    let events = token.map_or(0, |_| (libc::EPOLLIN | libc::EPOLLET) as u32);
    let mut event = libc::epoll_event {
        events,
        u64: token.unwrap_or_default(),
    };
    // SAFETY: `event` is valid for the call; the kernel checks both descriptors.
    let done = unsafe { libc::epoll_ctl(epoll, operation, readable, &mut event) };
    if done == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Runs `f`, in a signal handler, and leaves `errno` to the code that the signal interrupted.
#[cfg(any(feature = "python", test))]
pub(super) fn keeping_errno(f: impl FnOnce()) {
    // SAFETY: errno is this thread's.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above.
    let before = unsafe { *errno };
    f();
    // SAFETY: as above.
    unsafe { *errno = before };
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

/// Whether the kernel lacks `epoll_pwait2` (Linux before 5.11), or a seccomp filter that does not know it forbids it.
static NO_NANOSECONDS: AtomicBool = AtomicBool::new(false);

/// Room for the events of an epoll set, and those of the last look at it.
pub(super) struct Events {
    /// Not zeroed: each wait of each thread would touch all of it.
    room: [MaybeUninit<libc::epoll_event>; 128],
    filled: usize,
}

impl Events {
    pub(super) fn new() -> Self {
        Self {
            room: [MaybeUninit::uninit(); 128],
            filled: 0,
        }
    }

    /// What the last look has found.
    pub(super) fn happened(&self) -> &[libc::epoll_event] {
        let filled = self.room.get(..self.filled).unwrap_or_default();
        // SAFETY: epoll_wait(2) has filled in as many as it said.
        unsafe { &*(ptr::from_ref(filled) as *const [libc::epoll_event]) }
    }

    fn capacity(&self) -> i32 {
        i32::try_from(self.room.len()).unwrap_or(i32::MAX)
    }

    fn filled(&mut self, count: i64) -> io::Result<()> {
        self.filled = 0;
        if count < 0 {
            return Err(io::Error::last_os_error());
        }
        self.filled = usize::try_from(count).unwrap_or_default();
        Ok(())
    }

    /// `epoll_pwait2(2)`, or `epoll_wait(2)` rounded up to milliseconds where the kernel lacks it.
    pub(super) fn wait(&mut self, epoll: RawFd, deadline: Option<Instant>) -> io::Result<()> {
        let mut count = -1;
        if !NO_NANOSECONDS.load(Ordering::Relaxed) {
            let timeout = deadline.map(|deadline| timespec(remaining(deadline)));
            let timeout = timeout.as_ref().map_or(ptr::null(), ptr::from_ref);
            // SAFETY: room for `capacity` entries, and the timeout outlives the call; no signal mask is given.
            count = unsafe {
                libc::syscall(
                    libc::SYS_epoll_pwait2,
                    epoll,
                    self.room.as_mut_ptr(),
                    self.capacity(),
                    timeout,
                    ptr::null::<libc::sigset_t>(),
                    8_usize,
                )
            };
            if count < 0
                && matches!(
                    io::Error::last_os_error().raw_os_error(),
                    Some(libc::ENOSYS | libc::EPERM)
                )
            {
                NO_NANOSECONDS.store(true, Ordering::Relaxed);
            }
        }
        if NO_NANOSECONDS.load(Ordering::Relaxed) {
            let timeout = deadline.map_or(-1, |deadline| {
                i32::try_from(remaining(deadline).as_nanos().div_ceil(1_000_000))
                    .unwrap_or(i32::MAX)
            });
            count = self.epoll_wait(epoll, timeout);
        }
        self.filled(count)
    }

    /// What is there now; cheaper than [`Self::wait`] by the timeout's copy.
    pub(super) fn look(&mut self, epoll: RawFd) -> io::Result<()> {
        let count = self.epoll_wait(epoll, 0);
        self.filled(count)
    }

    fn epoll_wait(&mut self, epoll: RawFd, timeout: i32) -> i64 {
        let events = self.room.as_mut_ptr().cast();
        // SAFETY: room for `capacity` entries.
        i64::from(unsafe { libc::epoll_wait(epoll, events, self.capacity(), timeout) })
    }
}

/// How many processors the calling thread may run on: sched_getaffinity(2).
pub(super) fn processors() -> usize {
    // SAFETY: a plain C structure of bits.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: `set` is valid for the size that is given.
    let done = unsafe { libc::sched_getaffinity(0, size_of_val(&set), &mut set) };
    if done == 0 {
        // SAFETY: counts the bits of a valid set.
        let count = unsafe { libc::CPU_COUNT(&set) };
        usize::try_from(count).unwrap_or(1).max(1)
    } else {
        // EINVAL: there are more processors than the set has bits. Anything else does not happen.
        size_of_val(&set) * 8
    }
}

/// Whether an event of `events` (`POLLIN`...), an error or a hang-up is there now: poll(2).
pub fn has_events(fd: BorrowedFd<'_>, events: i16) -> bool {
    loop {
        match poll_one(fd, events, Duration::ZERO) {
            // Also where nothing is waited for: a signal came meanwhile. It says nothing of the descriptor.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result.unwrap_or(true),
        }
    }
}

/// `ppoll(2)` of one descriptor. True when one of `events`, or an error, is there.
pub(super) fn poll_one(fd: BorrowedFd<'_>, events: i16, timeout: Duration) -> io::Result<bool> {
    let mut entry = libc::pollfd {
        fd: fd.as_raw_fd(),
        events,
        revents: 0,
    };
    let timeout = timespec(timeout);
    // SAFETY: one valid entry and a valid timeout; no signal mask is given.
    let ready = unsafe { libc::ppoll(&mut entry, 1, &timeout, ptr::null()) };
    if ready < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(ready > 0)
    }
}

/// The time of the monotonic clock: clock_gettime(2).
pub(super) fn monotonic() -> Duration {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `now` is valid for the call, which cannot fail for this clock.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    Duration::new(
        now.tv_sec.try_into().unwrap_or_default(),
        now.tv_nsec.try_into().unwrap_or_default(),
    )
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
    if flags < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(flags & libc::O_NONBLOCK != 0)
    }
}

/// Sets or clears `O_NONBLOCK`, in one system call and without touching the other flags: ioctl(2).
pub(super) fn set_nonblocking(fd: BorrowedFd<'_>, nonblocking: bool) -> io::Result<()> {
    let mut on = libc::c_int::from(nonblocking);
    // SAFETY: FIONBIO reads one int.
    let done = unsafe { libc::ioctl(fd.as_raw_fd(), libc::FIONBIO, &mut on) };
    if done < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
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

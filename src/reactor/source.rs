//! A source: one open socket's descriptor, its waiters, and the futures of its readiness.

use std::{
    cell::RefCell,
    fmt,
    future::Future,
    io, mem,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
    pin::Pin,
    ptr,
    sync::Arc,
    task::{Context, Poll, Waker},
    thread,
    time::{Duration, Instant},
};

use super::{
    background,
    driver::{self, Core},
    fork_mutex::ForkMutex,
    process,
    ref_word::{Close, RefWord},
    system,
    wait_list::{Direction, Wait, WaitList},
};

/// What waiting for a closed or detached source ends with: `EBADF`, as a system call on it would.
pub(super) fn closed() -> io::Error {
    io::Error::from_raw_os_error(libc::EBADF)
}

/// A driver's identity in a wait list.
#[derive(Clone)]
pub(super) struct DriverHandle(Arc<Core>);

impl PartialEq for DriverHandle {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// The descriptor's `O_NONBLOCK` as the program has it, while calls have borrowed it: see [`Source::with_nonblocking`].
#[derive(Default)]
struct Mode {
    borrowers: u32,
    /// Of any meaning while there are borrowers only; without, as it was known last.
    nonblocking: bool,
}

/// Whether a thread is in a call that only one at a time may be in, and whether others have been turned away meanwhile.
#[derive(Default)]
struct Turn {
    taken: bool,
    others: bool,
}

pub(super) struct Inner {
    fd: RawFd,
    word: RefWord,
    waits: WaitList<DriverHandle>,
    mode: ForkMutex<Mode>,
    /// See [`Source::take_turn`].
    turn: ForkMutex<Turn>,
}

impl Inner {
    /// Runs `f` on the descriptor, which stays open meanwhile; `None` when closed.
    fn with_fd<R>(self: &Arc<Self>, f: impl FnOnce(BorrowedFd<'_>) -> R) -> Option<R> {
        let generation = process::generation();
        if !self.word.acquire(generation) {
            return None;
        }
        struct Release<'a>(&'a Arc<Inner>, u32);
        impl Drop for Release<'_> {
            fn drop(&mut self) {
                if self.0.word.release(self.1) {
                    let _ = self.0.dispose();
                }
            }
        }
        let _release = Release(self, generation);
        // SAFETY: the reference keeps the descriptor open until `_release` drops.
        Some(f(unsafe { BorrowedFd::borrow_raw(self.fd) }))
    }

    /// The second half of closing: marked closed, and no reference is out.
    fn dispose(self: &Arc<Self>) -> io::Result<()> {
        self.leave_drivers();
        system::close(self.fd)
    }

    fn leave_drivers(self: &Arc<Self>) {
        for (DriverHandle(core), token) in self.waits.clear() {
            core.disarm(token, self.fd);
        }
    }

    /// An event from a driver.
    pub(super) fn event(self: &Arc<Self>, core: &Core, read: bool, write: bool) {
        let from = |DriverHandle(known): &DriverHandle| ptr::eq(&**known, core);
        if self.waits.event(from, read, write) {
            self.relinquish(core, from);
        }
    }

    #[cold]
    fn relinquish(self: &Arc<Self>, core: &Core, from: impl Fn(&DriverHandle) -> bool) {
        // As in `Readiness::wait_at`: the reference is taken outside the list's lock.
        self.with_fd(|_| {
            self.waits.relinquish(from, |left, token| {
                if left.is_empty() {
                    core.disarm(token, self.fd);
                    return Ok(());
                }
                core.arm(self, self.fd, left, Some(token)).map(drop)
            });
        });
    }

    /// A driver goes away.
    pub(super) fn forget(&self, core: &Core) {
        self.waits
            .forget(|DriverHandle(known)| ptr::eq(&**known, core));
    }
}

/// One open socket, registered with the drivers of whoever waits for it. Closes its descriptor when dropped.
///
/// The descriptor is armed in a driver's epoll set by the first wait there.
pub struct Source {
    inner: Arc<Inner>,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("fd", &self.fd())
            .finish_non_exhaustive()
    }
}

impl Source {
    /// Takes the descriptor over. Whether it is in blocking mode is the caller's business.
    #[must_use]
    pub fn new(fd: OwnedFd) -> Self {
        process::watch_forks();
        let raw = fd.as_raw_fd();
        std::mem::forget(fd);
        let inner = Inner {
            fd: raw,
            word: RefWord::new(process::generation()),
            waits: WaitList::new(process::generation),
            mode: ForkMutex::new(Mode::default()),
            turn: ForkMutex::new(Turn::default()),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// The descriptor's number, for showing it; `None` when closed. For system calls use [`Self::with_fd`].
    #[must_use]
    pub fn fd(&self) -> Option<RawFd> {
        (!self.inner.word.is_closed()).then_some(self.inner.fd)
    }

    /// Which source it is, among those that live.
    #[cfg(any(feature = "python", test))]
    pub(super) fn identity(&self) -> usize {
        Arc::as_ptr(&self.inner) as usize
    }

    /// Runs a system call (which must not block) on the descriptor, which stays open meanwhile; `None` when closed.
    pub fn with_fd<R>(&self, f: impl FnOnce(BorrowedFd<'_>) -> R) -> Option<R> {
        self.inner.with_fd(f)
    }

    /// [`Self::with_fd`] for a pair of system calls of which the first makes sure that the second does not block (`poll` and
    /// `accept`), by one thread at a time: another could take what the first has seen.
    ///
    /// `EAGAIN` where another thread is at it: an event follows when that is done. `None` when closed.
    pub fn take_turn<R>(
        &self,
        f: impl FnOnce(BorrowedFd<'_>) -> io::Result<R>,
    ) -> Option<io::Result<R>> {
        {
            let mut turn = self.inner.turn.lock();
            if turn.taken {
                turn.others = true;
                return Some(Err(io::Error::from_raw_os_error(libc::EAGAIN)));
            }
            turn.taken = true;
        }
        let result = self.inner.with_fd(f);
        let Turn { others, .. } = mem::take(&mut *self.inner.turn.lock());
        if others {
            self.wake_waiters();
        }
        result
    }

    /// [`Self::with_fd`] for a system call that has no flag of its own for not blocking (`connect`).
    ///
    /// The descriptor is non-blocking for the length of the call only: its mode belongs to the program, and to every process
    /// that shares the open file description. Calls of this process that ask for the mode do not see the change.
    pub fn with_nonblocking<R>(&self, f: impl FnOnce(BorrowedFd<'_>) -> R) -> Option<R> {
        self.inner.with_fd(|fd| {
            {
                let mut mode = self.inner.mode.lock();
                if mode.borrowers == 0 {
                    mode.nonblocking = system::is_nonblocking(fd).unwrap_or(false);
                }
                mode.borrowers += 1;
                if !mode.nonblocking {
                    let _ = system::set_nonblocking(fd, true);
                }
            }
            let result = f(fd);
            let mut mode = self.inner.mode.lock();
            mode.borrowers = mode.borrowers.saturating_sub(1);
            if mode.borrowers == 0 && !mode.nonblocking {
                let _ = system::set_nonblocking(fd, false);
            }
            result
        })
    }

    /// Whether the program has made the descriptor non-blocking; false when closed.
    #[must_use]
    pub fn is_nonblocking(&self) -> bool {
        let nonblocking = self.inner.with_fd(|fd| {
            let mode = self.inner.mode.lock();
            if mode.borrowers > 0 {
                mode.nonblocking
            } else {
                system::is_nonblocking(fd).unwrap_or(false)
            }
        });
        nonblocking.unwrap_or(false)
    }

    /// Sets the mode of the descriptor, for the program; `None` when closed.
    pub fn set_nonblocking(&self, nonblocking: bool) -> Option<io::Result<()>> {
        self.inner.with_fd(|fd| {
            let mut mode = self.inner.mode.lock();
            let borrowed = mode.borrowers > 0;
            // Likely as it was: to look is cheaper than to set it again.
            if mode.nonblocking == nonblocking
                && !borrowed
                && system::is_nonblocking(fd)? == nonblocking
            {
                return Ok(());
            }
            mode.nonblocking = nonblocking;
            // The last borrower gives the descriptor back in the mode that it finds here.
            system::set_nonblocking(fd, nonblocking || borrowed)
        })
    }

    /// The count of events in a direction. Read it before the system call that may have to wait: [`Self::ready_since`].
    #[must_use]
    pub fn tick(&self, direction: Direction) -> u32 {
        self.inner.waits.tick(direction)
    }

    /// Completes when there has been an event since `tick` was read: then the system call is worth another try.
    ///
    /// May be awaited on any executor, by any number of callers at once; each gets every event.
    #[must_use]
    pub fn ready_since(&self, direction: Direction, tick: u32) -> Readiness {
        Readiness {
            source: Arc::clone(&self.inner),
            direction,
            seen: tick,
            waiting_at: None,
        }
    }

    /// [`Self::ready_since`] now. Make it before the system call, await it after that would have blocked.
    #[must_use]
    pub fn readable(&self) -> Readiness {
        self.ready_since(Direction::Read, self.tick(Direction::Read))
    }

    /// [`Self::readable`] for sending, and for the end of a connection attempt.
    #[must_use]
    pub fn writable(&self) -> Readiness {
        self.ready_since(Direction::Write, self.tick(Direction::Write))
    }

    /// Makes everybody who waits for this source look again: a timeout has changed, say.
    ///
    /// Who has read [`Self::tick`] but does not wait yet is not passed over: its wait will end at once.
    pub fn wake_waiters(&self) {
        self.inner.waits.recheck();
    }

    /// Has the drivers forget the source at which nobody waits for it, with all that they keep for it. For one that will be idle, or
    /// waited for by others; who waits again arms it anew.
    pub fn relinquish(&self) {
        self.inner.with_fd(|fd| {
            self.inner
                .waits
                .relinquish_idle(|DriverHandle(core), token| core.disarm(token, fd.as_raw_fd()));
        });
    }

    /// Closes the source: all waits end with `EBADF`, and the descriptor closes now, or, if another thread is in
    /// a system call on it, when that returns. Closing again does nothing.
    ///
    /// # Errors
    ///
    /// What `close(2)` reports; the descriptor is gone all the same.
    pub fn close(&self) -> io::Result<()> {
        let result = match self.inner.word.close(process::generation()) {
            Close::Idle => self.inner.dispose(),
            Close::Already | Close::Busy => Ok(()),
        };
        self.inner.waits.wake_all();
        result
    }

    /// Closes the source but not the descriptor, which the caller owns from now on; `None` when closed before.
    ///
    /// Waits for system calls in flight to return, which is at once: they do not block. (One in [`Self::take_turn`] may after all;
    /// it has found its file already, and does not look at the number again, so it is not waited for longer than a second.)
    pub fn detach(&self) -> Option<OwnedFd> {
        // A reference of our own makes sure that nobody else is elected to close the descriptor.
        if !self.inner.word.acquire(process::generation()) {
            return None;
        }
        let generation = process::generation();
        let first = self.inner.word.close(generation) != Close::Already;
        self.inner.waits.wake_all();
        if !first {
            // Another thread closes or detaches it: it is theirs.
            if self.inner.word.release(generation) {
                let _ = self.inner.dispose();
            }
            return None;
        }
        let patience = Instant::now() + Duration::from_secs(1);
        while !self.inner.word.is_sole(generation) && Instant::now() < patience {
            thread::yield_now();
        }
        self.inner.leave_drivers();
        if self.inner.word.is_sole(generation) {
            // Elects us to dispose of the descriptor, which is the caller's now.
            self.inner.word.release(generation);
        }
        // SAFETY: marked closed by us, so no reference can be taken any more, and no call will begin on the number.
        Some(unsafe { OwnedFd::from_raw_fd(self.inner.fd) })
    }

    /// How many waits are entered in its list.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.inner.waits.waiting()
    }

    /// Whether it has been closed or detached.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.inner.word.is_closed()
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        let _ = self.close();
    }
}

/// What a wait without a driver waits for: see [`super::park`].
pub(super) struct PlainWait {
    source: Arc<Inner>,
    direction: Direction,
    /// Whoever lies between the future and the thread may poll only what has been woken.
    waker: Waker,
}

impl PlainWait {
    /// `poll(2)`s the descriptor; true when it is ready, or closed.
    pub(super) fn poll(&self, timeout: Duration) -> bool {
        let events = match self.direction {
            Direction::Read => libc::POLLIN,
            Direction::Write => libc::POLLOUT,
        };
        // The descriptor is held open for the time slice only, so that `close` is not put off for longer.
        self.source
            .with_fd(|fd| system::poll_one(fd, events, timeout).unwrap_or(false))
            .unwrap_or(true)
    }

    /// Has the future polled again.
    pub(super) fn end(self) {
        self.waker.wake();
    }
}

thread_local! {
    static PLAIN: RefCell<Vec<PlainWait>> = const { RefCell::new(Vec::new()) };
}

/// What the futures polled on this thread wait for that could not be armed in a driver. Each is to be [ended](PlainWait::end).
pub(super) fn take_plain_waits() -> Vec<PlainWait> {
    // Not there any more in a destructor of thread-local data, where `sleep` then waits for its time slice only.
    PLAIN.try_with(RefCell::take).unwrap_or_default()
}

/// The future of [`Source::ready_since`].
///
/// Completes with an error of `EBADF` when the source closes, or with the reactor's own where a foreign executor polls
/// it and no descriptor or thread is to be had for the background driver.
pub struct Readiness {
    source: Arc<Inner>,
    direction: Direction,
    seen: u32,
    /// The wait's entry in the source's list, while there is one.
    waiting_at: Option<(DriverHandle, u64)>,
}

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Readiness")
            .field("fd", &self.source.fd)
            .field("direction", &self.direction)
            .finish_non_exhaustive()
    }
}

impl Readiness {
    fn withdraw(&mut self) {
        if let Some((driver, id)) = self.waiting_at.take() {
            self.source.waits.withdraw(&driver, id);
        }
    }

    fn outcome(&self) -> Option<io::Result<()>> {
        if self.source.word.is_closed() {
            return Some(Err(closed()));
        }
        (self.source.waits.tick(self.direction) != self.seen).then_some(Ok(()))
    }

    /// Waits without a driver: the thread in `block_on` polls the descriptor itself.
    fn wait_plainly(&mut self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        let wait = PlainWait {
            source: Arc::clone(&self.source),
            direction: self.direction,
            waker: cx.waker().clone(),
        };
        if wait.poll(Duration::ZERO) {
            return Poll::Ready(self.outcome().unwrap_or(Ok(())));
        }
        let _ = PLAIN.try_with(|plain| plain.borrow_mut().push(wait));
        Poll::Pending
    }

    fn wait_in_background(&mut self, cx: &Context<'_>) -> io::Result<()> {
        let core = background::core()?;
        match self.wait_at(DriverHandle(Arc::clone(&core)), cx) {
            Err(_) if !core.is_open() => {
                background::renew(&core);
                self.wait_at(DriverHandle(background::core()?), cx)
            }
            result => result,
        }
    }

    fn wait_at(&mut self, driver: DriverHandle, cx: &Context<'_>) -> io::Result<()> {
        if self
            .waiting_at
            .as_ref()
            .is_some_and(|(at, _)| *at != driver)
        {
            self.withdraw();
        }
        let wait = Wait {
            id: self.waiting_at.as_ref().map(|(_, id)| *id),
            direction: self.direction,
            seen: self.seen,
            waker: cx.waker(),
        };
        let source = &self.source;
        // The reference is taken outside the list's lock: giving back the last one takes that lock.
        let entered = source.with_fd(|fd| {
            source.waits.enroll(
                &driver,
                &wait,
                || source.word.is_closed(),
                |wanted, known| driver.0.arm(source, fd.as_raw_fd(), wanted, known),
            )
        });
        self.waiting_at = entered.transpose()?.flatten().map(|id| (driver, id));
        Ok(())
    }
}

impl Future for Readiness {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(outcome) = self.outcome() {
            self.withdraw();
            return Poll::Ready(outcome);
        }
        let entered = if driver::is_polling() {
            let core = driver::in_use();
            match core
                .clone()
                .ok_or_else(closed)
                .and_then(|core| self.wait_at(DriverHandle(core), cx))
            {
                Ok(()) => Ok(()),
                // No driver (EMFILE), or it cannot take the source (ENOMEM, ENOSPC, EEXIST where another source has the
                // same descriptor): the plainest way left.
                Err(_) => {
                    if core.is_some_and(|core| !core.is_open()) {
                        driver::discard_own();
                    }
                    self.withdraw();
                    return self.wait_plainly(cx);
                }
            }
        } else {
            self.wait_in_background(cx)
        };
        match entered {
            Err(error) => Poll::Ready(Err(error)),
            Ok(()) if self.waiting_at.is_some() => Poll::Pending,
            Ok(()) => Poll::Ready(self.outcome().unwrap_or(Ok(()))),
        }
    }
}

impl Drop for Readiness {
    fn drop(&mut self) {
        self.withdraw();
    }
}

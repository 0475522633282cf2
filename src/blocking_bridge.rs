//! Floor 1: where Python threads wait. Every blocking call of a socket is a loop of a system call that does not
//! block and a wait for readiness, under one deadline.
//!
//! A thread that waits has detached from the VM, sleeps in its own driver and is woken by readiness, by `close`, by a changed
//! timeout and by signals. Whatever woke it, it looks again: at the source, at the timeout, at Python's signal handlers.

pub(crate) mod deadline;
#[cfg(feature = "tls")]
mod parts;
mod signals;
#[cfg(all(test, feature = "cli"))]
mod tests;
mod timeout;

use std::{
    future::Future,
    io, mem,
    os::fd::BorrowedFd,
    pin::pin,
    thread,
    time::{Duration, Instant},
};

use rustpython_vm::{
    PyResult, VirtualMachine, builtins::PyBaseExceptionRef, convert::IntoPyException,
};

use self::timeout::Clock;
pub(crate) use self::{
    signals::{install as install_signal_wakeup, run_handlers},
    timeout::Timeout,
};
use crate::{
    errors,
    reactor::{self, Direction, Source, Step, Yielded},
};

/// Why a blocking call ended without a result. It becomes an exception where the call returns to Python.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A system call's error.
    Errno(i32),
    /// The deadline passed.
    TimedOut,
    /// An exception of Python code that ran meanwhile: a signal handler, an audit hook, an argument's method.
    Raised(PyBaseExceptionRef),
}

impl From<PyBaseExceptionRef> for Failure {
    fn from(exception: PyBaseExceptionRef) -> Self {
        Self::Raised(exception)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Errno(error.raw_os_error().unwrap_or(libc::EIO))
    }
}

impl IntoPyException for Failure {
    fn into_pyexception(self, vm: &VirtualMachine) -> PyBaseExceptionRef {
        match self {
            Self::Errno(errno) => errors::from_errno(vm, errno),
            Self::TimedOut => errors::timed_out(vm),
            Self::Raised(exception) => exception,
        }
    }
}

/// Runs `future` to its end, with this thread detached from the VM and Python's signal handlers run in between.
///
/// It is polled detached, so it must not touch Python objects.
///
/// # Errors
///
/// `TimeoutError` when `deadline` or the thread's own (`reactor.deadline` in Python) passes first, and without a poll where the
/// latter has passed before; the exception of a signal handler.
pub fn block_on<F: Future>(
    vm: &VirtualMachine,
    future: F,
    deadline: Option<Instant>,
) -> PyResult<F::Output> {
    let entered = deadline::nearest();
    if deadline::has_passed(entered) {
        return Err(errors::timed_out(vm));
    }
    let deadline = deadline::earlier(deadline, entered);
    wait(vm, future, || Ok(deadline)).map_err(|failure| failure.into_pyexception(vm))
}

/// [`block_on`] under a deadline that is asked for again after every wake-up.
fn wait<F: Future>(
    vm: &VirtualMachine,
    future: F,
    deadline: impl Fn() -> Result<Option<Instant>, Failure>,
) -> Result<F::Output, Failure> {
    let mut future = pin!(future);
    loop {
        // Before each sleep: a signal may have come together with the event that ended the last one, or its poke may have been
        // used up by a wait in the handler that the VM has just run.
        signals::run_handlers(vm)?;
        let until = deadline()?;
        match vm.allow_threads(|| signals::park(vm, future.as_mut(), until)) {
            Step::Ready(output) => return Ok(output),
            // A timeout changed at the last moment counts.
            Step::TimedOut if deadline()? == until => return Err(Failure::TimedOut),
            Step::TimedOut | Step::Woken => {}
        }
    }
}

/// [`block_on`] for a future that is to be polled again at a time of its own, which it does not wake anybody for: `None` then.
///
/// # Errors
///
/// As those of [`block_on`]; `deadline` is all there is here.
pub(crate) fn wait_until<F: Future>(
    vm: &VirtualMachine,
    future: F,
    again: Option<Instant>,
    deadline: Option<Instant>,
) -> Result<Option<F::Output>, Failure> {
    let mut future = pin!(future);
    let until = deadline::earlier(again, deadline);
    loop {
        signals::run_handlers(vm)?;
        if deadline::has_passed(deadline) {
            return Err(Failure::TimedOut);
        }
        match vm.allow_threads(|| signals::park(vm, future.as_mut(), until)) {
            Step::Ready(output) => return Ok(Some(output)),
            Step::TimedOut if deadline::has_passed(again) => return Ok(None),
            Step::TimedOut | Step::Woken => {}
        }
    }
}

/// A blocking call on one socket: its source, its timeout as it is now, and one clock over all its waits.
pub(crate) struct Call<'a> {
    vm: &'a VirtualMachine,
    source: &'a Source,
    timeout: &'a Timeout,
    /// The call's `MSG_*` flags, as Python gave them.
    flags: i32,
    /// The thread's deadline (`reactor.deadline`) when the call began.
    until: Option<Instant>,
    /// Started by the first wait: most calls have none.
    clock: Option<Clock<'a>>,
    /// How often it has paused.
    pauses: usize,
}

/// The lengths of [`Call::pause`], of which there are few if the other end is at work.
const PAUSES: [Duration; 3] = [
    Duration::from_millis(1),
    Duration::from_millis(4),
    Duration::from_millis(16),
];
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// With these flags the kernel does not wait: recv(2), send(2).
const NEVER_WAITS: i32 = libc::MSG_DONTWAIT | libc::MSG_ERRQUEUE;

/// How [`Call::wait_unless_signal`] ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wake {
    Event,
    /// A signal came, and its handler has run.
    Signal,
}

impl<'a> Call<'a> {
    pub(crate) fn new(
        vm: &'a VirtualMachine,
        source: &'a Source,
        timeout: &'a Timeout,
        flags: i32,
    ) -> Self {
        Self {
            vm,
            source,
            timeout,
            flags,
            until: deadline::nearest(),
            clock: None,
            pauses: 0,
        }
    }

    /// No call follows at once: see [`Source::relinquish`].
    #[cfg(feature = "tls")]
    pub(crate) fn relinquish(&self) {
        self.source.relinquish();
    }

    /// Fails where the thread's deadline has passed, even if there is data: with a peer that sends a little now and then, a loop of
    /// calls would never end else. Not in a call that never waits: it is left alone, as event loops make such.
    ///
    /// Asked for when a call begins, and before each further part of its work.
    #[inline]
    pub(crate) fn check_deadline(&self) -> Result<(), Failure> {
        match self.until {
            None => Ok(()),
            Some(until) => self.check_passed(until),
        }
    }

    #[cold]
    fn check_passed(&self, until: Instant) -> Result<(), Failure> {
        if Instant::now() >= until && !self.never_waits() {
            return Err(Failure::TimedOut);
        }
        Ok(())
    }

    /// Whether CPython does not wait.
    ///
    /// Without a timeout, the kernel decides there: it does not wait if a flag says so, or if somebody has made the
    /// descriptor non-blocking behind our back.
    fn never_waits(&self) -> bool {
        let kernel_would_not = || self.flags & NEVER_WAITS != 0 || self.source.is_nonblocking();
        self.timeout.is_nonblocking() || self.timeout.is_none() && kernel_would_not()
    }

    /// Repeats `attempt`, a system call that does not block, until it does not say that it would.
    ///
    /// # Errors
    ///
    /// The error of the system call; `EAGAIN` in non-blocking mode; the deadline; `EBADF` when the socket is closed,
    /// meanwhile or before; the exception of a signal handler.
    pub(crate) fn run<R>(
        &mut self,
        direction: Direction,
        mut attempt: impl FnMut(BorrowedFd<'_>) -> io::Result<R>,
    ) -> Result<R, Failure> {
        self.run_on(direction, |source| source.with_fd(&mut attempt))
    }

    /// [`Self::run`] for an attempt that is more than one system call; `None` from it says that the socket is closed.
    pub(crate) fn run_on<R>(
        &mut self,
        direction: Direction,
        mut attempt: impl FnMut(&Source) -> Option<io::Result<R>>,
    ) -> Result<R, Failure> {
        let reads = direction == Direction::Read;
        let mut may_yield = reads;
        let mut yielded = None;
        if reads && reactor::needs_others(self.source) {
            may_yield = false;
            yielded = self.let_others_run();
        }
        loop {
            let seen = self.source.tick(direction);
            let outcome = attempt(self.source)
                .unwrap_or_else(|| Err(io::Error::from_raw_os_error(libc::EBADF)));
            if let Some(yielded) = yielded.take() {
                yielded.has_answered(self.source, outcome.is_ok());
            }
            match outcome {
                Ok(result) => return Ok(result),
                Err(error) => match error.raw_os_error() {
                    Some(libc::EINTR) => signals::run_handlers(self.vm)?,
                    Some(libc::EAGAIN) => {
                        if mem::take(&mut may_yield) {
                            yielded = self.let_others_run();
                            if yielded.is_some() {
                                continue;
                            }
                        }
                        self.begin_waiting(libc::EAGAIN)?;
                        self.wait(direction, seen)?;
                    }
                    _ => return Err(error.into()),
                },
            }
        }
    }

    /// Lets other threads run, if an attempt may be worth another try then, before the call waits.
    ///
    /// For what others send only. Room to send comes bit by bit, and a wait for it ends when there is a good deal.
    fn let_others_run(&self) -> Option<Yielded> {
        let waits = !self.timeout.is_nonblocking() && self.flags & NEVER_WAITS == 0;
        if !waits {
            return None;
        }
        reactor::let_others_run(|| self.vm.allow_threads(thread::yield_now))
    }

    /// Before a call's first wait: fails with `would_block` where CPython does not wait.
    pub(crate) fn begin_waiting(&mut self, would_block: i32) -> Result<(), Failure> {
        if self.clock.is_some() {
            return Ok(());
        }
        if self.never_waits() {
            return Err(Failure::Errno(would_block));
        }
        self.clock = Some(Clock::new(self.timeout));
        // A signal from before the call is not one that interrupts it.
        signals::take_seen(self.vm);
        Ok(())
    }

    /// Waits for an event later than `seen`.
    pub(crate) fn wait(&self, direction: Direction, seen: u32) -> Result<(), Failure> {
        self.time_left()?;
        let ready = self.source.ready_since(direction, seen);
        Ok(wait(self.vm, ready, || self.deadline())??)
    }

    /// Waits a while where the kernel tells nobody when to try again (for room in the queue of another Unix socket), each time
    /// longer. `close`, signals and the deadline end it.
    pub(crate) fn pause(&mut self) -> Result<(), Failure> {
        let pause = PAUSES.get(self.pauses).copied().unwrap_or(LONGEST_PAUSE);
        self.pauses += 1;
        let over = Instant::now().checked_add(pause);
        let until = match self.deadline()? {
            Some(deadline) => over.map(|over| over.min(deadline)),
            None => over,
        };
        let vm = self.vm;
        let ready = self.source.readable();
        signals::run_handlers(vm)?;
        vm.allow_threads(|| signals::park(vm, pin!(ready), until));
        match self.deadline()? {
            Some(deadline) if Instant::now() >= deadline => Err(Failure::TimedOut),
            _ => Ok(()),
        }
    }

    /// [`Self::wait`] that a signal since the call began to wait ends, for a call that has done part of its work and reports that.
    pub(crate) fn wait_unless_signal(
        &self,
        direction: Direction,
        seen: u32,
    ) -> Result<Wake, Failure> {
        let vm = self.vm;
        self.time_left()?;
        let mut ready = pin!(self.source.ready_since(direction, seen));
        loop {
            let signal = signals::take_seen(vm);
            signals::run_handlers(vm)?;
            if signal {
                return Ok(Wake::Signal);
            }
            let until = self.deadline()?;
            match vm.allow_threads(|| signals::park(vm, ready.as_mut(), until)) {
                Step::Ready(result) => return Ok(result.map(|()| Wake::Event)?),
                Step::TimedOut if self.deadline()? == until => return Err(Failure::TimedOut),
                Step::TimedOut | Step::Woken => {}
            }
        }
    }

    /// Fails where the call should have ended. Asked for before each wait, which an event ends even when it is over: one event
    /// after another, each of them in vain, would keep the call for ever. Somebody else may be quicker each time, and on AF_ALG
    /// a receive without a result is an event itself.
    fn time_left(&self) -> Result<(), Failure> {
        if deadline::has_passed(self.deadline()?) {
            return Err(Failure::TimedOut);
        }
        Ok(())
    }

    /// When the call has to end. A socket that another thread has made non-blocking ends it now.
    fn deadline(&self) -> Result<Option<Instant>, Failure> {
        if self.timeout.is_nonblocking() {
            return Err(Failure::Errno(libc::EAGAIN));
        }
        let own = self.clock.as_ref().and_then(Clock::deadline);
        Ok(deadline::earlier(own, self.until))
    }
}

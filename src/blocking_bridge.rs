//! Floor 1: where Python threads wait. Every blocking call of a socket is a loop of a system call that does not
//! block and a wait for readiness, under one deadline.
//!
//! A thread that waits has detached from the VM, sleeps in its own driver and is woken by readiness, by `close`, by a changed
//! timeout and by signals. Whatever woke it, it looks again: at the source, at the timeout, at Python's signal handlers.

mod signals;
mod timeout;

use std::{
    future::Future,
    io,
    os::fd::BorrowedFd,
    pin::pin,
    time::{Duration, Instant},
};

use rustpython_vm::{PyResult, VirtualMachine, builtins::PyBaseExceptionRef};

pub(crate) use self::{
    signals::install as install_signal_wakeup,
    timeout::Timeout,
};
use self::timeout::Clock;
use crate::{
    errors,
    reactor::{Direction, Source, Step},
};

/// Runs `future` to its end, with this thread detached from the VM and Python's signal handlers run in between.
///
/// It is polled detached, so it must not touch Python objects.
///
/// # Errors
///
/// `TimeoutError` when `deadline` passes first; the exception of a signal handler.
pub fn block_on<F: Future>(vm: &VirtualMachine, future: F, deadline: Option<Instant>) -> PyResult<F::Output> {
    wait(vm, future, || Ok(deadline))
}

/// [`block_on`] under a deadline that is asked for again after every wake-up.
fn wait<F: Future>(
    vm: &VirtualMachine,
    future: F,
    deadline: impl Fn() -> PyResult<Option<Instant>>,
) -> PyResult<F::Output> {
    let mut future = pin!(future);
    loop {
        let until = deadline()?;
        match vm.allow_threads(|| signals::park(vm, future.as_mut(), until)) {
            Step::Ready(output) => return Ok(output),
            // A timeout changed at the last moment counts.
            Step::TimedOut if deadline()? == until => return Err(errors::timed_out(vm)),
            Step::TimedOut | Step::Woken => vm.check_signals()?,
        }
    }
}

/// A blocking call on one socket: its source, its timeout as it is now, and one clock over all its waits.
pub(crate) struct Call<'a> {
    vm: &'a VirtualMachine,
    source: &'a Source,
    timeout: &'a Timeout,
    /// Started by the first wait: most calls have none.
    clock: Option<Clock<'a>>,
}

/// Why [`Call::wait_unless_signal`] came back without an event.
pub(crate) enum Interrupted {
    /// A signal came, and its handler has run.
    Signal,
    /// The call is over with this exception.
    Exception(PyBaseExceptionRef),
}

impl From<PyBaseExceptionRef> for Interrupted {
    fn from(exception: PyBaseExceptionRef) -> Self {
        Self::Exception(exception)
    }
}

impl<'a> Call<'a> {
    pub(crate) fn new(vm: &'a VirtualMachine, source: &'a Source, timeout: &'a Timeout) -> Self {
        Self { vm, source, timeout, clock: None }
    }

    /// Repeats `attempt`, a system call that does not block, until it does not say that it would.
    ///
    /// # Errors
    ///
    /// The exception of the system call; `BlockingIOError` in non-blocking mode; `TimeoutError` at the deadline;
    /// `OSError(EBADF)` when the socket is closed, meanwhile or before; the exception of a signal handler.
    pub(crate) fn run<R>(
        &mut self,
        direction: Direction,
        mut attempt: impl FnMut(BorrowedFd<'_>) -> io::Result<R>,
    ) -> PyResult<R> {
        loop {
            let seen = self.source.tick(direction);
            match self.source.with_fd(&mut attempt) {
                None => return Err(errors::from_errno(self.vm, libc::EBADF)),
                Some(Ok(result)) => return Ok(result),
                Some(Err(error)) => match error.raw_os_error() {
                    Some(libc::EINTR) => self.vm.check_signals()?,
                    Some(libc::EAGAIN) => {
                        self.begin_waiting(libc::EAGAIN)?;
                        self.wait(direction, seen)?;
                    }
                    _ => return Err(errors::from_io(self.vm, &error)),
                },
            }
        }
    }

    /// Before a call's first wait: raises what CPython raises where it must not wait, `would_block` as an `OSError`.
    ///
    /// A socket without a timeout whose descriptor somebody else has made non-blocking does not wait either.
    pub(crate) fn begin_waiting(&mut self, would_block: i32) -> PyResult<()> {
        if self.clock.is_some() {
            return Ok(());
        }
        if self.timeout.is_nonblocking() || self.timeout.is_none() && self.source.is_nonblocking() {
            return Err(errors::from_errno(self.vm, would_block));
        }
        self.clock = Some(Clock::new(self.timeout));
        Ok(())
    }

    /// Waits for an event later than `seen`.
    pub(crate) fn wait(&self, direction: Direction, seen: u32) -> PyResult<()> {
        let ready = self.source.ready_since(direction, seen);
        wait(self.vm, ready, || self.deadline())?.map_err(|error| errors::from_io(self.vm, &error))
    }

    /// Waits for `pause` to pass, for an end of the source, or for the call's deadline.
    pub(crate) fn pause(&self, pause: Duration) -> PyResult<()> {
        let over = Instant::now().checked_add(pause);
        // What ends this wait early is only an error of the source: it is told by the next system call.
        let ready = self.source.ready_since(Direction::Read, self.source.tick(Direction::Read));
        let step = self.vm.allow_threads(|| signals::park(self.vm, pin!(ready), over));
        self.vm.check_signals()?;
        match self.deadline()? {
            Some(deadline) if matches!(step, Step::TimedOut) && Instant::now() >= deadline => {
                Err(errors::timed_out(self.vm))
            }
            _ => Ok(()),
        }
    }

    /// [`Self::wait`] that a signal ends, for a call that has done part of its work and reports that.
    pub(crate) fn wait_unless_signal(&self, direction: Direction, seen: u32) -> Result<(), Interrupted> {
        let vm = self.vm;
        let mut ready = pin!(self.source.ready_since(direction, seen));
        signals::forget_seen();
        vm.check_signals()?;
        loop {
            let until = self.deadline()?;
            match vm.allow_threads(|| signals::park(vm, ready.as_mut(), until)) {
                Step::Ready(Ok(())) => return Ok(()),
                Step::Ready(Err(error)) => return Err(errors::from_io(vm, &error).into()),
                Step::TimedOut if self.deadline()? == until => return Err(errors::timed_out(vm).into()),
                Step::TimedOut | Step::Woken => {
                    let signal = signals::forget_seen();
                    vm.check_signals()?;
                    if signal {
                        return Err(Interrupted::Signal);
                    }
                }
            }
        }
    }

    /// When the call has to end. A socket that another thread has made non-blocking ends it now.
    fn deadline(&self) -> PyResult<Option<Instant>> {
        if self.timeout.is_nonblocking() {
            return Err(errors::from_errno(self.vm, libc::EAGAIN));
        }
        Ok(self.clock.as_ref().and_then(Clock::deadline))
    }
}

//! `block_on` on the calling thread's own driver: the thread that waits turns the epoll set itself, without a hop.
//!
//! It never touches another runtime, and so works on any thread, a tokio worker's included.

use std::{
    error::Error,
    fmt,
    future::Future,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use super::{
    alarm,
    driver::{self, Core},
    source::{PlainWait, take_plain_waits},
    system,
};

/// How long a thread without a driver sleeps before it looks whether it was woken.
const PLAIN_SLICE: Duration = Duration::from_millis(10);

/// The deadline passed first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimedOut;

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("timed out")
    }
}

impl Error for TimedOut {}

/// What [`poll_or_park`] came back with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<T> {
    /// The future has completed.
    Ready(T),
    /// The deadline has passed, and the future has not completed.
    TimedOut,
    /// Something else ended the sleep: a signal, a wake-up. Look at what may have changed, and call again.
    Woken,
}

/// Runs the future to its end on this thread, which sleeps in its own driver meanwhile.
///
/// # Errors
///
/// [`TimedOut`], never early, if the deadline passes first.
pub fn block_on<F: Future>(future: F, deadline: Option<Instant>) -> Result<F::Output, TimedOut> {
    let mut future = pin!(future);
    loop {
        match poll_or_park(future.as_mut(), deadline) {
            Step::Ready(output) => return Ok(output),
            Step::TimedOut => return Err(TimedOut),
            Step::Woken => {}
        }
    }
}

/// Polls the future and, if it is not ready, sleeps once and polls again. An [`alarm`] of the future's ends the sleep too.
pub fn poll_or_park<F: Future>(future: Pin<&mut F>, deadline: Option<Instant>) -> Step<F::Output> {
    park(future, deadline, false)
}

/// [`poll_or_park`] on the thread that handles signals: `poke_signal_target` ends its sleep.
///
/// When the thread's driver is new to signals, it comes back [`Step::Woken`] without sleeping, as a signal may have
/// come before it could be told of.
#[cfg(any(feature = "python", test))]
pub(crate) fn poll_or_park_for_signals<F: Future>(
    future: Pin<&mut F>,
    deadline: Option<Instant>,
) -> Step<F::Output> {
    park(future, deadline, true)
}

/// Ends the use of a driver when the sleep is over.
struct InUse {
    core: Arc<Core>,
    /// Whether a future that this thread polls has called `block_on` itself.
    nested: bool,
}

impl Drop for InUse {
    fn drop(&mut self) {
        if self.nested {
            // Notifications of the outer future may have been heard here.
            self.core.skip_sleep();
        }
        self.core.end_use();
    }
}

fn park<F: Future>(
    mut future: Pin<&mut F>,
    deadline: Option<Instant>,
    for_signals: bool,
) -> Step<F::Output> {
    let nested = driver::is_nested();
    let in_use = driver::own().ok().map(|core| InUse { core, nested });
    let core = in_use.as_ref().map(|in_use| &in_use.core);
    let waker = match core {
        Some(core) => Waker::from(Arc::clone(core)),
        // Without a driver the thread looks by itself, every `PLAIN_SLICE`.
        None => Waker::noop().clone(),
    };
    let mut cx = Context::from_waker(&waker);
    let mut poll = || driver::polling(|| future.as_mut().poll(&mut cx));
    if let Poll::Ready(output) = poll() {
        forget_plain_waits();
        return Step::Ready(output);
    }
    if for_signals && core.is_some_and(|core| driver::set_signal_target(core)) {
        return Step::Woken;
    }
    sleep(core, alarm::nearer(deadline));
    if alarm::ring()
        && let Some(core) = core
    {
        // The alarms have notified this very thread, which polls now anyway.
        core.hear();
    }
    let outcome = poll();
    forget_plain_waits();
    match outcome {
        Poll::Ready(output) => Step::Ready(output),
        Poll::Pending if deadline.is_some_and(|deadline| Instant::now() >= deadline) => {
            Step::TimedOut
        }
        Poll::Pending => Step::Woken,
    }
}

/// The next poll of a future says what it waits for then.
fn forget_plain_waits() {
    take_plain_waits().into_iter().for_each(PlainWait::end);
}

fn sleep(core: Option<&Arc<Core>>, deadline: Option<Instant>) {
    let plain = take_plain_waits();
    if let (true, Some(core)) = (plain.is_empty(), core) {
        if core.turn(deadline).is_err() {
            driver::discard_own();
        }
        return;
    }
    let left = deadline.map_or(PLAIN_SLICE, |deadline| {
        deadline
            .saturating_duration_since(Instant::now())
            .min(PLAIN_SLICE)
    });
    match plain.last() {
        Some(wait) => {
            wait.poll(left);
        }
        // Not `park_timeout`, which a signal does not end.
        None => system::sleep(left),
    }
    // The future may wait for other sources in the driver besides.
    if let Some(core) = core {
        // A notification would keep the driver from being turned; what it is about is polled next.
        core.hear();
        if core.turn(Some(Instant::now())).is_err() {
            driver::discard_own();
        }
    }
    plain.into_iter().for_each(PlainWait::end);
    if let Some(core) = core {
        core.hear();
    }
}

//! A socket's timeout, which other threads may change while a call waits under it.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::{Duration, Instant},
};

/// A timeout in nanoseconds: [`Timeout::NONE`] waits for ever, 0 never waits.
#[derive(Debug)]
pub(crate) struct Timeout {
    nanoseconds: AtomicI64,
    /// [`monotonic`] time of the last change.
    changed: AtomicI64,
}

/// `CLOCK_MONOTONIC` in nanoseconds, the clock of `Instant`, as a number that an atomic can hold.
fn monotonic() -> i64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `now` is valid for the call, which cannot fail for this clock.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    now.tv_sec
        .saturating_mul(1_000_000_000)
        .saturating_add(now.tv_nsec)
}

impl Timeout {
    /// Blocking mode.
    pub(crate) const NONE: i64 = -1;

    pub(crate) fn new(nanoseconds: i64) -> Self {
        Self {
            nanoseconds: AtomicI64::new(nanoseconds),
            changed: AtomicI64::new(0),
        }
    }

    pub(crate) fn get(&self) -> i64 {
        self.nanoseconds.load(Ordering::Acquire)
    }

    /// Sets the timeout; for calls already waiting it counts from now.
    pub(crate) fn set(&self, nanoseconds: i64) {
        self.changed.store(monotonic(), Ordering::Release);
        self.nanoseconds.store(nanoseconds, Ordering::Release);
    }

    pub(crate) fn is_nonblocking(&self) -> bool {
        self.get() == 0
    }

    /// Timeout mode: neither blocking nor non-blocking.
    pub(crate) fn is_timeout(&self) -> bool {
        self.get() > 0
    }

    pub(crate) fn is_none(&self) -> bool {
        self.get() < 0
    }
}

/// The clock of one call: started by its first wait, over all its waits.
pub(super) struct Clock<'a> {
    timeout: &'a Timeout,
    started: Instant,
    started_monotonic: i64,
}

impl<'a> Clock<'a> {
    pub(super) fn new(timeout: &'a Timeout) -> Self {
        Self {
            timeout,
            started: Instant::now(),
            started_monotonic: monotonic(),
        }
    }

    /// When the call has to end; `None` in blocking mode.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let timeout = u64::try_from(self.timeout.get()).ok()?;
        let changed_after = self
            .timeout
            .changed
            .load(Ordering::Acquire)
            .saturating_sub(self.started_monotonic);
        let changed_after = Duration::from_nanos(u64::try_from(changed_after).unwrap_or(0));
        self.started
            .checked_add(changed_after)?
            .checked_add(Duration::from_nanos(timeout))
    }
}

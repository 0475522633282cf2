//! A socket's timeout, which other threads may change while a call waits under it.

use std::{
    cell::Cell,
    sync::atomic::{AtomicI64, AtomicU32, Ordering},
    time::{Duration, Instant},
};

/// A timeout in nanoseconds: [`Timeout::NONE`] waits for ever, 0 never waits.
#[derive(Debug)]
pub(crate) struct Timeout {
    nanoseconds: AtomicI64,
    changes: AtomicU32,
}

impl Timeout {
    /// Blocking mode.
    pub(crate) const NONE: i64 = -1;

    pub(crate) fn new(nanoseconds: i64) -> Self {
        Self {
            nanoseconds: AtomicI64::new(nanoseconds),
            changes: AtomicU32::new(0),
        }
    }

    pub(crate) fn get(&self) -> i64 {
        self.nanoseconds.load(Ordering::Acquire)
    }

    /// Sets the timeout. Calls that wait already have to be woken: for them it counts from when they notice.
    pub(crate) fn set(&self, nanoseconds: i64) {
        self.nanoseconds.store(nanoseconds, Ordering::Release);
        self.changes.fetch_add(1, Ordering::Release);
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

/// The clock of one call: started by its first wait, over all its waits, and anew when the timeout has changed.
pub(super) struct Clock<'a> {
    timeout: &'a Timeout,
    started: Cell<Instant>,
    changes: Cell<u32>,
}

impl<'a> Clock<'a> {
    pub(super) fn new(timeout: &'a Timeout) -> Self {
        Self {
            timeout,
            changes: Cell::new(timeout.changes.load(Ordering::Acquire)),
            started: Cell::new(Instant::now()),
        }
    }

    /// When the call has to end; `None` in blocking mode.
    pub(super) fn deadline(&self) -> Option<Instant> {
        // Read before the timeout itself: a change in between is noticed next time, and its waker comes after it.
        let changes = self.timeout.changes.load(Ordering::Acquire);
        if self.changes.replace(changes) != changes {
            self.started.set(Instant::now());
        }
        let timeout = u64::try_from(self.timeout.get()).ok()?;
        self.started
            .get()
            .checked_add(Duration::from_nanos(timeout))
    }
}

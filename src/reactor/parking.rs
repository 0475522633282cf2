//! The hand-shake between a thread that is about to sleep in its driver and the threads that wake it.

use super::sync::{AtomicU8, Ordering};

const AWAKE: u8 = 0;
const ASLEEP: u8 = 1;
const NOTIFIED: u8 = 2;

/// Saves the wake-up system call where the thread is not asleep, and loses none where it is.
pub(super) struct Parking(AtomicU8);

impl Parking {
    pub(super) fn new() -> Self {
        Self(AtomicU8::new(AWAKE))
    }

    /// Announces sleep. False when a notification came first: look again instead of sleeping.
    pub(super) fn fall_asleep(&self) -> bool {
        self.0
            .compare_exchange(AWAKE, ASLEEP, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    /// Whether a notification has come that [`Self::wake_up`] has not taken yet.
    pub(super) fn is_notified(&self) -> bool {
        self.0.load(Ordering::Relaxed) == NOTIFIED
    }

    /// Ends sleep, or takes a notification: what was notified before is visible after.
    pub(super) fn wake_up(&self) {
        self.0.swap(AWAKE, Ordering::AcqRel);
    }

    /// Notifies the thread. True when it may be asleep and needs a system call to wake.
    pub(super) fn notify(&self) -> bool {
        self.0.swap(NOTIFIED, Ordering::AcqRel) == ASLEEP
    }
}

//! How many threads of the process poll at the moment, in one atomic word.
//!
//! The word also names the process generation that counted: a forked child inherits the count of threads that it does not
//! have, and starts from zero instead.

use super::sync::{AtomicU64, Ordering};

const COUNT: u64 = u32::MAX as u64;

pub(super) struct Spinners(AtomicU64);

/// The count as this generation sees it.
fn seen_by(generation: u32, word: u64) -> u64 {
    if word >> 32 == u64::from(generation) {
        word & COUNT
    } else {
        0
    }
}

impl Spinners {
    #[cfg(not(loom))]
    pub(super) const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    #[cfg(loom)]
    pub(super) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Counts the caller in, unless `limit` are at it already; then false.
    pub(super) fn enter(&self, generation: u32, limit: usize) -> bool {
        self.update(generation, |count| {
            (count < limit as u64 && count < COUNT).then(|| count + 1)
        })
    }

    pub(super) fn leave(&self, generation: u32) {
        self.update(generation, |count| count.checked_sub(1));
    }

    /// How many are in.
    #[cfg(all(test, not(loom)))]
    pub(super) fn count(&self, generation: u32) -> u64 {
        seen_by(generation, self.0.load(Ordering::Relaxed))
    }

    // Relaxed: the word guards no other memory.
    fn update(&self, generation: u32, next: impl Fn(u64) -> Option<u64>) -> bool {
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |word| {
                Some(u64::from(generation) << 32 | next(seen_by(generation, word))?)
            })
            .is_ok()
    }
}

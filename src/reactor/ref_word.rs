//! References to a descriptor and its closed mark, in one atomic word.
//!
//! A system call holds a reference; `close` sets the mark, after which nobody gets a reference any more, and whoever
//! gives the last one back disposes of the descriptor. The model is Go's `internal/poll` `fdMutex`.
//!
//! The word also names the process generation that counted: a forked child inherits counts of threads that it does not
//! have, and starts from zero instead.

use super::sync::{AtomicU64, Ordering};

const CLOSED: u64 = 1 << 31;
const REFS: u64 = CLOSED - 1;

pub(super) struct RefWord(AtomicU64);

/// What [`RefWord::close`] found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Close {
    /// It was closed before.
    Already,
    /// No reference is out: the caller disposes of the descriptor.
    Idle,
    /// References are out: the last one given back disposes of the descriptor.
    Busy,
}

/// The word as this generation sees it: without the references of another's threads. What those had still to dispose of in the
/// other process is open here: only a closed word without references is the end.
fn seen_by(generation: u32, word: u64) -> u64 {
    if word >> 32 == u64::from(generation) {
        word
    } else {
        let disposed = word & (CLOSED | REFS) == CLOSED;
        u64::from(generation) << 32 | if disposed { CLOSED } else { 0 }
    }
}

impl RefWord {
    pub(super) fn new(generation: u32) -> Self {
        Self(AtomicU64::new(u64::from(generation) << 32))
    }

    fn update(&self, generation: u32, next: impl Fn(u64) -> Option<u64>) -> Result<u64, u64> {
        let mut word = self.0.load(Ordering::Relaxed);
        loop {
            let seen = seen_by(generation, word);
            let Some(new) = next(seen) else {
                return Err(seen);
            };
            match self
                .0
                .compare_exchange_weak(word, new, Ordering::AcqRel, Ordering::Relaxed)
            {
                Ok(_) => return Ok(seen),
                Err(actual) => word = actual,
            }
        }
    }

    /// Takes a reference; false when closed (or, absurdly, when 2^31 are out).
    pub(super) fn acquire(&self, generation: u32) -> bool {
        self.update(generation, |word| {
            (word & CLOSED == 0 && word & REFS < REFS).then(|| word + 1)
        })
        .is_ok()
    }

    /// Gives a reference back. True when the caller has to dispose of the descriptor.
    pub(super) fn release(&self, generation: u32) -> bool {
        let before = self.update(generation, |word| (word & REFS > 0).then(|| word - 1));
        matches!(before, Ok(word) if word & (CLOSED | REFS) == CLOSED | 1)
    }

    pub(super) fn close(&self, generation: u32) -> Close {
        match self.update(generation, |word| {
            (word & CLOSED == 0).then_some(word | CLOSED)
        }) {
            Err(_) => Close::Already,
            Ok(word) if word & REFS == 0 => Close::Idle,
            Ok(_) => Close::Busy,
        }
    }

    /// Closes unless a reference is out. True when the caller has to dispose of the descriptor.
    pub(super) fn close_if_idle(&self, generation: u32) -> bool {
        self.update(generation, |word| {
            (word & (CLOSED | REFS) == 0).then_some(word | CLOSED)
        })
        .is_ok()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.0.load(Ordering::Acquire) & CLOSED != 0
    }

    /// Whether exactly one reference is out.
    pub(super) fn is_sole(&self, generation: u32) -> bool {
        seen_by(generation, self.0.load(Ordering::Acquire)) & REFS == 1
    }

    /// Whether a reference is out.
    pub(super) fn is_busy(&self, generation: u32) -> bool {
        seen_by(generation, self.0.load(Ordering::Acquire)) & REFS != 0
    }
}

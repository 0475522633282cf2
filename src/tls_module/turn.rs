//! Whose turn it is: what only one thread at a time may do, and may take long over.

use std::{mem, sync::Arc};

use tokio::sync::Notify;

use crate::{
    blocking_bridge::{Call, Failure},
    reactor::fork_mutex::ForkMutex,
};

/// A lock that is waited for as a socket is: under the call's deadline, and with signal handlers run. In a forked child it
/// is free, whichever thread of the parent has it.
pub(super) struct Turn {
    state: ForkMutex<State>,
}

#[derive(Default)]
struct State {
    taken: bool,
    /// There while others wait, or have waited since it was taken.
    others: Option<Arc<Notify>>,
}

/// Ends the turn when dropped.
pub(super) struct Taken<'a> {
    turn: &'a Turn,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if let Some(others) = mem::take(&mut *self.turn.state.lock()).others {
            // All of them: those that are too late make another list.
            others.notify_waiters();
        }
    }
}

impl Turn {
    pub(super) fn new() -> Self {
        Self {
            state: ForkMutex::new(State::default()),
        }
    }

    /// Takes it if it is free.
    pub(super) fn try_take(&self) -> Option<Taken<'_>> {
        let mut state = self.state.lock();
        (!mem::replace(&mut state.taken, true)).then_some(Taken { turn: self })
    }

    /// # Errors
    ///
    /// `EAGAIN` in non-blocking mode, where another thread has it; else as those of [`Call::wait`].
    pub(super) fn take(&self, call: &mut Call<'_>) -> Result<Taken<'_>, Failure> {
        loop {
            // Told of the end of a turn from here on: the future is made under the lock that the end takes.
            let ended = {
                let mut state = self.state.lock();
                if !mem::replace(&mut state.taken, true) {
                    return Ok(Taken { turn: self });
                }
                state
                    .others
                    .get_or_insert_default()
                    .clone()
                    .notified_owned()
            };
            call.wait_for(ended)?;
        }
    }
}

//! Whose turn it is: what only one thread at a time may do, and may take long over.

use std::{
    mem,
    sync::Arc,
    thread::{self, ThreadId},
};

use tokio::sync::Notify;

use crate::{
    blocking_bridge::{Call, Failure},
    reactor::fork_mutex::ForkMutex,
};

/// A lock that is waited for as a socket is: under the call's deadline, and with signal handlers run. In a forked child it
/// is free, whichever thread of the parent has it.
///
/// A thread that has it may take it again: Python code that runs in the middle of a call, in a signal handler, say, may use the
/// connection.
pub(super) struct Turn {
    state: ForkMutex<State>,
}

#[derive(Default)]
struct State {
    owner: Option<ThreadId>,
    /// There while others wait, or have waited since it was taken.
    others: Option<Arc<Notify>>,
}

impl State {
    /// Whether the thread has the turn now and, if so, whether it has had it before.
    fn enter(&mut self) -> Option<bool> {
        let thread = thread::current().id();
        match self.owner {
            None => {
                self.owner = Some(thread);
                Some(false)
            }
            Some(owner) => (owner == thread).then_some(true),
        }
    }
}

/// Ends the turn when dropped, if it has begun it.
pub(super) struct Taken<'a> {
    turn: &'a Turn,
    is_nested: bool,
}

impl Taken<'_> {
    pub(super) fn is_nested(&self) -> bool {
        self.is_nested
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if self.is_nested {
            return;
        }
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
        let is_nested = self.state.lock().enter()?;
        Some(Taken {
            turn: self,
            is_nested,
        })
    }

    /// # Errors
    ///
    /// `EAGAIN` in non-blocking mode, where another thread has it; else as those of [`Call::wait`].
    pub(super) fn take(&self, call: &mut Call<'_>) -> Result<Taken<'_>, Failure> {
        loop {
            // Told of the end of a turn from here on: the future is made under the lock that the end takes.
            let ended = {
                let mut state = self.state.lock();
                if let Some(is_nested) = state.enter() {
                    return Ok(Taken {
                        turn: self,
                        is_nested,
                    });
                }
                let others = state.others.get_or_insert_default().clone();
                others.notified_owned()
            };
            call.wait_for(ended)?;
        }
    }
}

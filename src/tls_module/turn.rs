//! Whose turn it is: what only one thread at a time may do, and may take long over.

use std::{
    sync::Arc,
    thread::{self, ThreadId},
};

use tokio::sync::Notify;

use crate::{
    blocking_bridge::{Call, Failure},
    reactor::fork_mutex::ForkMutex,
};

/// What a connection has turns of.
#[derive(Clone, Copy)]
pub(super) enum Turn {
    Handshaking,
    Reading,
    Writing,
}

/// How many of them there are.
const KINDS: usize = 3;

/// Locks that are waited for as a socket is: under the call's deadline, and with signal handlers run. In a forked child they
/// are free, whichever threads of the parent have them.
///
/// A thread that has a turn may take it again: Python code that runs in the middle of a call, in a signal handler, say, may use the
/// connection.
pub(super) struct Turns {
    state: ForkMutex<State>,
}

#[derive(Default)]
struct State {
    owners: [Option<ThreadId>; KINDS],
    /// There while somebody waits for a turn, or has waited since it was taken.
    others: Option<Box<[Option<Arc<Notify>>; KINDS]>>,
}

impl State {
    /// Whether the thread has the turn now and, if so, whether it has had it before.
    fn enter(&mut self, turn: Turn) -> Option<bool> {
        let thread = thread::current().id();
        let owner = &mut self.owners[turn as usize];
        match *owner {
            None => {
                *owner = Some(thread);
                Some(false)
            }
            Some(owner) => (owner == thread).then_some(true),
        }
    }

    /// Makes it free, and returns who has waited for it.
    fn leave(&mut self, turn: Turn) -> Option<Arc<Notify>> {
        self.owners[turn as usize] = None;
        let others = self.others.as_mut()?;
        let waiting = others[turn as usize].take();
        if others.iter().all(Option::is_none) {
            self.others = None;
        }
        waiting
    }
}

/// Ends the turn when dropped, if it has begun it.
pub(super) struct Taken<'a> {
    turns: &'a Turns,
    turn: Turn,
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
        let others = self.turns.state.lock().leave(self.turn);
        if let Some(others) = others {
            // All of them: those that are too late make another list.
            others.notify_waiters();
        }
    }
}

impl Turns {
    pub(super) fn new() -> Self {
        Self {
            state: ForkMutex::new(State::default()),
        }
    }

    /// Takes it if it is free.
    pub(super) fn try_take(&self, turn: Turn) -> Option<Taken<'_>> {
        let is_nested = self.state.lock().enter(turn)?;
        Some(Taken {
            turns: self,
            turn,
            is_nested,
        })
    }

    /// # Errors
    ///
    /// `EAGAIN` in non-blocking mode, where another thread has it; else as those of [`Call::wait`].
    pub(super) fn take(&self, turn: Turn, call: &mut Call<'_>) -> Result<Taken<'_>, Failure> {
        loop {
            // Told of the end of a turn from here on: the future is made under the lock that the end takes.
            let ended = {
                let mut state = self.state.lock();
                if let Some(is_nested) = state.enter(turn) {
                    return Ok(Taken {
                        turns: self,
                        turn,
                        is_nested,
                    });
                }
                let others = state.others.get_or_insert_default();
                let others = others[turn as usize].get_or_insert_default().clone();
                others.notified_owned()
            };
            call.wait_for(ended)?;
        }
    }
}

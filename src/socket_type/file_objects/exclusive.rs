//! Contents that one thread at a time works on, for however long.

use std::{
    mem,
    ops::{Deref, DerefMut},
    sync::Arc,
    thread::{self, ThreadId},
};

use rustpython_vm::{
    PyResult, VirtualMachine, builtins::PyBaseExceptionRef, common::lock::PyMutex,
};
use tokio::sync::Notify;

use crate::{blocking_bridge, reactor::process};

/// A value that is either used in passing or taken out for a while: whoever fills a buffer may wait long for the peer.
///
/// The lock is held for a few instructions only. A thread that wants what another has taken waits on the reactor: signal handlers
/// run, and the thread's deadline counts. In a forked child, what a thread of the parent has taken is empty.
#[derive(Default)]
pub(super) struct Exclusive<T> {
    state: PyMutex<State<T>>,
}

#[derive(Default)]
struct State<T> {
    contents: T,
    owner: Option<Owner>,
    /// There while others wait, or have waited since it was taken.
    others: Option<Arc<Notify>>,
}

#[derive(PartialEq)]
struct Owner {
    process: u32,
    thread: ThreadId,
}

impl Owner {
    fn this() -> Self {
        Self {
            process: process::generation(),
            thread: thread::current().id(),
        }
    }
}

impl<T: Default> Exclusive<T> {
    /// Uses the contents, unless somebody has taken them. `f` must not run Python code.
    #[inline]
    pub(super) fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> Option<R> {
        let mut state = self.state.lock();
        if state.owner.is_some() {
            return None;
        }
        Some(f(&mut state.contents))
    }

    /// Takes the contents out, after `before_waiting` if another thread has them.
    ///
    /// # Errors
    ///
    /// `reentrant` where this thread has them: a signal handler, or a method of the raw object, uses the file object. The exception
    /// of a signal handler, or the time-out of the thread's deadline, while it waits.
    pub(super) fn take(
        &self,
        vm: &VirtualMachine,
        reentrant: impl FnOnce() -> PyBaseExceptionRef,
        mut before_waiting: impl FnMut(),
    ) -> PyResult<Taken<'_, T>> {
        let this = Owner::this();
        loop {
            let ended = {
                let mut state = self.state.lock();
                let others_hold = match &state.owner {
                    Some(owner) if *owner == this => return Err(reentrant()),
                    Some(owner) => owner.process == this.process,
                    None => false,
                };
                if !others_hold {
                    state.owner = Some(this);
                    return Ok(Taken {
                        contents: mem::take(&mut state.contents),
                        exclusive: self,
                    });
                }
                // Told of the end from here on: the future is made under the lock that the end takes.
                state
                    .others
                    .get_or_insert_default()
                    .clone()
                    .notified_owned()
            };
            before_waiting();
            blocking_bridge::block_on(vm, ended, None)?;
        }
    }
}

/// Contents that this thread has to itself. They go back when it is dropped.
pub(super) struct Taken<'a, T: Default> {
    contents: T,
    exclusive: &'a Exclusive<T>,
}

impl<T: Default> Deref for Taken<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.contents
    }
}

impl<T: Default> DerefMut for Taken<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.contents
    }
}

impl<T: Default> Drop for Taken<'_, T> {
    fn drop(&mut self) {
        let others = {
            let mut state = self.exclusive.state.lock();
            state.contents = mem::take(&mut self.contents);
            state.owner = None;
            state.others.take()
        };
        if let Some(others) = others {
            // All of them: those that are too late make another list.
            others.notify_waiters();
        }
    }
}

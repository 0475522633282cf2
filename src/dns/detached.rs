//! A blocking call of the C library as a future: it runs on a thread of its own, and dropping the future abandons it.

use std::{
    future::Future,
    io,
    panic::{self, AssertUnwindSafe},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use super::{fork_gate, os_thread};

/// glibc keeps its answers on the heap and about 10 KiB on the stack; NSS modules of other makers are less careful.
/// Only touched pages cost memory.
const STACK_BYTES: usize = 256 * 1024;

/// A call under way. Created by [`detached`].
pub struct Detached<T> {
    call: Arc<dyn Fn() -> T + Send + Sync>,
    started: Option<Started<T>>,
}

struct Started<T> {
    /// The process that the thread lives in, counted in forks.
    generation: u64,
    outcome: Arc<Outcome<T>>,
}

struct Outcome<T>(Mutex<Slot<T>>);

enum Slot<T> {
    Waiting(Option<Waker>),
    Ready(T),
    /// Taken, or never coming.
    Gone,
}

impl<T> Outcome<T> {
    fn lock(&self) -> MutexGuard<'_, Slot<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, slot: Slot<T>) {
        let before = std::mem::replace(&mut *self.lock(), slot);
        // Outside the lock: a waker may run anything, even a poll of this very future.
        if let Slot::Waiting(Some(waker)) = before {
            waker.wake();
        }
    }
}

/// Runs `call` on a thread of its own at the first poll.
///
/// The future may be dropped at any time: the thread ends when the call does, and its answer goes nowhere. All signals
/// are blocked in the thread, so that they reach the threads that have handlers to run. An error means that the
/// thread could not be started, or that `call` panicked.
///
/// `call` may run again: the thread does not exist in a forked child, so there the next poll starts it afresh.
pub fn detached<T: Send + 'static>(call: impl Fn() -> T + Send + Sync + 'static) -> Detached<T> {
    Detached {
        call: Arc::new(call),
        started: None,
    }
}

impl<T: Send + 'static> Future for Detached<T> {
    type Output = io::Result<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // Before the generation is read: it counts only once the handlers are in place.
        fork_gate::install();
        let generation = fork_gate::generation();
        let outcome = match &self.started {
            Some(started) if started.generation == generation => started.outcome.clone(),
            // The parent's outcome is left alone: its lock may have been held by a thread that is not here.
            _ => match start(self.call.clone()) {
                Ok(outcome) => {
                    self.started = Some(Started {
                        generation,
                        outcome: outcome.clone(),
                    });
                    outcome
                }
                Err(error) => return Poll::Ready(Err(error)),
            },
        };
        let mut slot = outcome.lock();
        match std::mem::replace(&mut *slot, Slot::Gone) {
            Slot::Ready(value) => Poll::Ready(Ok(value)),
            Slot::Gone => Poll::Ready(Err(io::Error::other("the look-up ended without an answer"))),
            Slot::Waiting(before) => {
                let waker = match before {
                    Some(waker) if waker.will_wake(context.waker()) => waker,
                    _ => context.waker().clone(),
                };
                *slot = Slot::Waiting(Some(waker));
                Poll::Pending
            }
        }
    }
}

/// Tells the waiter even if the call panics.
struct Promise<T>(Arc<Outcome<T>>);

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        let unanswered = matches!(*self.0.lock(), Slot::Waiting(_));
        if unanswered {
            self.0.set(Slot::Gone);
        }
    }
}

fn start<T: Send + 'static>(call: Arc<dyn Fn() -> T + Send + Sync>) -> io::Result<Arc<Outcome<T>>> {
    let outcome = Arc::new(Outcome(Mutex::new(Slot::Waiting(None))));
    let promise = Promise(outcome.clone());
    let body = move || {
        let inside = fork_gate::enter();
        // A panic must not keep the thread from leaving the gate. What it was is on standard error, and the waiter
        // learns of it from the promise that the unwinding drops.
        let _ = panic::catch_unwind(AssertUnwindSafe(move || promise.0.set(Slot::Ready(call()))));
        inside.leave_with_thread();
    };
    os_thread::start(STACK_BYTES, Box::new(body))?;
    Ok(outcome)
}

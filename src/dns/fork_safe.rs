//! A look-up that starts afresh where it cannot go on: in a forked child, and away from the thread that blocked in it.

use std::{
    future::Future,
    mem,
    panic::{self, AssertUnwindSafe},
    pin::Pin,
    task::{Context, Poll},
};

use tokio::runtime::Handle;

use super::{
    fork_gate,
    lookup::{BoxFuture, LookupFailure},
    runtime::Runtime,
};
use crate::reactor::{self, process::generation};

type Outcome<T> = Result<T, LookupFailure>;

/// Polls a look-up, kept out of the way of forks, and in the context of the runtime of this process unless the thread that polls
/// blocks in it: such a one drives the look-up by itself.
///
/// What such a thread has begun nobody else goes on with: its driver would have to be told of by parts that are polled only when
/// they are woken (`FuturesUnordered`). Look-ups move so rarely that asking again is cheaper than knowing how to.
pub(super) struct ForkSafe<T, F> {
    runtime: Runtime,
    make: F,
    running: Option<Running<T>>,
}

struct Running<T> {
    generation: u32,
    /// The blocking thread whose driver it may be waiting in.
    bound_to: Option<u64>,
    /// Got when it is first needed.
    handle: Option<Handle>,
    future: BoxFuture<'static, Outcome<T>>,
}

impl<T, F> ForkSafe<T, F>
where
    F: Fn() -> BoxFuture<'static, Outcome<T>> + Unpin,
{
    /// `make` may be called again, in a forked child.
    pub(super) fn new(runtime: Runtime, make: F) -> Self {
        Self {
            runtime,
            make,
            running: None,
        }
    }

    fn running(&mut self) -> &mut Running<T> {
        let now = generation();
        if self.running.as_ref().is_some_and(|it| it.generation != now) {
            self.forget();
        }
        let Self { make, running, .. } = self;
        running.get_or_insert_with(|| Running {
            generation: now,
            bound_to: None,
            handle: None,
            future: make(),
        })
    }
}

impl<T, F> ForkSafe<T, F> {
    /// Gives up what another thread than `here` has begun by itself.
    fn leave_other_threads(&mut self, here: Option<u64>) {
        let elsewhere = |running: &mut Running<T>| {
            running.generation == generation()
                && running.bound_to.is_some_and(|thread| Some(thread) != here)
        };
        if let Some(running) = self.running.take_if(elsewhere) {
            let _inside = fork_gate::enter();
            drop(running);
        }
    }

    /// The sockets and timers of the parent's look-up belong to the parent's epoll set, and its locks may be held by
    /// threads that do not exist here.
    fn forget(&mut self) {
        mem::forget(self.running.take());
    }
}

impl<T, F> Future for ForkSafe<T, F>
where
    F: Fn() -> BoxFuture<'static, Outcome<T>> + Unpin,
{
    type Output = Outcome<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome<T>> {
        let here = reactor::blocking_thread();
        self.leave_other_threads(here);
        let runtime = here.is_none().then(|| self.runtime.clone());
        let Running {
            bound_to,
            handle,
            future,
            ..
        } = self.running();
        *bound_to = here;
        if let (Some(runtime), None) = (runtime, &handle) {
            match runtime.handle() {
                Ok(it) => *handle = Some(it),
                Err(_) => return Poll::Ready(Err(LookupFailure::AskLibc("no runtime"))),
            }
        }
        let _inside = fork_gate::enter();
        let _context = handle.as_ref().map(Handle::enter);
        // tokio panics where a runtime has been shut down, which an embedder may do at any time.
        let future = future.as_mut();
        let polled = panic::catch_unwind(AssertUnwindSafe(|| future.poll(context)));
        polled.unwrap_or(Poll::Ready(Err(LookupFailure::AskLibc(
            "the runtime failed",
        ))))
    }
}

impl<T, F> Drop for ForkSafe<T, F> {
    fn drop(&mut self) {
        match &self.running {
            Some(running) if running.generation != generation() => self.forget(),
            Some(_) => {
                let _inside = fork_gate::enter();
                self.running = None;
            }
            None => {}
        }
    }
}

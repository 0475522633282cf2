//! A look-up that starts afresh in a forked child.

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
pub(super) struct ForkSafe<T, F> {
    runtime: Runtime,
    make: F,
    running: Option<Running<T>>,
}

struct Running<T> {
    generation: u32,
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
            handle: None,
            future: make(),
        })
    }
}

impl<T, F> ForkSafe<T, F> {
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
        let runtime = (!reactor::is_polling()).then(|| self.runtime.clone());
        let Running { handle, future, .. } = self.running();
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

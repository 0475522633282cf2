//! Futures that need a tokio runtime of the application's, polled by threads that are not that runtime's.

use std::{
    fmt,
    future::Future,
    mem,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::runtime::Handle;

use super::lookup::{BoxFuture, LookupFailure};
use crate::reactor::process;

/// A runtime, and the process that its threads live in.
#[derive(Clone)]
pub(super) struct Within {
    handle: Handle,
    generation: u32,
}

impl fmt::Debug for Within {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.handle.fmt(f)
    }
}

impl Within {
    pub(super) fn new(handle: Handle) -> Self {
        process::watch_forks();
        Self {
            handle,
            generation: process::generation(),
        }
    }

    /// `future`, in the runtime's context at each poll. In a forked child, where no thread would turn its sockets and timers,
    /// it fails at once: `TryAgain`.
    pub(super) fn run<'a, T>(&'a self, future: BoxFuture<'a, T>) -> Running<'a, T> {
        Running {
            within: self,
            future: Some(future),
        }
    }

    fn is_elsewhere(&self) -> bool {
        self.generation != process::generation()
    }
}

/// Created by [`Within::run`].
pub(super) struct Running<'a, T> {
    within: &'a Within,
    /// `None` once it has ended.
    future: Option<BoxFuture<'a, T>>,
}

impl<T> Future for Running<'_, T> {
    type Output = Result<T, LookupFailure>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // A signal handler may have forked while the future waited.
        if self.within.is_elsewhere() {
            return Poll::Ready(Err(LookupFailure::TryAgain));
        }
        let _context = self.within.handle.enter();
        let Some(future) = &mut self.future else {
            return Poll::Ready(Err(LookupFailure::TryAgain));
        };
        let output = match future.as_mut().poll(context) {
            Poll::Ready(output) => output,
            Poll::Pending => return Poll::Pending,
        };
        self.future = None;
        Poll::Ready(Ok(output))
    }
}

impl<T> Drop for Running<'_, T> {
    fn drop(&mut self) {
        let future = self.future.take();
        if self.within.is_elsewhere() {
            // Its sockets are in the parent's epoll set, and its locks may be held by threads that are not here.
            mem::forget(future);
        } else {
            let _context = self.within.handle.enter();
            drop(future);
        }
    }
}

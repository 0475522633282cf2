//! The tokio runtime that drives the timers and sockets of name resolution where the thread that polls a look-up does not itself.
//!
//! A thread that blocks in a look-up turns its own driver, and needs the runtime for TCP only. Look-ups that no thread blocks in
//! (an event loop's) are spawned here, or polled by any executor.

use std::{
    future::{self, Future, poll_fn},
    io,
    panic::{self, AssertUnwindSafe},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use tokio::runtime::{Builder, Handle, RuntimeFlavor};

use super::os_thread;
use crate::reactor::{
    self,
    fork_mutex::ForkMutex,
    process::{self, generation},
};

/// The driver's event buffer is on the heap, and it calls nothing deep.
const STACK_BYTES: usize = 256 * 1024;

/// The crate's own runtime in this process. A forked child finds it empty: the parent's runtime is forgotten there, since
/// dropping it would act on the parent's epoll set.
static OWN: ForkMutex<Option<Handle>> = ForkMutex::new(None);

/// Where the timers and sockets of look-ups live.
#[derive(Clone, Default)]
pub(super) struct Runtime {
    embedder: Option<Arc<Embedder>>,
}

struct Embedder {
    /// The process that the runtime's threads live in.
    generation: u32,
    handle: Handle,
}

impl Runtime {
    /// The crate's own, on one thread, started when first needed.
    pub(super) fn own() -> Self {
        Self::default()
    }

    /// The embedder's. Children that this process forks have no threads to drive it and use their own.
    ///
    /// # Errors
    /// `InvalidInput` for a runtime of the current-thread flavour, which nobody drives while its thread waits for an
    /// answer, and for one without timers or without sockets.
    pub(super) fn embedder(handle: Handle) -> io::Result<Self> {
        let refuse = |why| Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        if handle.runtime_flavor() == RuntimeFlavor::CurrentThread {
            return refuse("a current-thread runtime is driven by nobody while its thread waits");
        }
        // tokio tells a missing driver in no other way than by a panic.
        let has_drivers = panic::catch_unwind(AssertUnwindSafe(|| {
            let _context = handle.enter();
            drop(tokio::time::sleep(Duration::ZERO));
            let socket = std::net::UdpSocket::bind(("127.0.0.1", 0))?;
            socket.set_nonblocking(true)?;
            tokio::net::UdpSocket::from_std(socket).map(drop)
        }));
        match has_drivers {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(error),
            Err(_) => return refuse("the runtime has no timers or no sockets"),
        }
        process::watch_forks();
        Ok(Self {
            embedder: Some(Arc::new(Embedder {
                generation: generation(),
                handle,
            })),
        })
    }

    /// Polls `future` such that all its sockets and timers are this runtime's, whoever polls it: any of several may.
    ///
    /// # Errors
    ///
    /// Those of [`Self::handle`].
    pub(super) async fn run<F: Future>(&self, future: F) -> io::Result<F::Output> {
        let handle = self.handle()?;
        let mut future = pin!(future);
        let output = poll_fn(|context| {
            let _context = handle.enter();
            reactor::not_polling(|| future.as_mut().poll(context))
        });
        Ok(output.await)
    }

    /// The runtime of this process, started if there is none yet.
    pub(super) fn handle(&self) -> io::Result<Handle> {
        match &self.embedder {
            Some(embedder) if embedder.generation == generation() => Ok(embedder.handle.clone()),
            _ => own(),
        }
    }
}

/// Whether this process has the crate's own runtime.
#[cfg(test)]
pub(super) fn is_started() -> bool {
    OWN.lock().is_some()
}

fn own() -> io::Result<Handle> {
    process::watch_forks();
    let mut own = OWN.lock();
    if let Some(handle) = &*own {
        return Ok(handle.clone());
    }
    let runtime = Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()?;
    let handle = runtime.handle().clone();
    let body = move || runtime.block_on(future::pending::<()>());
    os_thread::start(STACK_BYTES, Box::new(body))?;
    *own = Some(handle.clone());
    Ok(handle)
}

//! The crate's side: the only file that knows how it is called.

use std::{
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::Instant,
};

use rustpython_reactor::dns::{self, Path, Resolver};

use crate::{
    outcome::{self, Outcome},
    query::{Ask, Query},
};

/// Which way a query went, as far as the crate says.
#[derive(Clone, Copy, PartialEq, Eq)]
#[allow(dead_code, reason = "for when the crate tells")]
pub enum Way {
    Asynchronous,
    CLibrary,
    Unknown,
}

/// Of look-ups by name; the crate tells of no others.
pub fn way(query: &Query) -> Way {
    let Ask::Resolve {
        host,
        service,
        hints,
    } = &query.ask
    else {
        return Way::Unknown;
    };
    match Resolver::system()
        .explain(host.as_deref(), service.as_deref(), *hints)
        .path
    {
        Path::Own | Path::Names => Way::Asynchronous,
        Path::Numeric | Path::Libc => Way::CLibrary,
    }
}

pub async fn answer(query: Query) -> Outcome {
    match query.ask {
        Ask::Resolve {
            host,
            service,
            hints,
        } => outcome::of_resolve(dns::resolve(host, service, hints, None).await),
        Ask::Names { address, flags } => outcome::of_names(dns::getnameinfo(address, flags).await),
        Ask::HostByName { host, family } => {
            outcome::of_host(dns::gethostbyname(host, family).await)
        }
        Ask::HostByAddress { address } => outcome::of_host(dns::gethostbyaddr(address).await),
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Polls on this thread, which no runtime knows; `None` when `deadline` passes.
pub fn block_on<T>(future: impl Future<Output = T>, deadline: Instant) -> Option<T> {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return Some(value);
        }
        let left = deadline.checked_duration_since(Instant::now())?;
        thread::park_timeout(left);
    }
}

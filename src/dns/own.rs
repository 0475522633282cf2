//! The application's resolver, held to its promises: whatever it does, look-ups end, with an answer that was asked for.

use std::{
    future::Future,
    net::IpAddr,
    panic::{self, AssertUnwindSafe},
    pin::{Pin, pin},
    task::{Context, Poll},
};

use super::{
    lookup::{BoxFuture, Families, HostAddresses, HostLookup, HostNames, LookupFailure},
    within::Within,
};

pub(super) struct Own {
    lookup: Box<dyn HostLookup>,
    /// The runtime that the look-ups want to be polled in.
    within: Option<Within>,
}

impl Own {
    pub(super) fn new(lookup: Box<dyn HostLookup>, within: Option<Within>) -> Self {
        Self { lookup, within }
    }

    pub(super) async fn addresses(
        &self,
        host: &str,
        families: Families,
    ) -> Result<HostAddresses, LookupFailure> {
        // Bytes from Python may be anything; the look-up was promised ASCII. The empty host is no name to the C library.
        if host.is_empty() || !host.is_ascii() {
            return Err(LookupFailure::NotFound);
        }
        let mut found = self.run(|| self.lookup.addresses(host, families)).await?;
        // A socket of one family can do nothing with addresses of the other.
        found.addresses.retain(|address| match address {
            IpAddr::V4(_) => families.v4(),
            IpAddr::V6(_) => families.v6(),
        });
        if found.addresses.is_empty() {
            return Err(LookupFailure::NoData);
        }
        Ok(found)
    }

    pub(super) async fn names(&self, address: IpAddr) -> Result<HostNames, LookupFailure> {
        self.run(|| self.lookup.names(address)).await
    }

    async fn run<'a, T>(
        &'a self,
        ask: impl FnOnce() -> BoxFuture<'a, Result<T, LookupFailure>> + Send + 'a,
    ) -> Result<T, LookupFailure> {
        let asked = async {
            match &self.within {
                None => ask().await,
                Some(within) => {
                    // The call too: it may make a timer before it returns its future.
                    let future = Box::pin(async move { ask().await });
                    within.run(future).await?
                }
            }
        };
        Caught(pin!(asked)).await
    }
}

/// A panic (tokio has some for futures outside a runtime, and for runtimes that were shut down) must not take the Python thread
/// or the loop that waits along. What it was is on standard error, by the application's panic hook.
struct Caught<'a, F>(Pin<&'a mut F>);

impl<T, F: Future<Output = Result<T, LookupFailure>>> Future for Caught<'_, F> {
    type Output = Result<T, LookupFailure>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let future = self.0.as_mut();
        panic::catch_unwind(AssertUnwindSafe(|| future.poll(context)))
            .unwrap_or(Poll::Ready(Err(LookupFailure::NoRecovery)))
    }
}

//! What the sources of names have in common: the hosts file, the name servers, an embedder's own resolver.

use std::{future::Future, net::IpAddr, pin::Pin};

use super::EaiError;

/// A future that any executor may poll, and anybody drop.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Which addresses a look-up is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Families {
    V4,
    V6,
    Both,
}

impl Families {
    pub fn v4(self) -> bool {
        self != Self::V6
    }

    pub fn v6(self) -> bool {
        self != Self::V4
    }
}

/// What a source knows about a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostAddresses {
    /// The name that the others are aliases of, without a dot at its end.
    pub canonical: Vec<u8>,
    pub aliases: Vec<Vec<u8>>,
    /// In the source's order, doubles included; sorting comes later. Never empty in an answer.
    pub addresses: Vec<IpAddr>,
}

/// The names of an address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostNames {
    /// Without a dot at its end.
    pub canonical: Vec<u8>,
    pub aliases: Vec<Vec<u8>>,
}

/// Why a source has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LookupFailure {
    /// There is no such name.
    NotFound,
    /// The name exists, but has no address of the families asked for.
    NoData,
    /// Nobody answered, or the servers could not; it may be different later.
    TryAgain,
    /// The servers refused for good.
    NoRecovery,
    /// The case is not known to be answered as the C library would, for the reason given; it has to be asked. From a
    /// [`HostLookup`]: ask the machine, for this name.
    AskLibc(&'static str),
    /// Any other code.
    Eai(EaiError),
}

/// A resolver of the embedder's own: hosts for tests, DNS over TLS, another directory, or no names at all.
///
/// Numeric hosts, services, `AI_*` flags and the order of the answers stay this crate's; the resolver says which addresses a
/// name has.
///
/// Its futures are polled by whichever thread waits for the name, outside any tokio runtime. One that needs tokio's timers or
/// sockets wants [`ResolverBuilder::runtime`](super::ResolverBuilder::runtime) with
/// [`ResolverBuilder::own`](super::ResolverBuilder::own). They are dropped when nobody waits any more. They must not block: in
/// asyncio one thread polls all. A panic is `EAI_FAIL` to the waiter.
pub trait HostLookup: Send + Sync + 'static {
    /// The addresses of `host`, a name in ASCII (international names come in their `idna` encoding), never empty, otherwise as the
    /// script spelled it. Addresses of other families than `families` are left out of the answer; with none left it is
    /// [`LookupFailure::NoData`].
    ///
    /// # Errors
    ///
    /// Each has its code of getaddrinfo(3): `EAI_NONAME`, `EAI_NODATA`, `EAI_AGAIN`, `EAI_FAIL`.
    fn addresses<'a>(
        &'a self,
        host: &'a str,
        families: Families,
    ) -> BoxFuture<'a, Result<HostAddresses, LookupFailure>>;

    /// The names of an address; none, unless implemented.
    ///
    /// # Errors
    ///
    /// As above; getnameinfo(3) makes an address in figures of them, except of [`LookupFailure::TryAgain`].
    fn names(&self, address: IpAddr) -> BoxFuture<'_, Result<HostNames, LookupFailure>> {
        let _ = address;
        Box::pin(async { Err(LookupFailure::NotFound) })
    }
}

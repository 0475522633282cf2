//! A resolver: what an application or an interpreter looks names up with.

use std::{
    env,
    ffi::{CStr, CString},
    fmt,
    future::Future,
    io,
    net::IpAddr,
    pin::pin,
    sync::Arc,
    time::Instant,
};

use futures_util::{
    FutureExt,
    future::{Either, select},
};
use socket2::SockAddr;
use tokio::runtime::Handle;

use super::{
    AddrInfo, EaiError, Hints, HostEntry, HostError, NameInfo,
    answers::{self, Wanted},
    client::Client,
    detached,
    fork_safe::ForkSafe,
    interfaces::Interfaces,
    libc_calls,
    lookup::{Families, HostLookup, LookupFailure},
    numeric,
    own::Own,
    resolve_numeric, reverse,
    route::{self, Path, Reading, Route},
    runtime::Runtime,
    sources::Sources,
    timer::Timer,
    within::Within,
};
use crate::reactor::fork_mutex::ForkMutex;

/// How many answers of name servers a resolver remembers, if not told otherwise.
pub const CACHE_ENTRIES: usize = 4096;

/// Looks names up. A clone is the same resolver, with the same cache.
///
/// Any thread may use it, and any executor poll its futures, which hold nothing of the caller's.
#[derive(Clone)]
pub struct Resolver {
    sources: Arc<Sources>,
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver")
            .field("own", &self.sources.is_own())
            .finish_non_exhaustive()
    }
}

/// Settings of a [`Resolver`].
#[must_use = "nothing is made before `build`"]
pub struct ResolverBuilder {
    runtime: Runtime,
    /// The embedder's runtime, if there is one.
    handle: Option<Handle>,
    cache_entries: usize,
    own: Option<Box<dyn HostLookup>>,
}

impl fmt::Debug for ResolverBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResolverBuilder")
            .field("runtime", &self.handle)
            .field("cache_entries", &self.cache_entries)
            .field("own", &self.own.is_some())
            .finish()
    }
}

impl ResolverBuilder {
    /// Timers and sockets on the application's tokio runtime, instead of a thread of the crate's own.
    ///
    /// Some thread of it must be free to turn it while Python blocks: call Python from `spawn_blocking`, say.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a current-thread runtime: the thread that waits for a name might be the one that should turn it. And
    /// for a runtime without timers or without sockets. Those of socket(2) and epoll_ctl(2), from a trial.
    pub fn runtime(mut self, handle: Handle) -> io::Result<Self> {
        self.runtime = Runtime::embedder(handle.clone())?;
        self.handle = Some(handle);
        Ok(self)
    }

    /// How many answers to remember, each as long as its time to live; 0 for none. The default is [`CACHE_ENTRIES`].
    /// For the machine's name servers only: what an [`own`](Self::own) resolver keeps is its own affair.
    pub fn cache_entries(mut self, entries: usize) -> Self {
        self.cache_entries = entries;
        self
    }

    /// Asks `lookup` for every host that is not a numeric address, as [`Resolver::own`] does, and polls its futures in the context
    /// of the [`runtime`](Self::runtime), if one is given: they may use its timers and sockets. (In a forked child, where the
    /// runtime has no threads, such a look-up fails with `EAI_AGAIN`.)
    pub fn own(mut self, lookup: impl HostLookup) -> Self {
        self.own = Some(Box::new(lookup));
        self
    }

    /// The resolver. Nothing is started before its first question.
    #[must_use]
    pub fn build(self) -> Resolver {
        let runtime = self.runtime;
        Resolver::of(match self.own {
            None => Sources::System(Client::new(runtime, self.cache_entries)),
            Some(lookup) => Sources::Own {
                lookup: Own::new(lookup, self.handle.map(Within::new)),
                runtime,
            },
        })
    }
}

impl Resolver {
    fn of(sources: Sources) -> Self {
        Self {
            sources: Arc::new(sources),
        }
    }

    /// A resolver with the machine's configuration, unless told otherwise, and settings of its own.
    pub fn builder() -> ResolverBuilder {
        ResolverBuilder {
            runtime: Runtime::own(),
            handle: None,
            cache_entries: CACHE_ENTRIES,
            own: None,
        }
    }

    /// [`Self::builder`] as the process's environment would have it: `REACTOR_DNS_CACHE` is the number of cache entries.
    fn builder_from_environment() -> ResolverBuilder {
        let builder = Self::builder();
        let entries = env::var("REACTOR_DNS_CACHE").ok();
        match entries.and_then(|entries| entries.trim().parse().ok()) {
            Some(entries) => builder.cache_entries(entries),
            None => builder,
        }
    }

    /// The process's resolver, which answers as the machine's C library does. The environment variable
    /// `REACTOR_DNS_CACHE`, read at the first look-up, says how many answers it remembers (0: none).
    pub fn system() -> Self {
        // A forked child makes its own: the parent's locks and sockets are not for it.
        static SYSTEM: ForkMutex<Option<Resolver>> = ForkMutex::new(None);
        if let Some(resolver) = &*SYSTEM.lock() {
            return resolver.clone();
        }
        let made = Self::builder_from_environment().build();
        SYSTEM.lock().get_or_insert(made).clone()
    }

    /// A resolver that asks `lookup` for every host that is not a numeric address, and for the names of addresses. Neither the
    /// hosts file nor a name server is asked, unless `lookup` answers [`LookupFailure::AskLibc`].
    #[must_use]
    pub fn own(lookup: impl HostLookup) -> Self {
        Self::builder().own(lookup).build()
    }

    /// A resolver that knows numeric addresses only: every name is `EAI_NONAME`.
    ///
    /// This is no sandbox: a script that may load libraries or start programs looks names up with those.
    #[must_use]
    pub fn without_names() -> Self {
        struct NoNames;
        impl HostLookup for NoNames {
            fn addresses<'a>(
                &'a self,
                _host: &'a str,
                _families: Families,
            ) -> super::lookup::BoxFuture<'a, Result<super::lookup::HostAddresses, LookupFailure>>
            {
                Box::pin(async { Err(LookupFailure::NotFound) })
            }
        }
        Self::own(NoNames)
    }

    /// Forgets the answers of name servers.
    pub fn clear_cache(&self) {
        if let Sources::System(client) = &*self.sources {
            client.clear_cache();
        }
    }

    /// Runs a future on the resolver's runtime: a look-up that no thread waits for.
    #[cfg(feature = "python")]
    pub(crate) fn spawn<F>(&self, future: F) -> io::Result<tokio::task::AbortHandle>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let handle = self.sources.runtime().handle()?;
        let _inside = super::fork_gate::enter();
        Ok(handle.spawn(future).abort_handle())
    }

    /// Which way [`Self::resolve`] would take, and why. Asks nobody.
    pub fn explain(&self, host: Option<&CStr>, service: Option<&CStr>, hints: Hints) -> Route {
        let own = self.sources.is_own();
        route::by_name(host, service, hints, own, &mut Reading::default())
    }

    fn route(
        &self,
        host: Option<&CStr>,
        service: Option<&CStr>,
        hints: Hints,
        config: &mut Reading,
    ) -> Route {
        let route = route::by_name(host, service, hints, self.sources.is_own(), config);
        tracing::debug!(target: route::EVENTS, ?host, ?service, ?hints, path = %route.path, reason = %route.reason, "look-up by name");
        route
    }

    /// The addresses of `host` and `service`, as `getaddrinfo(3)` lists them.
    ///
    /// The future may be polled by any executor, and dropped at any time: whatever was under way for it alone ends then.
    ///
    /// # Errors
    ///
    /// Those of getaddrinfo(3); `EAI_SYSTEM` with `ETIMEDOUT` when `deadline` passes first.
    pub async fn resolve(
        &self,
        host: Option<CString>,
        service: Option<CString>,
        hints: Hints,
        deadline: Option<Instant>,
    ) -> Result<Vec<AddrInfo>, EaiError> {
        if let Some(answer) = resolve_numeric(host.as_deref(), service.as_deref(), hints) {
            return answer;
        }
        let answer = self.look_up(host, service, hints);
        match deadline {
            None => answer.await,
            Some(deadline) => self.until(deadline, answer).await?,
        }
    }

    /// `future`, unless `deadline` comes first.
    async fn until<F: Future>(&self, deadline: Instant, future: F) -> Result<F::Output, EaiError> {
        let runtime = self.sources.runtime().clone();
        let timer = ForkSafe::new(runtime, move || Timer::until(deadline).map(Ok).boxed());
        match select(pin!(future), timer).await {
            Either::Left((output, _)) => Ok(output),
            Either::Right((Ok(()), _)) => Err(EaiError {
                code: libc::EAI_SYSTEM,
                errno: Some(libc::ETIMEDOUT),
            }),
            // No timer could be had.
            Either::Right((Err(_), future)) => Ok(future.await),
        }
    }

    async fn look_up(
        &self,
        host: Option<CString>,
        service: Option<CString>,
        hints: Hints,
    ) -> Result<Vec<AddrInfo>, EaiError> {
        let mut config = Reading::default();
        let route = self.route(host.as_deref(), service.as_deref(), hints, &mut config);
        let (Path::Own | Path::Names, Some(name)) = (route.path, &host) else {
            return match route.path {
                Path::Numeric => libc_here(host.as_deref(), service.as_deref(), hints),
                _ => libc_elsewhere(host, service, hints).await,
            };
        };
        let interfaces = (hints.flags & libc::AI_ADDRCONFIG != 0).then(Interfaces::current);
        let wanted = Wanted::new(hints, interfaces.as_ref())?;
        let kinds = answers::kinds(service.as_deref(), hints)?;
        let own = self.sources.is_own();
        let found = self.sources.addresses(&mut config, name, wanted).await;
        match found
            .and_then(|found| answers::list(found, &kinds, hints.flags, interfaces.as_ref(), own))
        {
            Ok(answers) => Ok(answers),
            Err(LookupFailure::AskLibc(reason)) => {
                tracing::debug!(target: route::EVENTS, ?host, path = %Path::Libc, reason, "the C library is asked after all");
                libc_elsewhere(host, service, hints).await
            }
            Err(failure) => Err(eai(failure)),
        }
    }

    /// The entry of a host by name, of one family (`AF_INET` or `AF_INET6`), as `gethostbyname2(3)` gives it.
    ///
    /// # Errors
    ///
    /// Those of gethostbyname(3).
    pub async fn gethostbyname(&self, host: CString, family: i32) -> Result<HostEntry, HostError> {
        let hints = Hints {
            family,
            ..Hints::default()
        };
        let mut config = Reading::default();
        let route = self.route(Some(&host), None, hints, &mut config);
        let families = match (route.path, family) {
            (Path::Own | Path::Names, libc::AF_INET) => Families::V4,
            (Path::Own | Path::Names, libc::AF_INET6) => Families::V6,
            (_, libc::AF_INET | libc::AF_INET6) if self.sources.is_own() => {
                return numeric_entry(host, family);
            }
            _ if self.sources.is_own() => return Err(unknown_family()),
            (Path::Numeric, _) if is_never_looked_up(&host) => {
                let _inside = super::fork_gate::enter();
                return libc_calls::gethostbyname(&host, family);
            }
            _ => return libc_gethostbyname(host, family).await,
        };
        match self.sources.entry(&mut config, &host, families).await {
            Ok(found) => Ok(HostEntry {
                name: found.canonical,
                aliases: found.aliases,
                family,
                addresses: found.addresses,
            }),
            Err(LookupFailure::AskLibc(reason)) => {
                tracing::debug!(target: route::EVENTS, ?host, path = %Path::Libc, reason, "the C library is asked after all");
                libc_gethostbyname(host, family).await
            }
            Err(failure) => Err(host_error(failure)),
        }
    }

    /// The entry of a host by address: `gethostbyaddr(3)`.
    ///
    /// # Errors
    ///
    /// Those of gethostbyaddr(3).
    pub async fn gethostbyaddr(&self, address: IpAddr) -> Result<HostEntry, HostError> {
        reverse::gethostbyaddr(&self.sources, address).await
    }

    /// Host and service name of an address, under `NI_*` flags: `getnameinfo(3)`.
    ///
    /// # Errors
    ///
    /// Those of getnameinfo(3).
    pub async fn getnameinfo(&self, address: SockAddr, flags: i32) -> Result<NameInfo, EaiError> {
        reverse::getnameinfo(&self.sources, address, flags).await
    }
}

/// A numeric host as an entry, as gethostbyname(3) makes one, without asking it: it looks up what it does not take for numeric,
/// such as `0x7f000001`.
fn numeric_entry(host: CString, family: i32) -> Result<HostEntry, HostError> {
    let address = match family {
        libc::AF_INET => numeric::parse_loose_ipv4(&host).map(IpAddr::from),
        _ => numeric::parse(family, &host).ok().flatten(),
    };
    match address {
        Some(address) => Ok(HostEntry {
            name: host.into_bytes(),
            aliases: vec![],
            family,
            addresses: vec![address],
        }),
        None => Err(host_error(LookupFailure::NotFound)),
    }
}

/// Whether gethostbyname(3) takes a numeric host for what it is. It knows fewer spellings than getaddrinfo(3).
fn is_never_looked_up(host: &CStr) -> bool {
    let host = host.to_bytes();
    let digits = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
    let v6 = |byte: &u8| byte.is_ascii_hexdigit() || matches!(*byte, b':' | b'.');
    host.iter().all(digits) || host.contains(&b':') && host.iter().all(v6)
}

fn unknown_family() -> HostError {
    HostError {
        code: HostError::INTERNAL,
        errno: Some(libc::EAFNOSUPPORT),
    }
}

fn libc_here(
    host: Option<&CStr>,
    service: Option<&CStr>,
    hints: Hints,
) -> Result<Vec<AddrInfo>, EaiError> {
    let _inside = super::fork_gate::enter();
    libc_calls::getaddrinfo(host, service, hints)
}

async fn libc_elsewhere(
    host: Option<CString>,
    service: Option<CString>,
    hints: Hints,
) -> Result<Vec<AddrInfo>, EaiError> {
    let call = move || libc_calls::getaddrinfo(host.as_deref(), service.as_deref(), hints);
    match detached(call).await {
        Ok(answer) => answer,
        Err(error) => Err(EaiError::from_io(&error)),
    }
}

async fn libc_gethostbyname(host: CString, family: i32) -> Result<HostEntry, HostError> {
    match detached(move || libc_calls::gethostbyname(&host, family)).await {
        Ok(answer) => answer,
        Err(error) => Err(HostError::from_io(&error)),
    }
}

/// The code that getaddrinfo(3) has for a failure; a name that only the C library could judge has none.
pub(super) fn eai(failure: LookupFailure) -> EaiError {
    match failure {
        LookupFailure::NotFound => EaiError::new(libc::EAI_NONAME),
        LookupFailure::NoData => EaiError::new(libc::EAI_NODATA),
        LookupFailure::TryAgain => EaiError::new(libc::EAI_AGAIN),
        LookupFailure::NoRecovery | LookupFailure::AskLibc(_) => EaiError::new(libc::EAI_FAIL),
        LookupFailure::Eai(error) => error,
    }
}

/// The same for the older look-ups: `netdb.h`.
pub(super) fn host_error(failure: LookupFailure) -> HostError {
    let code = match failure {
        LookupFailure::NotFound => HostError::NOT_FOUND,
        LookupFailure::TryAgain => HostError::TRY_AGAIN,
        LookupFailure::NoRecovery | LookupFailure::AskLibc(_) => HostError::NO_RECOVERY,
        LookupFailure::NoData => HostError::NO_DATA,
        LookupFailure::Eai(error) => {
            return HostError {
                code: HostError::INTERNAL,
                errno: error.errno,
            };
        }
    };
    HostError { code, errno: None }
}

#[cfg(test)]
mod tests;

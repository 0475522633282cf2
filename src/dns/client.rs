//! Hosts and addresses asked of the name servers in resolv.conf, as glibc's `nss_dns` asks them.
//!
//! hickory makes the messages and talks to one server at a time; which names are tried, which servers are asked when, and
//! what their answers mean are decided here, because these decide the answer:
//!
//! * [`search`]: the names to try;
//! * [`name_servers`]: servers, retries, times;
//! * [`transport`]: one question to one server;
//! * [`answer`]: what a reply says;
//! * [`cache`]: replies that still hold;
//! * [`limit`]: how much is under way at once.
//!
//! Whatever is not known to be answered as the C library would is [`LookupFailure::AskLibc`].

mod answer;
mod cache;
mod limit;
mod name_servers;
mod search;
#[cfg(test)]
mod tests;
mod transport;

use std::{
    collections::HashMap,
    fmt::Write,
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
    time::Instant,
};

use futures_util::{
    FutureExt,
    future::{Shared, WeakShared},
};
use hickory_resolver::proto::{
    op::ResponseCode,
    rr::{Name, RecordType},
};

use self::{
    answer::{Found, Reply},
    cache::Cache,
    name_servers::Asked,
    search::{Attempt, Search},
};
use super::{
    EaiError,
    config::Config,
    fork_safe::ForkSafe,
    lookup::{BoxFuture, Families, HostAddresses, HostNames, LookupFailure},
    runtime::Runtime,
};
use crate::reactor::{self, fork_mutex::ForkMutex, process};

/// The client of one resolver. Its cache holds what was learnt under the newest reading of the configuration.
pub(super) struct Client {
    shared: Arc<SharedState>,
}

struct SharedState {
    runtime: Runtime,
    cache_entries: usize,
    state: ForkMutex<State>,
}

/// Starts empty in a forked child.
#[derive(Default)]
struct State {
    /// Of the configuration that the cache was filled under.
    generation: u64,
    cache: Option<Cache>,
    flights: HashMap<FlightKey, (u64, WeakShared<BoxFuture<'static, Asked>>)>,
    next_flight: u64,
}

impl State {
    /// What is outdated by this, to be dropped outside the lock, which others spin for.
    fn adopt(&mut self, generation: u64) -> Option<Cache> {
        if self.generation == generation {
            return None;
        }
        self.generation = generation;
        self.cache.take()
    }
}

/// Generation of the configuration, name, types.
type FlightKey = (u64, Arc<str>, &'static [RecordType]);

impl Client {
    /// `cache_entries` 0: no cache.
    pub(super) fn new(runtime: Runtime, cache_entries: usize) -> Self {
        process::watch_forks();
        let shared = Arc::new(SharedState {
            runtime,
            cache_entries,
            state: ForkMutex::new(State::default()),
        });
        Self { shared }
    }

    /// The addresses of `name`, if the cache knows all that a look-up would ask for; never waits.
    ///
    /// `name` is a plain host name in ASCII: labels of 1 to 63 letters, digits, `-` and `_`, at most 253 in all, with or
    /// without a dot at the end.
    pub(super) fn cached_addresses(
        &self,
        config: &Arc<Config>,
        name: &str,
        families: Families,
    ) -> Option<Result<HostAddresses, LookupFailure>> {
        let mut search = Search::new(name, &config.resolv);
        loop {
            let name = match search.next() {
                Ok(name) => name,
                Err(failure) => return Some(Err(failure)),
            };
            let types = types_of(families);
            let replies = self.shared.cached(config.generation, &name.into(), types)?;
            let attempt = combined(&replies);
            if let Some(outcome) = search.note(attempt) {
                return Some(outcome);
            }
        }
    }

    /// The addresses of `name`, which is as for [`Client::cached_addresses`].
    pub(super) async fn addresses(
        &self,
        config: &Arc<Config>,
        name: &str,
        families: Families,
    ) -> Result<HostAddresses, LookupFailure> {
        let (shared, config, name) = (&self.shared, config.clone(), name.to_owned());
        let make = || {
            let (shared, config, name) = (shared.clone(), config.clone(), name.clone());
            async move { addresses(&shared, &config, &name, families).await }.boxed()
        };
        ForkSafe::new(self.shared.runtime.clone(), make).await
    }

    /// The name of an address, from its PTR record.
    pub(super) async fn names(
        &self,
        config: &Arc<Config>,
        address: IpAddr,
    ) -> Result<HostNames, LookupFailure> {
        let name = reverse_name(address)?;
        let (shared, config) = (&self.shared, config.clone());
        let make = || {
            let (shared, config, name) = (shared.clone(), config.clone(), name.clone());
            async move { names(&shared, &config, name).await }.boxed()
        };
        ForkSafe::new(self.shared.runtime.clone(), make).await
    }

    /// What turns the timers and sockets.
    pub(super) fn runtime(&self) -> &Runtime {
        &self.shared.runtime
    }

    /// Forgets all answers.
    pub(super) fn clear_cache(&self) {
        let cache = self.shared.state.lock().cache.take();
        // Outside the lock, which others spin for.
        drop(cache);
    }
}

fn types_of(families: Families) -> &'static [RecordType] {
    match families {
        Families::V4 => &[RecordType::A],
        Families::V6 => &[RecordType::AAAA],
        Families::Both => &[RecordType::A, RecordType::AAAA],
    }
}

async fn addresses(
    shared: &Arc<SharedState>,
    config: &Arc<Config>,
    name: &str,
    families: Families,
) -> Result<HostAddresses, LookupFailure> {
    let mut search = Search::new(name, &config.resolv);
    let mut refused = false;
    let outcome = loop {
        let name = match search.next() {
            Ok(name) => name,
            Err(failure) => break Err(failure),
        };
        let asked = ask(shared, config, name, types_of(families)).await;
        refused |= matches!(asked, Asked::Refused(_));
        let attempt = match asked {
            Asked::Replies(replies) => combined(&replies),
            Asked::Refused(ResponseCode::ServFail) => Attempt::ServerFailure,
            Asked::Refused(_) | Asked::NoAnswer => Attempt::NoAnswer,
            Asked::Unreachable => Attempt::Unreachable,
            Asked::NoSocket(errno) => Attempt::Final(shortage(errno)),
            Asked::AskLibc(why) => Attempt::Final(LookupFailure::AskLibc(why)),
        };
        if let Some(outcome) = search.note(attempt) {
            break outcome;
        }
    };
    match outcome {
        // The C library's codes for it differ by its version, and between its own ways of asking.
        Err(LookupFailure::TryAgain) if refused && families != Families::Both => Err(
            LookupFailure::AskLibc("a server refused the one family asked for"),
        ),
        outcome => outcome,
    }
}

async fn names(
    shared: &Arc<SharedState>,
    config: &Arc<Config>,
    name: String,
) -> Result<HostNames, LookupFailure> {
    let replies = match ask(shared, config, name, &[RecordType::PTR]).await {
        Asked::Replies(replies) => replies,
        Asked::Refused(_) | Asked::NoAnswer | Asked::Unreachable => {
            return Err(LookupFailure::TryAgain);
        }
        Asked::NoSocket(errno) => return Err(shortage(errno)),
        Asked::AskLibc(why) => return Err(LookupFailure::AskLibc(why)),
    };
    match replies.iter().flatten().next().map(|reply| &reply.found) {
        Some(Found::Host(canonical)) => Ok(HostNames {
            canonical: canonical.clone(),
            aliases: Vec::new(),
        }),
        Some(Found::NoName) => Err(LookupFailure::NotFound),
        Some(Found::NoData) => Err(LookupFailure::NoData),
        _ => Err(LookupFailure::AskLibc("an address without a PTR record")),
    }
}

fn shortage(errno: i32) -> LookupFailure {
    LookupFailure::Eai(EaiError {
        code: libc::EAI_SYSTEM,
        errno: Some(errno),
    })
}

fn reverse_name(address: IpAddr) -> Result<String, LookupFailure> {
    let mut name = String::new();
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            let _ = write!(name, "{d}.{c}.{b}.{a}.in-addr.arpa");
        }
        // glibc takes these for IPv4 addresses, and changes the family of the answer.
        IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() || v6 == Ipv6Addr::LOCALHOST => {
            return Err(LookupFailure::AskLibc("an IPv4 address in IPv6's form"));
        }
        IpAddr::V6(v6) => {
            for byte in v6.octets().iter().rev() {
                let _ = write!(name, "{:x}.{:x}.", byte & 0xf, byte >> 4);
            }
            name.push_str("ip6.arpa");
        }
    }
    Ok(name)
}

/// What the replies for one name, in the order of [`types_of`], come to.
fn combined(replies: &[Option<Arc<Reply>>]) -> Attempt {
    let mut host: Option<HostAddresses> = None;
    let mut only_others = false;
    let mut no_name = false;
    for reply in replies.iter().flatten() {
        match &reply.found {
            Found::Addresses(addresses) => match &mut host {
                None => host = Some(named(reply, addresses)),
                // glibc takes the name from whichever reply came first.
                Some(host) if reply.canonical() != host.canonical => {
                    return Attempt::Final(LookupFailure::AskLibc(
                        "addresses of two families under two names",
                    ));
                }
                // Where the rules of RFC 6724 see no difference, the C library's order is that of arrival.
                Some(_) if addresses.iter().any(is_mapped) => {
                    return Attempt::Final(LookupFailure::AskLibc(
                        "an IPv4 address in IPv6's form beside IPv4 addresses",
                    ));
                }
                Some(host) => host.addresses.extend_from_slice(addresses),
            },
            Found::NoName => no_name = true,
            Found::NoData => {}
            Found::OnlyOthers | Found::Host(_) => only_others = true,
        }
    }
    match host {
        Some(host) => Attempt::Found(host),
        // The C library's codes for it differ by its version, and between its own ways of asking.
        None if only_others => Attempt::Final(LookupFailure::AskLibc(
            "an alias without an address of the families asked for",
        )),
        None if no_name => Attempt::NoName,
        None => Attempt::NoData,
    }
}

fn is_mapped(address: &IpAddr) -> bool {
    matches!(address, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some())
}

fn named(reply: &Reply, addresses: &[IpAddr]) -> HostAddresses {
    let mut aliases = Vec::new();
    if let Some((_, others)) = reply.chain.split_last() {
        aliases.push(reply.asked.clone());
        aliases.extend_from_slice(others);
    }
    HostAddresses {
        canonical: reply.canonical().to_vec(),
        aliases,
        addresses: addresses.to_vec(),
    }
}

/// Asks for all types of a name at once: the cache, or the servers.
///
/// A thread that blocks in the look-up asks for itself, on its own driver: what it has under way nobody else could go on with, should
/// it be called away (by a signal's handler, a deadline). All others ask together who ask the same.
async fn ask(
    shared: &Arc<SharedState>,
    config: &Arc<Config>,
    name: String,
    types: &'static [RecordType],
) -> Asked {
    let name: Arc<str> = name.into();
    if let Some(replies) = shared.cached(config.generation, &name, types) {
        return Asked::Replies(replies);
    }
    // Only the search list can have made it one that glibc would not ask for in these words.
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let parsed = match Name::from_ascii(&*name) {
        Ok(mut parsed) if name.len() <= 253 && name.bytes().all(plain) && !name.is_empty() => {
            parsed.set_fqdn(true);
            parsed
        }
        _ => return Asked::AskLibc("an unusual name from the search list"),
    };
    if reactor::is_polling() {
        shared.adopt(config.generation);
        let asked = name_servers::ask(&config.resolv, parsed, types, &shared.runtime).await;
        shared.note(config.generation, &name, types, &asked);
        return asked;
    }
    shared.flight(config, name, parsed, types).await
}

impl SharedState {
    /// The replies for all types, if all of them still hold.
    fn cached(
        &self,
        generation: u64,
        name: &Arc<str>,
        types: &[RecordType],
    ) -> Option<Vec<Option<Arc<Reply>>>> {
        if self.cache_entries == 0 {
            return None;
        }
        let now = Instant::now();
        let mut state = self.state.lock();
        if state.generation != generation {
            return None;
        }
        let cache = state.cache.as_mut()?;
        types
            .iter()
            .map(|record_type| cache.get(&(name.clone(), *record_type), now).map(Some))
            .collect()
    }

    /// Keeps the replies.
    fn note(&self, generation: u64, name: &Arc<str>, types: &[RecordType], asked: &Asked) {
        if let Asked::Replies(replies) = asked {
            self.store(generation, name, types, replies);
        }
    }

    /// From now on the cache is for answers under this configuration.
    fn adopt(&self, generation: u64) {
        let outdated = self.state.lock().adopt(generation);
        drop(outdated);
    }

    fn store(
        &self,
        generation: u64,
        name: &Arc<str>,
        types: &[RecordType],
        replies: &[Option<Arc<Reply>>],
    ) {
        if self.cache_entries == 0 {
            return;
        }
        let now = Instant::now();
        let mut state = self.state.lock();
        if state.generation != generation {
            return;
        }
        let cache = state
            .cache
            .get_or_insert_with(|| Cache::new(self.cache_entries));
        for (record_type, reply) in types.iter().zip(replies) {
            if let Some(reply) = reply {
                cache.put((name.clone(), *record_type), reply.clone(), now);
            }
        }
    }

    /// The query under way for this question, or a new one.
    fn flight(
        self: &Arc<Self>,
        config: &Arc<Config>,
        name: Arc<str>,
        parsed: Name,
        types: &'static [RecordType],
    ) -> Shared<BoxFuture<'static, Asked>> {
        let key: FlightKey = (config.generation, name.clone(), types);
        let mut state = self.state.lock();
        let outdated = state.adopt(config.generation);
        let under_way = state
            .flights
            .get(&key)
            .and_then(|(_, flight)| flight.upgrade());
        let flight = under_way.unwrap_or_else(|| {
            let number = state.next_flight;
            state.next_flight += 1;
            let landing = Landing {
                shared: self.clone(),
                key: key.clone(),
                number,
            };
            let resolv = config.resolv.clone();
            let flight = async move {
                let Landing { shared, key, .. } = &landing;
                let (generation, name, types) = key;
                let asking = name_servers::ask(&resolv, parsed, types, &shared.runtime);
                // Whoever polls it may be the first to leave.
                let asked = match shared.runtime.run(asking).await {
                    Ok(asked) => asked,
                    Err(_) => Asked::AskLibc("no runtime"),
                };
                shared.note(*generation, name, types, &asked);
                asked
            };
            let flight = flight.boxed().shared();
            if let Some(weak) = flight.downgrade() {
                state.flights.insert(key, (number, weak));
            }
            flight
        });
        drop(state);
        drop(outdated);
        flight
    }
}

/// Takes a query off the list when it is over or nobody waits for it any more.
struct Landing {
    shared: Arc<SharedState>,
    key: FlightKey,
    number: u64,
}

impl Drop for Landing {
    fn drop(&mut self) {
        let mut state = self.shared.state.lock();
        let mine = |(number, _): &(u64, _)| *number == self.number;
        let gone = match state.flights.get(&self.key) {
            Some(entry) if mine(entry) => state.flights.remove(&self.key),
            _ => None,
        };
        drop(state);
        drop(gone);
    }
}

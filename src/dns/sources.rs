//! Where names come from: the machine's hosts file and name servers, in its own order, or the application's resolver.

use std::{ffi::CStr, future::Future, net::IpAddr, sync::Arc};

use super::{
    EaiError,
    answers::{Wanted, mapped},
    client::Client,
    config::{Config, HostSource, HostSources},
    hosts,
    lookup::{Families, HostAddresses, HostNames, LookupFailure},
    own::Own,
    route::Reading,
    runtime::Runtime,
};

pub(super) enum Sources {
    System(Client),
    Own {
        lookup: Own,
        /// For timers, and for look-ups that no thread waits for.
        runtime: Runtime,
    },
}

/// Why a host was not found, by one source.
type Found = Result<HostAddresses, LookupFailure>;

impl Sources {
    pub(super) fn is_own(&self) -> bool {
        matches!(self, Self::Own { .. })
    }

    /// What turns timers and sockets for these sources.
    pub(super) fn runtime(&self) -> &Runtime {
        match self {
            Self::System(client) => client.runtime(),
            Self::Own { runtime, .. } => runtime,
        }
    }

    /// The addresses of a host for getaddrinfo(3).
    pub(super) async fn addresses(
        &self,
        config: &mut Reading,
        host: &CStr,
        wanted: Wanted,
    ) -> Found {
        let name = text(host)?;
        match self {
            Self::Own { lookup, .. } => {
                wanted_from(wanted, |families| lookup.addresses(name, families)).await
            }
            Self::System(client) => {
                let config = config.get();
                let mut outcome = Err(LookupFailure::NotFound);
                for source in sources(config) {
                    outcome = wanted_from(wanted, |families| async move {
                        match source {
                            HostSource::Files => {
                                hosts::by_name(name.as_bytes(), families, config.multi)
                            }
                            HostSource::Dns => asked(client, config, name, families).await,
                        }
                    })
                    .await;
                    if settled(&outcome) {
                        break;
                    }
                }
                outcome
            }
        }
    }

    /// The entry of a host for gethostbyname2(3).
    pub(super) async fn entry(
        &self,
        config: &mut Reading,
        host: &CStr,
        families: Families,
    ) -> Found {
        let name = text(host)?;
        match self {
            Self::Own { lookup, .. } => lookup.addresses(name, families).await,
            Self::System(client) => {
                let config = config.get();
                let mut outcome = Err(LookupFailure::NotFound);
                for source in sources(config) {
                    outcome = match source {
                        HostSource::Files => {
                            hosts::by_name(name.as_bytes(), families, config.multi)
                        }
                        HostSource::Dns => asked(client, config, name, families).await,
                    };
                    if settled(&outcome) {
                        break;
                    }
                }
                outcome
            }
        }
    }

    /// The names of an address.
    pub(super) async fn names(
        &self,
        config: &mut Reading,
        address: IpAddr,
    ) -> Result<HostNames, LookupFailure> {
        match self {
            Self::Own { lookup, .. } => lookup.names(address).await,
            Self::System(client) => {
                let config = config.get();
                let mut outcome = Err(LookupFailure::NotFound);
                for source in sources(config) {
                    outcome = match source {
                        HostSource::Files => hosts::by_address(address),
                        HostSource::Dns => client.names(config, address).await,
                    };
                    if matches!(outcome, Ok(_) | Err(LookupFailure::AskLibc(_))) {
                        break;
                    }
                }
                outcome
            }
        }
    }
}

/// What the name servers say, or have said.
async fn asked(client: &Client, config: &Arc<Config>, name: &str, families: Families) -> Found {
    match client.cached_addresses(config, name, families) {
        Some(outcome) => outcome,
        None => client.addresses(config, name, families).await,
    }
}

/// A source's answer ends the search, as nsswitch.conf(5) has it without actions in brackets.
fn settled(outcome: &Found) -> bool {
    matches!(
        outcome,
        Ok(_) | Err(LookupFailure::AskLibc(_) | LookupFailure::Eai(_))
    )
}

/// Where IPv6 addresses make IPv4 ones unnecessary, the C library drops those that a source had in IPv6's form as well; if no
/// other is left, there is no such name.
fn without_mapped(mut found: HostAddresses) -> Found {
    let mapped =
        |address: &IpAddr| matches!(address, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some());
    found.addresses.retain(|address| !mapped(address));
    if found.addresses.is_empty() {
        return Err(LookupFailure::Eai(EaiError::new(libc::EAI_NONAME)));
    }
    Ok(found)
}

fn sources(config: &Config) -> &[HostSource] {
    match &config.hosts {
        HostSources::Plain(sources) => sources,
        // Changed since the route was chosen.
        HostSources::Unusual(_) => &[],
    }
}

/// Names are ASCII from here on: the router lets no other pass, and international names come encoded.
fn text(host: &CStr) -> Result<&str, LookupFailure> {
    host.to_str().map_err(|_| LookupFailure::NotFound)
}

/// One source's answer, with IPv4 addresses mapped where that is wanted.
async fn wanted_from<F: Future<Output = Found>>(
    wanted: Wanted,
    mut ask: impl FnMut(Families) -> F,
) -> Found {
    let all = match wanted {
        Wanted::Families(families) => return ask(families).await,
        Wanted::Mapped { all } => all,
    };
    let v6 = ask(Families::V6).await;
    let v6 = match v6 {
        Ok(found) if !all => return without_mapped(found),
        Err(LookupFailure::AskLibc(_)) => return v6,
        v6 => v6,
    };
    let v4 = ask(Families::V4).await.map(|mut found| {
        for address in &mut found.addresses {
            *address = mapped(*address);
        }
        found
    });
    match (v6, v4) {
        (Ok(mut v6), Ok(v4)) => {
            v6.addresses.extend(v4.addresses);
            Ok(v6)
        }
        (_, Err(LookupFailure::AskLibc(reason))) => Err(LookupFailure::AskLibc(reason)),
        (Ok(v6), Err(_)) => Ok(v6),
        (Err(_), Ok(v4)) => Ok(v4),
        (Err(one), Err(other)) if one == other => Err(one),
        (Err(_), Err(_)) => Err(LookupFailure::AskLibc(
            "the two families failed in different ways",
        )),
    }
}

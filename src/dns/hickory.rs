//! A hickory resolver, with whatever transports and servers the application gave it, as a source of names.

use std::{fmt, net::IpAddr};

use hickory_resolver::{
    ConnectionProvider, Resolver,
    net::{DnsError, NetError},
    proto::{
        op::ResponseCode,
        rr::{Name, RData, RecordType},
    },
};
use tokio::runtime::Handle;

use super::{
    lookup::{BoxFuture, Families, HostAddresses, HostLookup, HostNames, LookupFailure},
    within::Within,
};

/// A hickory resolver as a [`HostLookup`]: DNS over TLS or HTTPS, say, by servers of the application's choice.
///
/// Search lists, hosts files and the cache are the resolver's own.
pub struct Hickory<P: ConnectionProvider> {
    resolver: Resolver<P>,
    within: Within,
}

impl<P: ConnectionProvider> fmt::Debug for Hickory<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hickory")
            .field("runtime", &self.within)
            .finish_non_exhaustive()
    }
}

impl<P: ConnectionProvider> Hickory<P> {
    /// `handle` is the runtime that turns the resolver's sockets and timers; some thread of it has to be free while Python
    /// waits for a name. A forked child has no such thread: there every name is `TryAgain`.
    #[must_use]
    pub fn new(resolver: Resolver<P>, handle: Handle) -> Self {
        Self {
            resolver,
            within: Within::new(handle),
        }
    }

    async fn ask(&self, host: &str, families: Families) -> Result<HostAddresses, LookupFailure> {
        let name = Name::from_ascii(host).map_err(|_| LookupFailure::NotFound)?;
        let one = async |wanted: bool, kind| match wanted {
            true => self.resolver.lookup(name.clone(), kind).await.map(Some),
            false => Ok(None),
        };
        let both = futures_util::future::join(
            one(families.v4(), RecordType::A),
            one(families.v6(), RecordType::AAAA),
        );
        let (v4, v6) = self.within.run(Box::pin(both)).await?;
        let mut found = HostAddresses::default();
        let mut failure = None;
        for answer in [v4, v6] {
            let records = match &answer {
                Ok(Some(lookup)) => lookup.answers(),
                Ok(None) => &[],
                Err(error) => {
                    failure = Some(failure_of(error));
                    &[]
                }
            };
            for record in records {
                let address: IpAddr = match &record.data {
                    RData::A(v4) => v4.0.into(),
                    RData::AAAA(v6) => v6.0.into(),
                    RData::CNAME(_) => {
                        let alias = text(&record.name);
                        if !found.aliases.contains(&alias) {
                            found.aliases.push(alias);
                        }
                        continue;
                    }
                    _ => continue,
                };
                found.canonical = text(&record.name);
                found.addresses.push(address);
            }
        }
        match failure {
            _ if !found.addresses.is_empty() => Ok(found),
            Some(failure) => Err(failure),
            None => Err(LookupFailure::NoData),
        }
    }

    async fn ask_name(&self, address: IpAddr) -> Result<HostNames, LookupFailure> {
        let answer = self
            .within
            .run(Box::pin(self.resolver.reverse_lookup(Name::from(address))))
            .await?;
        let lookup = answer.map_err(|error| failure_of(&error))?;
        let mut names = lookup
            .answers()
            .iter()
            .filter_map(|record| match &record.data {
                RData::PTR(name) => Some(text(name)),
                _ => None,
            });
        let canonical = names.next().ok_or(LookupFailure::NoData)?;
        Ok(HostNames {
            canonical,
            aliases: names.collect(),
        })
    }
}

impl<P: ConnectionProvider> HostLookup for Hickory<P> {
    fn addresses<'a>(
        &'a self,
        host: &'a str,
        families: Families,
    ) -> BoxFuture<'a, Result<HostAddresses, LookupFailure>> {
        Box::pin(self.ask(host, families))
    }

    fn names(&self, address: IpAddr) -> BoxFuture<'_, Result<HostNames, LookupFailure>> {
        Box::pin(self.ask_name(address))
    }
}

fn text(name: &Name) -> Vec<u8> {
    let mut relative = name.clone();
    relative.set_fqdn(false);
    relative.to_ascii().into_bytes()
}

fn failure_of(error: &NetError) -> LookupFailure {
    let code = match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => none.response_code,
        NetError::Dns(DnsError::ResponseCode(code)) => *code,
        _ => return LookupFailure::TryAgain,
    };
    match code {
        ResponseCode::NXDomain => LookupFailure::NotFound,
        ResponseCode::NoError => LookupFailure::NoData,
        _ => LookupFailure::TryAgain,
    }
}

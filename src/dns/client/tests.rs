mod caching;
mod driving;
mod forks;
mod searching;
mod server;
mod serving;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use super::*;
use crate::{
    dns::config::{HostSource, HostSources, ResolvConf},
    reactor::block_on,
};

fn resolv(servers: &[SocketAddr], search: &[&str], ndots: u32) -> ResolvConf {
    ResolvConf {
        servers: servers.to_vec(),
        search: search.iter().map(|domain| (*domain).to_owned()).collect(),
        ndots,
        timeout: Duration::from_secs(5),
        attempts: 2,
        edns0: false,
        unusual: None,
    }
}

fn reading(resolv: ResolvConf, generation: u64) -> Arc<Config> {
    Arc::new(Config {
        generation,
        hosts: HostSources::Plain(vec![HostSource::Files, HostSource::Dns]),
        services_are_local: true,
        multi: true,
        resolv: Arc::new(resolv),
        host_conf_unusual: None,
        environment_unusual: None,
    })
}

fn config(servers: &[SocketAddr]) -> Arc<Config> {
    reading(resolv(servers, &[], 1), 1)
}

fn client(cache_entries: usize) -> Client {
    Client::new(Runtime::own(), cache_entries)
}

type Answer = Result<HostAddresses, LookupFailure>;

fn look_up(client: &Client, config: &Arc<Config>, name: &str, families: Families) -> Answer {
    block_on(client.addresses(config, name, families), None).unwrap()
}

/// Polled by a thread that does not block in it, as far as the reactor knows.
fn elsewhere<F: std::future::Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(future)
}

/// Without a cache.
fn ask_once(config: &Arc<Config>, name: &str, families: Families) -> Answer {
    look_up(&client(0), config, name, families)
}

fn host(canonical: &str, aliases: &[&str], addresses: &[&str]) -> HostAddresses {
    HostAddresses {
        canonical: canonical.into(),
        aliases: aliases
            .iter()
            .map(|alias| alias.as_bytes().to_vec())
            .collect(),
        addresses: addresses.iter().map(|it| it.parse().unwrap()).collect(),
    }
}

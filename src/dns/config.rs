//! What the machine's files and the environment say about names: one consistent reading of all of them.

use std::{net::SocketAddr, sync::Arc, time::Duration};

/// One reading. Compared by [`Config::generation`].
#[derive(Clone, Debug)]
pub(super) struct Config {
    /// Changes whenever anything that may change an answer has changed since the reading before.
    pub(super) generation: u64,
    pub(super) hosts: HostSources,
    /// `services:` in nsswitch.conf names nothing but local files (`files`, `db`).
    pub(super) services_are_local: bool,
    pub(super) multi: bool,
    pub(super) resolv: Arc<ResolvConf>,
    /// host.conf says something that is not known to leave answers as they are (the reason to ask the C library).
    pub(super) host_conf_unusual: Option<&'static str>,
    /// A reason in the environment or in running daemons (HOSTALIASES, nscd's socket) to ask the C library.
    pub(super) environment_unusual: Option<&'static str>,
}

/// `hosts:` in nsswitch.conf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HostSources {
    /// In this order, with the default actions.
    Plain(Vec<HostSource>),
    /// Other sources, or actions in brackets: why, for `explain`.
    Unusual(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HostSource {
    Files,
    Dns,
}

/// resolv.conf(5) with `LOCALDOMAIN` and `RES_OPTIONS` applied, and the C library's defaults where it is silent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ResolvConf {
    /// At most MAXNS (3).
    pub(super) servers: Vec<SocketAddr>,
    /// Domains to append, as written; "." means the root.
    pub(super) search: Vec<String>,
    pub(super) ndots: u32,
    pub(super) timeout: Duration,
    pub(super) attempts: u32,
    pub(super) edns0: bool,
    /// Set options under which the C library is asked instead, such as `rotate`.
    pub(super) unusual: Option<String>,
}
pub(super) fn current() -> Arc<Config> {
    todo!()
}

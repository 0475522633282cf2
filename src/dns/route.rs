//! Which way a question goes, and why: the one place where that is decided.
//!
//! The measure is the C library's answer. A question goes to the hosts file and the name servers by ourselves only if
//! everything about it (its flags, the form of its name, the machine's configuration) is known to lead to the answer that
//! `getaddrinfo(3)` would give; anything else is the C library's own.

use std::{borrow::Cow, ffi::CStr, fmt, net::IpAddr, sync::Arc};

use super::{
    Hints,
    config::{self, Config, HostSource, HostSources},
    libc_calls, order,
};

/// The target of the events that say which way a look-up takes: part of the interface (docs/names.md).
pub(super) const EVENTS: &str = "rustpython_reactor::dns::route";

/// The machine's configuration as it was when somebody first asked for it: one reading a question.
#[derive(Default)]
pub(super) struct Reading(Option<Arc<Config>>);

impl Reading {
    pub(super) fn get(&mut self) -> &Arc<Config> {
        self.0.get_or_insert_with(config::current)
    }
}

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// The C library, on the calling thread: nothing has to be looked up.
    Numeric,
    /// The embedder's own resolver.
    Own,
    /// The hosts file and the name servers, without the C library.
    Names,
    /// The C library, on a thread of its own.
    Libc,
}

impl Path {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Numeric => "numeric",
            Self::Own => "own",
            Self::Names => "names",
            Self::Libc => "libc",
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The way of one question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    pub path: Path,
    /// For people.
    pub reason: Cow<'static, str>,
}

impl Route {
    fn new(path: Path, reason: impl Into<Cow<'static, str>>) -> Self {
        Self {
            path,
            reason: reason.into(),
        }
    }
}

/// Flags whose meaning is known here.
const KNOWN_FLAGS: i32 = libc::AI_PASSIVE
    | libc::AI_CANONNAME
    | libc::AI_NUMERICHOST
    | libc::AI_NUMERICSERV
    | libc::AI_ADDRCONFIG
    | libc::AI_V4MAPPED
    | libc::AI_ALL;

/// The way of a look-up by name.
///
/// The configuration is read only where it matters; `own` says that the embedder has a resolver of its own.
pub(super) fn by_name(
    host: Option<&CStr>,
    service: Option<&CStr>,
    hints: Hints,
    own: bool,
    config: &mut Reading,
) -> Route {
    let named_service = service.is_some_and(|service| !is_number(service.to_bytes()));
    let name = match host {
        None => Err("there is no host to look up"),
        Some(_) if hints.flags & libc::AI_NUMERICHOST != 0 => {
            Err("AI_NUMERICHOST forbids a look-up")
        }
        Some(host) if libc_calls::is_numeric(host) => Err("the host is a numeric address"),
        Some(host) => Ok(host.to_bytes()),
    };
    let services_elsewhere = "nsswitch.conf has services looked up beyond local files";
    let name = match name {
        Err(reason) if named_service && !config.get().services_are_local => {
            return Route::new(Path::Libc, format!("{reason}, but {services_elsewhere}"));
        }
        Err(reason) => return Route::new(Path::Numeric, reason),
        Ok(name) => name,
    };
    if own {
        return Route::new(Path::Own, "the application brought a resolver of its own");
    }
    if hints.flags & !KNOWN_FLAGS != 0 {
        return Route::new(
            Path::Libc,
            "AI_* flags that are the C library's (AI_IDN and the like)",
        );
    }
    if ![libc::AF_UNSPEC, libc::AF_INET, libc::AF_INET6].contains(&hints.family) {
        return Route::new(Path::Libc, "neither IPv4 nor IPv6 is asked for");
    }
    if let Err(reason) = plain_name(name) {
        return Route::new(Path::Libc, reason);
    }
    let config = config.get();
    if named_service && !config.services_are_local {
        return Route::new(Path::Libc, services_elsewhere);
    }
    if let Some(reason) = order::unusual() {
        return Route::new(Path::Libc, format!("gai.conf: {reason}"));
    }
    by_configuration(config)
}

/// The way of a look-up by address.
pub(super) fn by_address(address: IpAddr, own: bool, config: &mut Reading) -> Route {
    let route = address_route(address, own, config);
    tracing::debug!(target: EVENTS, %address, path = %route.path, reason = %route.reason, "look-up by address");
    route
}

fn address_route(address: IpAddr, own: bool, config: &mut Reading) -> Route {
    if own {
        return Route::new(Path::Own, "the application brought a resolver of its own");
    }
    if let IpAddr::V6(v6) = address
        && v6.segments()[..5] == [0; 5]
    {
        return Route::new(
            Path::Libc,
            "an IPv6 address that stands for an IPv4 address, or for none",
        );
    }
    by_configuration(config.get())
}

fn by_configuration(config: &Config) -> Route {
    let sources = match &config.hosts {
        HostSources::Plain(sources) => sources,
        HostSources::Unusual(text) => {
            return Route::new(Path::Libc, format!("nsswitch.conf: hosts: {text}"));
        }
    };
    if let Some(reason) = config.environment_unusual {
        return Route::new(Path::Libc, reason);
    }
    if let Some(reason) = config.host_conf_unusual {
        return Route::new(Path::Libc, format!("host.conf: {reason}"));
    }
    if sources.contains(&HostSource::Dns)
        && let Some(options) = &config.resolv.unusual
    {
        return Route::new(Path::Libc, format!("resolv.conf: {options}"));
    }
    let text = match sources.as_slice() {
        [HostSource::Files, HostSource::Dns] => "the hosts file, then the name servers",
        [HostSource::Files] => "the hosts file",
        [HostSource::Dns] => "the name servers",
        // Which of several failures counts is the C library's to say.
        _ => return Route::new(Path::Libc, "nsswitch.conf: an uncommon order of sources"),
    };
    Route::new(Path::Names, text)
}

/// As `strtoul` reads it to the end, which is what makes a service a port.
fn is_number(service: &[u8]) -> bool {
    !service.is_empty() && service.iter().all(u8::is_ascii_digit)
}

/// Whether this is a host name of RFC 1123, with underscores: what resolvers, servers and the C library treat alike. The reason,
/// if not.
fn plain_name(name: &[u8]) -> Result<(), &'static str> {
    /// RFC 1035, without the dot at the end.
    const LONGEST: usize = 253;
    let relative = name.strip_suffix(b".").unwrap_or(name);
    if relative.is_empty() {
        return Err("the name is empty");
    }
    if relative.len() > LONGEST {
        return Err("the name is too long for the DNS");
    }
    for label in relative.split(|byte| *byte == b'.') {
        match label {
            [] => return Err("the name has an empty label"),
            [b'-', ..] | [.., b'-'] => return Err("a label begins or ends with a hyphen"),
            _ if label.len() > 63 => return Err("a label is longer than 63 bytes"),
            _ if !label.is_ascii() => return Err("the name is not ASCII"),
            _ => {}
        }
        if !label
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        {
            return Err("the name has characters that host names do not have");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;

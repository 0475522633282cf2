//! From addresses to a list as `getaddrinfo(3)` gives it: kinds of sockets, ports, families, order.

use std::{
    ffi::CStr,
    net::{IpAddr, SocketAddr},
};

use socket2::SockAddr;

use super::{
    AddrInfo, EaiError, Hints, fork_gate,
    interfaces::{self, Interfaces},
    libc_calls,
    lookup::{Families, HostAddresses, LookupFailure},
    order,
};

/// A socket that the hints and the service allow: an address of any host can be combined with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) socktype: i32,
    pub(super) protocol: i32,
    pub(super) port: u16,
}

/// The kinds of sockets for a service, in the C library's order, and its errors for wrong hints: it is asked for a numeric
/// address, which nobody looks up. The service may be read from `/etc/services`.
pub(super) fn kinds(service: Option<&CStr>, hints: Hints) -> Result<Vec<Kind>, EaiError> {
    let _inside = fork_gate::enter();
    let (host, family) = match hints.family {
        libc::AF_INET6 => (c"::", libc::AF_INET6),
        libc::AF_UNSPEC => (c"0.0.0.0", libc::AF_INET),
        // Another than AF_INET is an error, which is the C library's to report.
        family => (c"0.0.0.0", family),
    };
    // These speak of addresses and names.
    let others = libc::AI_CANONNAME | libc::AI_ADDRCONFIG | libc::AI_V4MAPPED | libc::AI_ALL;
    let flags = hints.flags & !others | libc::AI_NUMERICHOST;
    let numeric = Hints {
        flags,
        family,
        ..hints
    };
    let answers = libc_calls::getaddrinfo(Some(host), service, numeric)?;
    Ok(answers
        .into_iter()
        .map(|info| Kind {
            socktype: info.socktype,
            protocol: info.protocol,
            port: info.address.as_socket().map_or(0, |address| address.port()),
        })
        .collect())
}

/// What is to be looked up for a family of the hints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Families(Families),
    /// IPv6, or IPv4 addresses in IPv6's clothes (`AI_V4MAPPED`): where there is no IPv6 address, or always.
    Mapped {
        all: bool,
    },
}

impl Wanted {
    /// `interfaces` are needed under `AI_ADDRCONFIG`.
    ///
    /// # Errors
    ///
    /// `EAI_NONAME` where `AI_ADDRCONFIG` rules the family out.
    pub(super) fn new(hints: Hints, interfaces: Option<&Interfaces>) -> Result<Self, EaiError> {
        let family = match interfaces {
            Some(interfaces) => interfaces::narrow(hints.family, interfaces)?,
            None => hints.family,
        };
        Ok(match family {
            libc::AF_INET => Self::Families(Families::V4),
            // Even where it is AI_ADDRCONFIG that chose the family.
            libc::AF_INET6 if hints.flags & libc::AI_V4MAPPED != 0 => Self::Mapped {
                all: hints.flags & libc::AI_ALL != 0,
            },
            libc::AF_INET6 => Self::Families(Families::V6),
            _ => Self::Families(Families::Both),
        })
    }
}

pub(super) fn mapped(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().into(),
        v6 => v6,
    }
}

/// The list for a host that was found.
///
/// # Errors
///
/// `AskLibc` where the order is not known; an application's own resolver (`own`) then has its order kept, as the C library
/// must not be asked for its names.
pub(super) fn list(
    found: HostAddresses,
    kinds: &[Kind],
    flags: i32,
    interfaces: Option<&Interfaces>,
    own: bool,
) -> Result<Vec<AddrInfo>, LookupFailure> {
    let mut entries = Vec::with_capacity(found.addresses.len() * kinds.len());
    for address in found.addresses {
        for kind in kinds {
            entries.push((SocketAddr::new(address, kind.port), kind));
        }
    }
    // Address by address is not enough: see there.
    let sorted = order::sort(&mut entries, |(address, _)| *address, interfaces);
    if !own {
        sorted?;
    }
    let mut canonical = (flags & libc::AI_CANONNAME != 0).then_some(found.canonical);
    let answer = |(address, kind): (SocketAddr, &Kind)| AddrInfo {
        family: match address {
            SocketAddr::V4(_) => libc::AF_INET,
            SocketAddr::V6(_) => libc::AF_INET6,
        },
        socktype: kind.socktype,
        protocol: kind.protocol,
        canonical_name: canonical.take(),
        address: SockAddr::from(address),
    };
    Ok(entries.into_iter().map(answer).collect())
}

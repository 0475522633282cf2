//! From addresses to names: `getnameinfo(3)` and `gethostbyaddr(3)`.

use std::net::IpAddr;

use socket2::SockAddr;

use super::{
    EaiError, HostEntry, HostError, NameInfo, detached, fork_gate, libc_calls,
    lookup::LookupFailure,
    resolver::{eai, host_error},
    route::{self, Path, Reading},
    sources::Sources,
};

pub(super) async fn gethostbyaddr(
    sources: &Sources,
    address: IpAddr,
) -> Result<HostEntry, HostError> {
    let mut config = Reading::default();
    let route = route::by_address(address, sources.is_own(), &mut config);
    if route.path != Path::Libc {
        match sources.names(&mut config, address).await {
            Ok(found) => {
                return Ok(HostEntry {
                    name: found.canonical,
                    aliases: found.aliases,
                    family: match address {
                        IpAddr::V4(_) => libc::AF_INET,
                        IpAddr::V6(_) => libc::AF_INET6,
                    },
                    addresses: vec![address],
                });
            }
            Err(LookupFailure::AskLibc(reason)) => after_all(address, reason),
            Err(failure) => return Err(host_error(failure)),
        }
    }
    match detached(move || libc_calls::gethostbyaddr(address)).await {
        Ok(answer) => answer,
        Err(error) => Err(HostError::from_io(&error)),
    }
}

fn after_all(address: IpAddr, reason: &str) {
    tracing::debug!(target: route::EVENTS, %address, path = %Path::Libc, reason, "the C library is asked after all");
}

/// The flags whose meaning is known here. Of the others, `NI_NOFQDN` cuts off the local domain by rules of the C library's own,
/// `NI_IDN` rewrites names, and those that have no meaning are errors.
const KNOWN_FLAGS: i32 =
    libc::NI_NUMERICHOST | libc::NI_NUMERICSERV | libc::NI_NAMEREQD | libc::NI_DGRAM;

pub(super) async fn getnameinfo(
    sources: &Sources,
    address: SockAddr,
    flags: i32,
) -> Result<NameInfo, EaiError> {
    let mut config = Reading::default();
    // Reading them on this thread waits for nobody.
    let local_service = flags & libc::NI_NUMERICSERV != 0 || config.get().services_are_local;
    if flags & libc::NI_NUMERICHOST != 0 && local_service {
        let _inside = fork_gate::enter();
        return libc_calls::getnameinfo_of(&address, flags);
    }
    let own = sources.is_own();
    let unknown = flags & !KNOWN_FLAGS != 0;
    if unknown && own {
        // The application's names are not the C library's to look up; whether the flags exist is its to say.
        let _inside = fork_gate::enter();
        let numeric = flags & !libc::NI_NAMEREQD | libc::NI_NUMERICHOST;
        libc_calls::getnameinfo_of(&address, numeric)?;
    }
    if (!unknown && local_service || own)
        && let Some(ip) = address.as_socket().map(|socket| socket.ip())
    {
        let route = route::by_address(ip, own, &mut config);
        if route.path != Path::Libc {
            let host = match sources.names(&mut config, ip).await {
                Ok(found) => Some(Ok(found.canonical)),
                Err(
                    LookupFailure::NotFound | LookupFailure::NoData | LookupFailure::NoRecovery,
                ) => Some(Err(EaiError::new(libc::EAI_NONAME))),
                Err(LookupFailure::AskLibc(reason)) => {
                    after_all(ip, reason);
                    None
                }
                Err(failure) => return Err(eai(failure)),
            };
            if let Some(host) = host {
                return with_service(&address, flags, host);
            }
        }
    }
    match detached(move || libc_calls::getnameinfo_of(&address, flags)).await {
        Ok(answer) => answer,
        Err(error) => Err(EaiError::from_io(&error)),
    }
}

/// The answer for a host name; without one, the numeric form, unless `NI_NAMEREQD` rules that out.
fn with_service(
    address: &SockAddr,
    flags: i32,
    host: Result<Vec<u8>, EaiError>,
) -> Result<NameInfo, EaiError> {
    let host = match host {
        Err(error) if flags & libc::NI_NAMEREQD != 0 => return Err(error),
        other => other.ok(),
    };
    let _inside = fork_gate::enter();
    let flags = flags & !libc::NI_NAMEREQD | libc::NI_NUMERICHOST;
    let mut info = libc_calls::getnameinfo_of(address, flags)?;
    if let Some(host) = host {
        info.host = host;
    }
    Ok(info)
}

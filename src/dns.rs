//! Name resolution without Python: look-ups as futures.
//!
//! Every look-up that may wait for a name server is a future that any executor can poll and anybody can drop:
//! the caller of a dropped future is free at once, whatever the name server does. The measure of every answer is the C
//! library's on the same machine.
//!
//! * [`route`]: which way a question goes, and why.
//! * [`numeric`]: addresses in figures, which never leave the calling thread.
//! * [`config`]: resolv.conf, nsswitch.conf, host.conf and the environment, re-read when they change.
//! * [`sources`]: [`hosts`], the hosts file; [`client`], the name servers, asked through hickory; or the application's own
//!   resolver.
//! * [`runtime`]: what turns sockets and timers where no thread blocks in the look-up; [`timer`]: either way.
//! * [`fork_safe`]: look-ups that a fork cannot break.
//! * [`answers`]: kinds of sockets, `AI_*` flags; [`order`]: RFC 6724, by the machine's [`interfaces`].
//! * [`reverse`]: from addresses to names.
//! * [`libc_calls`]: the C library for everything else, which can only block, so it runs on a thread of its own
//!   ([`detached`]); [`fork_gate`] keeps forks out of it.
//!
//! Rules: `getaddrinfo(3)`, `getnameinfo(3)`, `gethostbyname(3)`, RFC 3493.

mod answers;
mod client;
mod config;
mod detached;
mod fork_gate;
mod fork_safe;
mod hickory;
mod hosts;
mod interfaces;
mod libc_calls;
mod lookup;
pub mod numeric;
mod order;
mod os_thread;
mod own;
mod resolver;
mod reverse;
mod route;
mod runtime;
mod sources;
#[cfg(test)]
mod tests;
mod timer;
mod within;

use std::{
    ffi::{CStr, CString},
    fmt, io,
    net::IpAddr,
    time::Instant,
};

use socket2::SockAddr;

pub use detached::{Detached, detached};
pub use hickory::Hickory;
pub use hickory_resolver;
pub use lookup::{BoxFuture, Families, HostAddresses, HostLookup, HostNames, LookupFailure};
pub use resolver::{CACHE_ENTRIES, Resolver, ResolverBuilder};
pub use route::{Path, Route};

/// What `getaddrinfo(3)` may be told about the answers wanted; 0 in every field means "any".
#[derive(Clone, Copy, Debug, Default)]
pub struct Hints {
    /// `AI_*` bits.
    pub flags: i32,
    /// `AF_*`.
    pub family: i32,
    /// `SOCK_*`.
    pub socktype: i32,
    /// `IPPROTO_*`.
    pub protocol: i32,
}

/// One answer of [`resolve`].
#[derive(Clone, Debug)]
pub struct AddrInfo {
    pub family: i32,
    pub socktype: i32,
    pub protocol: i32,
    /// Only under `AI_CANONNAME`, and then only in the first answer. No encoding is promised.
    pub canonical_name: Option<Vec<u8>>,
    pub address: SockAddr,
}

/// Why a look-up failed: an `EAI_*` code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EaiError {
    pub code: i32,
    /// Only with `EAI_SYSTEM`: what the operating system said.
    pub errno: Option<i32>,
}

impl EaiError {
    pub const fn new(code: i32) -> Self {
        Self { code, errno: None }
    }

    /// The failure of a call outside the resolver, such as starting its thread.
    fn from_io(error: &io::Error) -> Self {
        match error.raw_os_error() {
            Some(errno) => Self {
                code: libc::EAI_SYSTEM,
                errno: Some(errno),
            },
            None => Self::new(libc::EAI_FAIL),
        }
    }

    /// The C library's text for the code.
    pub fn text(&self) -> String {
        libc_calls::gai_strerror(self.code)
    }
}

impl fmt::Display for EaiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl std::error::Error for EaiError {}

/// Host and service of an address, as [`getnameinfo`] names them. No encoding is promised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameInfo {
    pub host: Vec<u8>,
    pub service: Vec<u8>,
}

/// A `struct hostent`: what the older look-ups say about a host. No encoding is promised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostEntry {
    pub name: Vec<u8>,
    pub aliases: Vec<Vec<u8>>,
    /// `AF_INET` or `AF_INET6`, the same for all addresses.
    pub family: i32,
    pub addresses: Vec<IpAddr>,
}

/// Why one of the older look-ups failed: an `h_errno` code (`HOST_NOT_FOUND` is 1 and so on).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostError {
    /// `NETDB_INTERNAL` (-1) for a failure outside the resolver.
    pub code: i32,
    /// Only with `NETDB_INTERNAL`: what the operating system said.
    pub errno: Option<i32>,
}

impl HostError {
    /// `NETDB_INTERNAL` of `netdb.h`: the reason is in `errno`.
    pub const INTERNAL: i32 = -1;
    pub const NOT_FOUND: i32 = 1;
    pub const TRY_AGAIN: i32 = 2;
    pub const NO_RECOVERY: i32 = 3;
    pub const NO_DATA: i32 = 4;

    fn from_io(error: &io::Error) -> Self {
        Self {
            code: Self::INTERNAL,
            errno: error.raw_os_error(),
        }
    }

    /// The C library's text for the code.
    pub fn text(&self) -> String {
        libc_calls::hstrerror(self.code)
    }
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl std::error::Error for HostError {}

/// [`Resolver::resolve`] of the process's resolver.
pub async fn resolve(
    host: Option<CString>,
    service: Option<CString>,
    hints: Hints,
    deadline: Option<Instant>,
) -> Result<Vec<AddrInfo>, EaiError> {
    Resolver::system()
        .resolve(host, service, hints, deadline)
        .await
}

/// Flags under which the answer for a numeric host is the same with and without `AI_NUMERICHOST`.
///
/// `AI_CANONNAME` and the IDN flags rewrite names and `AI_ADDRCONFIG` looks at the interfaces; what these do to a
/// numeric host differs between versions of the C library.
const PLAIN_FLAGS: i32 = libc::AI_PASSIVE
    | libc::AI_NUMERICHOST
    | libc::AI_NUMERICSERV
    | libc::AI_V4MAPPED
    | libc::AI_ALL;

/// [`resolve`] for what needs no look-up: a numeric or absent host with a numeric or absent service. Never waits for
/// the network, costs about a microsecond. `None`: not such a case, or not surely.
pub fn resolve_numeric(
    host: Option<&CStr>,
    service: Option<&CStr>,
    hints: Hints,
) -> Option<Result<Vec<AddrInfo>, EaiError>> {
    if hints.flags & !PLAIN_FLAGS != 0 {
        return None;
    }
    if let Some(service) = service {
        let digits = service.to_bytes();
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
    }
    // An absent host has two addresses, and sorting them takes locks in the C library that a fork must not meet.
    // A numeric host has one.
    let _inside = host.is_none().then(fork_gate::enter);
    let numeric = Hints {
        flags: hints.flags | libc::AI_NUMERICHOST,
        ..hints
    };
    let answer = libc_calls::getaddrinfo(host, service, numeric);
    match &answer {
        // Judged from the arguments alone, before any name would be looked up.
        Err(error)
            if ![
                numeric::EAI_ADDRFAMILY,
                libc::EAI_BADFLAGS,
                libc::EAI_FAMILY,
                libc::EAI_SERVICE,
                libc::EAI_SOCKTYPE,
            ]
            .contains(&error.code) =>
        {
            // "No such name" with AI_NUMERICHOST also means "not numeric". An absent host can be looked up no
            // further.
            (host.is_none() && error.code == libc::EAI_NONAME).then_some(answer)
        }
        _ => Some(answer),
    }
}

/// [`Resolver::getnameinfo`] of the process's resolver.
pub async fn getnameinfo(address: SockAddr, flags: i32) -> Result<NameInfo, EaiError> {
    Resolver::system().getnameinfo(address, flags).await
}

/// [`Resolver::gethostbyname`] of the process's resolver.
pub async fn gethostbyname(host: CString, family: i32) -> Result<HostEntry, HostError> {
    Resolver::system().gethostbyname(host, family).await
}

/// [`Resolver::gethostbyaddr`] of the process's resolver.
pub async fn gethostbyaddr(address: IpAddr) -> Result<HostEntry, HostError> {
    Resolver::system().gethostbyaddr(address).await
}

/// The port of a service in `/etc/services`, in host byte order; `None`: no such service. `protocol` `None`: any.
pub fn getservbyname(name: &CStr, protocol: Option<&CStr>) -> Option<u16> {
    let _inside = fork_gate::enter();
    libc_calls::getservbyname(name, protocol)
}

/// The name of the service at a port (host byte order); `None`: no such service. `protocol` `None`: any.
pub fn getservbyport(port: u16, protocol: Option<&CStr>) -> Option<Vec<u8>> {
    let _inside = fork_gate::enter();
    libc_calls::getservbyport(port, protocol)
}

/// The number of a protocol in `/etc/protocols`; `None`: no such protocol.
pub fn getprotobyname(name: &CStr) -> Option<i32> {
    let _inside = fork_gate::enter();
    libc_calls::getprotobyname(name)
}

//! From which of its addresses this machine would send to another: RFC 6724 section 5, as the kernel does it.
//!
//! A datagram socket is connected, which sends nothing, and asked for its name. One socket serves all destinations:
//! an IPv6 socket takes IPv4 destinations too, an IPv4 socket gives way to an IPv6 one when needed. The order of
//! these steps is the C library's, because the kernel's answers can depend on the kind of socket (`bindv6only`).

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use socket2::{Domain, SockAddr, SockAddrStorage, Socket, Type};

/// The source of packets to a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Source {
    /// Of the destination's family.
    pub(super) address: IpAddr,
    /// What to look for among this machine's addresses.
    pub(super) listed_as: Ipv6Addr,
}

/// Finds sources, one destination after the other.
#[derive(Default)]
pub(super) struct Prober {
    socket: Option<(Domain, Socket)>,
}

impl Prober {
    /// `None`: the destination cannot be reached, or no socket could be had.
    pub(super) fn source(&mut self, destination: SocketAddr) -> Option<Source> {
        let domain = Domain::for_address(destination);
        match &self.socket {
            Some((kind, socket)) if *kind == Domain::IPV6 || domain == Domain::IPV4 => {
                // The socket would keep the source it has now.
                disconnect(socket);
            }
            _ => {
                // First the old one is closed, which may be what gives the new one its descriptor.
                self.socket = None;
                let socket = datagram_socket(domain).ok()?;
                self.socket = Some((domain, socket));
            }
        }
        match self.connect(destination) {
            // An IPv6 socket that is for IPv6 alone.
            Err(error)
                if error.raw_os_error() == Some(libc::EAFNOSUPPORT)
                    && domain == Domain::IPV4
                    && self.kind() == Some(Domain::IPV6) =>
            {
                self.socket = None;
                let socket = datagram_socket(Domain::IPV4).ok()?;
                self.socket = Some((Domain::IPV4, socket));
                self.connect(destination).ok()?
            }
            outcome => outcome.ok()?,
        }
    }

    fn kind(&self) -> Option<Domain> {
        self.socket.as_ref().map(|(kind, _)| *kind)
    }

    fn connect(&self, destination: SocketAddr) -> io::Result<Option<Source>> {
        let Some((_, socket)) = &self.socket else {
            return Ok(None);
        };
        socket.connect(&destination.into())?;
        let name = socket.local_addr()?.as_socket();
        Ok(name.and_then(|name| source_of(destination.ip(), name.ip())))
    }
}

/// `None` for a source that is not of the destination's family.
fn source_of(destination: IpAddr, name: IpAddr) -> Option<Source> {
    match (destination, name) {
        (IpAddr::V4(_), IpAddr::V4(v4)) => {
            // The C library takes all of 127.0.0.0/8 for the interface's own address, but only on an IPv4 socket.
            let listed = if v4.is_loopback() {
                Ipv4Addr::LOCALHOST
            } else {
                v4
            };
            Some(Source {
                address: name,
                listed_as: listed.to_ipv6_mapped(),
            })
        }
        (IpAddr::V4(_), IpAddr::V6(v6)) => Some(Source {
            address: v6.to_ipv4_mapped()?.into(),
            listed_as: v6,
        }),
        (IpAddr::V6(_), IpAddr::V6(v6)) => Some(Source {
            address: name,
            listed_as: v6,
        }),
        (IpAddr::V6(_), IpAddr::V4(_)) => None,
    }
}

fn datagram_socket(domain: Domain) -> io::Result<Socket> {
    Socket::new(domain, Type::DGRAM, None)
}

/// A failure shows at the next connect, as in the C library.
fn disconnect(socket: &Socket) {
    let storage = SockAddrStorage::zeroed();
    let len = size_of::<libc::sockaddr>() as libc::socklen_t;
    // SAFETY: all zeros is an address of AF_UNSPEC, whose other bytes mean nothing, and the storage is larger than
    // `len`.
    let nowhere = unsafe { SockAddr::new(storage, len) };
    let _ = socket.connect(&nowhere);
}

//! Local addresses to connect from: the ports of one last for some 28,000 connections to one place.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    os::fd::AsRawFd,
    sync::atomic::{AtomicUsize, Ordering},
};

use socket2::{Domain, Protocol, Socket, Type};

/// As many of 127.0.0.0/8 as are tried.
const LOOPBACK_SOURCES: u8 = 64;

/// Goes on to the next when the ports of one are used up.
#[derive(Debug)]
pub struct Sources {
    /// Empty: the kernel chooses.
    addresses: Vec<IpAddr>,
    current: AtomicUsize,
}

impl Sources {
    /// Those that the user names, or those of loopback if that is where connections go.
    pub fn new(named: &[IpAddr], to: SocketAddr) -> Self {
        let addresses = match to.ip() {
            _ if !named.is_empty() => named.to_vec(),
            IpAddr::V4(ip) if ip.is_loopback() => (1..=LOOPBACK_SOURCES)
                .map(|last| Ipv4Addr::new(127, 0, 0, last).into())
                .collect(),
            _ => Vec::new(),
        };
        Self {
            addresses,
            current: AtomicUsize::new(0),
        }
    }

    /// A socket that begins to connect; `EADDRNOTAVAIL` when the ports of all are used up.
    pub fn connect(&self, to: SocketAddr) -> io::Result<Socket> {
        self.try_each(|source| connect_from(source, to))
    }

    /// A socket for datagrams to one place; `EADDRNOTAVAIL` when the ports of all are used up.
    pub fn connect_datagrams(&self, to: SocketAddr) -> io::Result<Socket> {
        self.try_each(|source| connect_datagrams_from(source, to))
    }

    fn try_each(
        &self,
        connect: impl Fn(Option<IpAddr>) -> io::Result<Socket>,
    ) -> io::Result<Socket> {
        let mut tries = self.addresses.len();
        loop {
            let current = self.current.load(Ordering::Relaxed);
            let source = self.addresses.get(current % self.addresses.len().max(1));
            match connect(source.copied()) {
                Err(error) if error.raw_os_error() == Some(libc::EADDRNOTAVAIL) && tries > 1 => {
                    tries -= 1;
                    // Whoever comes first goes on for all.
                    let _ = self.current.compare_exchange(
                        current,
                        current.wrapping_add(1),
                        Ordering::Relaxed,
                        Ordering::Relaxed,
                    );
                }
                result => return result,
            }
        }
    }
}

fn connect_from(source: Option<IpAddr>, to: SocketAddr) -> io::Result<Socket> {
    let kind = Type::STREAM.nonblocking();
    let socket = Socket::new(Domain::for_address(to), kind, Some(Protocol::TCP))?;
    // The answer to a small message does not wait for the next one.
    socket.set_tcp_nodelay(true)?;
    if let Some(source) = source {
        choose_port_in_connect(&socket)?;
        socket.bind(&SocketAddr::new(source, 0).into())?;
    }
    match socket.connect(&to.into()) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => Err(error),
        _ => Ok(socket),
    }
}

fn connect_datagrams_from(source: Option<IpAddr>, to: SocketAddr) -> io::Result<Socket> {
    let kind = Type::DGRAM.nonblocking();
    let socket = Socket::new(Domain::for_address(to), kind, Some(Protocol::UDP))?;
    if let Some(source) = source {
        let bound = socket.bind(&SocketAddr::new(source, 0).into());
        bound.map_err(|error| no_ports(error, libc::EADDRINUSE))?;
    }
    let connected = socket.connect(&to.into());
    connected.map_err(|error| no_ports(error, libc::EAGAIN))?;
    Ok(socket)
}

/// The kernel has several names for it.
fn no_ports(error: io::Error, name: libc::c_int) -> io::Error {
    if error.raw_os_error() == Some(name) {
        io::Error::from_raw_os_error(libc::EADDRNOTAVAIL)
    } else {
        error
    }
}

/// Else `bind` chooses it, and takes one that nobody has to any place: ip(7), `IP_BIND_ADDRESS_NO_PORT`.
fn choose_port_in_connect(socket: &Socket) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the option reads one int, which is valid for the call.
    let done = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_IP,
            libc::IP_BIND_ADDRESS_NO_PORT,
            (&raw const on).cast(),
            size_of_val(&on) as libc::socklen_t,
        )
    };
    if done < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

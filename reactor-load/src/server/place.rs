//! Where the server is to listen, and whether it does.

use std::{
    collections::hash_map::RandomState,
    env, fs,
    hash::BuildHasher,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    ops::Range,
    os::unix::fs::{DirBuilderExt, FileTypeExt},
    path::{Path, PathBuf},
    process,
    time::Duration,
};

use socket2::{Domain, Socket, Type};
use tokio::{
    net::{TcpSocket, UnixStream},
    time::timeout,
};

/// Below this are ports that services have by custom.
const LOWEST_PORT: u16 = 10_000;

/// How many ports are tried.
const TRIES: u32 = 64;

/// A listener on this machine answers at once, unless its queue is full.
const CONNECT_TIME: Duration = Duration::from_secs(1);

/// A directory that only this user may look into, and that is removed with all in it.
pub struct PrivateDirectory(PathBuf);

impl PrivateDirectory {
    pub fn new() -> io::Result<Self> {
        let name = format!("reactor-load-{}-{:016x}", process::id(), random());
        let path = env::temp_dir().join(name);
        fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for PrivateDirectory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A TCP and UDP port that nobody has.
///
/// Somebody may take it before the server does: a port cannot be reserved for another program. That is made unlikely by a choice at
/// random outside of the kernel's own ([`kernels_ports`]), and is seen when it happens: the server says so and ends, and is
/// started once more.
pub fn free_port() -> io::Result<u16> {
    let choice = LOWEST_PORT..kernels_ports().map_or(LOWEST_PORT, |kernels| kernels.start);
    let size = u64::from(choice.end.saturating_sub(choice.start));
    for _ in 0..TRIES {
        let Some(offset) = random().checked_rem(size) else {
            break;
        };
        let port = choice
            .start
            .saturating_add(u16::try_from(offset).unwrap_or_default());
        if take(port).is_ok() {
            return Ok(port);
        }
    }
    // All ports are the kernel's, where somebody has tuned it for many connections.
    (0..TRIES)
        .find_map(|_| take(0).ok())
        .ok_or_else(|| io::Error::other("no free port"))
}

/// What the kernel gives to those who do not choose. Not for the server: the connections of a load, and what is left of them for a
/// minute, would be in its way, and a connection from a port to the very same port connects to itself.
fn kernels_ports() -> io::Result<Range<u16>> {
    let text = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")?;
    let mut numbers = text
        .split_whitespace()
        .map_while(|number| number.parse().ok());
    match (numbers.next(), numbers.next()) {
        (Some(first), Some(last)) => Ok(first..last),
        _ => Err(io::Error::other("no range of local ports")),
    }
}

/// Binds it for both protocols and to every address, without `SO_REUSEADDR`: the server may want any, and may not set that.
fn take(port: u16) -> io::Result<u16> {
    let any = |port| SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)).into();
    let tcp = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    tcp.bind(&any(port))?;
    let bound = tcp.local_addr()?.as_socket().map(|address| address.port());
    let bound = bound.ok_or_else(|| io::Error::other("no port"))?;
    Socket::new(Domain::IPV4, Type::DGRAM, None)?.bind(&any(bound))?;
    Ok(bound)
}

fn random() -> u64 {
    // Keys of a new one are the system's random numbers.
    RandomState::new().hash_one(())
}

/// Whether somebody accepts TCP connections there.
pub async fn accepts(address: SocketAddr) -> bool {
    let connect = async {
        let socket = TcpSocket::new_v4()?;
        // From another address than the server's, as a connection from its own may become one to itself; where there is no other,
        // that is unlikely enough.
        let _ = socket.bind((IpAddr::from([127, 0, 0, 2]), 0).into());
        socket.connect(address).await
    };
    matches!(timeout(CONNECT_TIME, connect).await, Ok(Ok(_)))
}

pub async fn accepts_unix(path: &Path) -> bool {
    matches!(
        timeout(CONNECT_TIME, UnixStream::connect(path)).await,
        Ok(Ok(_))
    )
}

/// Whether a datagram socket has the port: none answers before it is asked something that it understands.
pub fn is_bound(port: u16) -> bool {
    let any = |entries: Vec<procfs::net::UdpNetEntry>| {
        entries
            .iter()
            .any(|entry| entry.local_address.port() == port)
    };
    procfs::net::udp().is_ok_and(any) || procfs::net::udp6().is_ok_and(any)
}

pub fn is_bound_unix(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.file_type().is_socket())
}

#[cfg(test)]
mod tests {
    use std::{
        net::{TcpListener, UdpSocket},
        os::unix::{fs::PermissionsExt, net::UnixDatagram},
    };

    use super::*;

    #[test]
    fn a_port_is_free_for_both_protocols() {
        let port = free_port().expect("a port");
        let kernels = kernels_ports().expect("a range");
        assert!(kernels.start <= LOWEST_PORT || !kernels.contains(&port));
        let tcp = TcpListener::bind(("127.0.0.1", port)).expect("free for TCP");
        // Taken for one of them is taken.
        assert!(take(port).is_err());
        drop(tcp);
        assert!(!is_bound(port));
        let _udp = UdpSocket::bind(("127.0.0.1", port)).expect("free for UDP");
        assert!(is_bound(port));
        assert!(take(port).is_err());
    }

    #[test]
    fn the_directory_is_private_and_goes() {
        let directory = PrivateDirectory::new().expect("a directory");
        let path = directory.path().to_owned();
        let mode = fs::metadata(&path).expect("it").permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        let socket = path.join("socket");
        assert!(!is_bound_unix(&socket));
        fs::write(path.join("file"), "").expect("a file");
        assert!(!is_bound_unix(&path.join("file")));
        let _bound = UnixDatagram::bind(&socket).expect("a socket");
        assert!(is_bound_unix(&socket));
        drop(directory);
        assert!(!path.exists());
    }
}

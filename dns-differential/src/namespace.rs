//! A network and a mount namespace of the process's own: its interfaces, its `/etc`.

use std::{
    ffi::{CStr, CString},
    fs, io,
    net::{Ipv4Addr, Ipv6Addr},
    os::fd::{AsRawFd, OwnedFd},
    path::{Path, PathBuf},
    process::Command,
    ptr,
};

use socket2::{Domain, Socket, Type};

/// The addresses of the machine beside the loopback ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// Global addresses of both families on the loopback interface, no default route.
    Both,
    OnlyV4,
    OnlyV6,
    OnlyLoopback,
    /// A pair of Ethernet interfaces with several addresses and default routes. Wants the `ip` tool.
    Rich,
    /// As `Rich`, but without IPv6 routes to the world.
    RichV4,
}

/// Enters new namespaces; the process must have one thread. Where it is not privileged, a user namespace makes it so.
pub fn enter() -> io::Result<()> {
    let flags = libc::CLONE_NEWNET | libc::CLONE_NEWNS;
    // SAFETY: unshare(2) reads its argument only. This and the calls below are of a process with one thread.
    if unsafe { libc::unshare(flags) } != 0 {
        // SAFETY: neither call takes or fails on anything.
        let (user, group) = unsafe { (libc::geteuid(), libc::getegid()) };
        // SAFETY: as above.
        if unsafe { libc::unshare(flags | libc::CLONE_NEWUSER) } != 0 {
            return Err(io::Error::last_os_error());
        }
        fs::write("/proc/self/setgroups", "deny")?;
        fs::write("/proc/self/uid_map", format!("0 {user} 1"))?;
        fs::write("/proc/self/gid_map", format!("0 {group} 1"))?;
    }
    // Nothing mounted here may reach the machine.
    mount(None, c"/", None, libc::MS_REC | libc::MS_PRIVATE)
}

fn mount(
    source: Option<&CStr>,
    target: &CStr,
    kind: Option<&CStr>,
    flags: libc::c_ulong,
) -> io::Result<()> {
    let pointer = |text: Option<&CStr>| text.map_or(ptr::null(), CStr::as_ptr);
    // SAFETY: mount(2) reads strings that end in NUL, and takes null for those that the flags do not want.
    let status = unsafe {
        libc::mount(
            pointer(source),
            target.as_ptr(),
            pointer(kind),
            flags,
            ptr::null(),
        )
    };
    if status == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

fn mount_empty(target: &Path) -> io::Result<()> {
    let target = CString::new(target.as_os_str().as_encoded_bytes())?;
    mount(Some(c"tmpfs"), &target, Some(c"tmpfs"), 0)
}

/// Larger files of `/etc` are of no interest to name resolution.
const LARGEST_COPY: u64 = 1 << 20;

/// An `/etc` of the process's own, with copies of the machine's plain files (services, protocols, the loader's cache), but
/// without those that this test writes.
///
/// All of `/etc`, and not one mount a file: so files can be missing, be replaced by `rename(2)`, or be a link on the machine.
pub fn replace_etc() -> io::Result<()> {
    let mut copies: Vec<(PathBuf, Vec<u8>)> = Vec::new();
    for entry in fs::read_dir("/etc")? {
        let path = entry?.path();
        let own = [
            "resolv.conf",
            "hosts",
            "nsswitch.conf",
            "gai.conf",
            "host.conf",
        ];
        if own.iter().any(|name| path.ends_with(name)) {
            continue;
        }
        if fs::metadata(&path).is_ok_and(|about| about.is_file() && about.len() < LARGEST_COPY)
            && let Ok(content) = fs::read(&path)
        {
            copies.push((path, content));
        }
    }
    mount_empty(Path::new("/etc"))?;
    for (path, content) in copies {
        fs::write(path, content)?;
    }
    // The name service cache daemon's answers would be the machine's.
    for nscd in ["/run/nscd", "/var/run/nscd"] {
        if Path::new(nscd).is_dir() {
            mount_empty(Path::new(nscd))?;
        }
    }
    Ok(())
}

/// Brings the interfaces up. Says what it had to leave out.
pub fn set_up_network(network: Network) -> io::Result<Option<&'static str>> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
    bring_up(&socket.into(), c"lo")?;
    let (v4, v6) = match network {
        Network::Both => (true, true),
        Network::OnlyV4 => (true, false),
        Network::OnlyV6 => (false, true),
        Network::OnlyLoopback => (false, false),
        Network::Rich | Network::RichV4 => match rich(network) {
            Ok(()) => return Ok(None),
            Err(_) => {
                set_up_network(Network::Both)?;
                return Ok(Some(
                    "no Ethernet interfaces: the `ip` tool or veth is missing",
                ));
            }
        },
    };
    if v4 {
        add_ipv4(c"lo:1", Ipv4Addr::new(203, 0, 113, 5))?;
    }
    if v6 && add_ipv6(c"lo", Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 5), 64).is_err() {
        return Ok(Some("no IPv6 address"));
    }
    Ok(None)
}

/// Without duplicate address detection and addresses of the kernel's own, whose timing would be part of the answers.
fn rich(network: Network) -> io::Result<()> {
    let mut lines = vec![
        "link add v0 type veth peer name v1",
        "link set v0 addrgenmode none",
        "link set v1 addrgenmode none",
        "link set v0 up",
        "link set v1 up",
        "addr add 198.51.100.1/24 dev v0",
        "addr add 10.0.0.1/8 dev v1",
        "route add default via 198.51.100.2",
        "addr add fe80::1/64 dev v0 nodad",
    ];
    if network == Network::Rich {
        lines.extend([
            "addr add 2001:db8:1::1/64 dev v0 nodad",
            "addr add fd00::1/64 dev v0 nodad",
            "addr add 2002:c000:201::1/64 dev v1 nodad",
            "addr add 2001:db8:2::1/64 dev v1 nodad preferred_lft 0",
            "-6 route add default via 2001:db8:1::2",
        ]);
    }
    for line in lines {
        let output = Command::new("ip").args(line.split(' ')).output()?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            eprintln!("ip {line}: {said}");
            return Err(io::Error::other(said));
        }
    }
    Ok(())
}

fn request_for(interface: &CStr) -> libc::ifreq {
    // SAFETY: an ifreq is plain old data.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(interface.to_bytes()) {
        *to = *from as libc::c_char;
    }
    request
}

fn control(socket: &OwnedFd, request: libc::Ioctl, argument: *mut libc::c_void) -> io::Result<()> {
    // SAFETY: the callers pass the structure that the request reads or writes.
    let status = unsafe { libc::ioctl(socket.as_raw_fd(), request, argument) };
    if status == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

fn bring_up(socket: &OwnedFd, interface: &CStr) -> io::Result<()> {
    let mut request = request_for(interface);
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    control(socket, libc::SIOCSIFFLAGS, (&raw mut request).cast())
}

fn add_ipv4(alias: &CStr, address: Ipv4Addr) -> io::Result<()> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?.into();
    let name = |ip: Ipv4Addr| {
        let mut request = request_for(alias);
        let address = socket2::SockAddr::from(std::net::SocketAddr::from((ip, 0)));
        // SAFETY: an IPv4 socket address fits the sockaddr of the request, and both are plain old data.
        request.ifr_ifru.ifru_addr = unsafe { address.as_ptr().cast::<libc::sockaddr>().read() };
        request
    };
    let mut request = name(address);
    control(&socket, libc::SIOCSIFADDR, (&raw mut request).cast())?;
    let mut request = name(Ipv4Addr::new(255, 255, 255, 0));
    control(&socket, libc::SIOCSIFNETMASK, (&raw mut request).cast())
}

/// `struct in6_ifreq` of netdevice(7)'s IPv6 counterpart, `linux/ipv6.h`.
#[repr(C)]
struct AddressRequest {
    address: [u8; 16],
    prefix: u32,
    interface: libc::c_int,
}

fn add_ipv6(interface: &CStr, address: Ipv6Addr, prefix: u32) -> io::Result<()> {
    let socket = Socket::new(Domain::IPV6, Type::DGRAM, None)?.into();
    // SAFETY: the name ends in NUL.
    let index = unsafe { libc::if_nametoindex(interface.as_ptr()) };
    let mut request = AddressRequest {
        address: address.octets(),
        prefix,
        interface: index as libc::c_int,
    };
    control(&socket, libc::SIOCSIFADDR, (&raw mut request).cast())
}

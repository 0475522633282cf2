//! What the kernel says about this machine's addresses and links, by rtnetlink(7): the facts that `AI_ADDRCONFIG` and
//! the order of answers rest on.
//!
//! The dumps never wait: the kernel answers one inside the request. The C library keeps nothing between look-ups, for
//! addresses come and go, and neither does this.

use std::{
    collections::HashMap,
    io,
    net::{Ipv4Addr, Ipv6Addr},
};

use netlink_packet_core::{
    NLM_F_MATCH, NLM_F_REQUEST, NLM_F_ROOT, NLMSG_DONE, NLMSG_ERROR, NetlinkBuffer, NlasIterator,
};
use netlink_packet_route::{
    address::{AddressHeader, AddressHeaderFlags},
    link::{LinkHeader, LinkLayerType},
};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

use super::EaiError;

// Message and attribute types of rtnetlink(7) that the crates keep to themselves.
const RTM_NEWLINK: u16 = 16;
const RTM_GETLINK: u16 = 18;
const RTM_NEWADDR: u16 = 20;
const RTM_GETADDR: u16 = 22;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;

const HEADER_LEN: usize = 16;
const ADDRESS_HEADER_LEN: usize = 8;

/// The C library's size, a page: a kernel that packs more into a datagram makes both of them give up.
const BUFFER_LEN: usize = 4096;

/// More datagrams than any machine's addresses need; a dump that does not end is a failed one.
const MAX_DATAGRAMS: usize = 65_536;

/// The socket is fresh, so no earlier request's answers can arrive on it.
const SEQUENCE: u32 = 1;

/// This machine's addresses at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Interfaces {
    /// There is an IPv4 address besides 127.0.0.1. Other loopback addresses do count.
    pub(super) has_v4: bool,
    /// There is an IPv6 address besides `::1`. Link-local, deprecated and tentative ones do count.
    pub(super) has_v6: bool,
    /// Ascending; addresses that several interfaces have are in the kernel's order.
    addresses: Vec<LocalAddress>,
}

/// An address of this machine. On a point-to-point link it is the peer's, as the C library has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LocalAddress {
    /// IPv4 as `::ffff:a.b.c.d`.
    pub(super) address: Ipv6Addr,
    /// In bits, of the address's own family.
    pub(super) prefix_length: u8,
    /// Of the interface.
    pub(super) index: u32,
    /// Deprecated, or optimistic: not yet known to be unique.
    pub(super) deprecated: bool,
    /// A home address of Mobile IPv6.
    pub(super) home: bool,
}

impl Interfaces {
    /// What the C library assumes where the kernel does not tell (no netlink, no descriptor left): both families, and
    /// nothing known of any address.
    pub(super) const fn unknown() -> Self {
        Self {
            has_v4: true,
            has_v6: true,
            addresses: Vec::new(),
        }
    }

    /// [`read`], or [`Self::unknown`] where that fails.
    pub(super) fn current() -> Self {
        read().unwrap_or_else(|error| {
            tracing::debug!(%error, "no list of this machine's addresses");
            Self::unknown()
        })
    }

    fn new(mut found: Vec<LocalAddress>, has_v4: bool, has_v6: bool) -> Self {
        if has_v6 {
            found.sort_by_key(|local| local.address);
        } else {
            // The C library forgets the list on a machine without IPv6, prefix lengths of IPv4 included.
            found = Vec::new();
        }
        Self {
            has_v4,
            has_v6,
            addresses: found,
        }
    }

    /// What is known of an address of this machine (IPv4 as `::ffff:a.b.c.d`).
    ///
    /// Of interfaces that share an address this takes the one that the C library's `bsearch` comes upon, which is
    /// neither the first nor the last; so the steps of the search matter.
    pub(super) fn find(&self, address: Ipv6Addr) -> Option<&LocalAddress> {
        let (mut low, mut high) = (0, self.addresses.len());
        while low < high {
            let middle = (low + high) / 2;
            let local = self.addresses.get(middle)?;
            match address.cmp(&local.address) {
                std::cmp::Ordering::Less => high = middle,
                std::cmp::Ordering::Greater => low = middle + 1,
                std::cmp::Ordering::Equal => return Some(local),
            }
        }
        None
    }
}

/// This machine's addresses now.
///
/// # Errors
/// Those of socket(2), sendto(2) and recvfrom(2); the kernel's own answer; `InvalidData` for a datagram that was cut
/// short or a dump without an end.
pub(super) fn read() -> io::Result<Interfaces> {
    let (mut found, mut has_v4, mut has_v6) = (Vec::new(), false, false);
    dump(RTM_GETADDR, |message, payload| {
        if message != RTM_NEWADDR {
            return;
        }
        if let Some((family, local)) = local_address(payload) {
            if family == libc::AF_INET {
                has_v4 |= local.address != Ipv4Addr::LOCALHOST.to_ipv6_mapped();
            } else {
                has_v6 |= local.address != Ipv6Addr::LOCALHOST;
            }
            found.push(local);
        }
    })?;
    Ok(Interfaces::new(found, has_v4, has_v6))
}

/// An address with its family, `AF_INET` or `AF_INET6`.
fn local_address(payload: &[u8]) -> Option<(i32, LocalAddress)> {
    let header = AddressHeader::parse(payload).ok()?;
    let attributes = NlasIterator::new(payload.get(ADDRESS_HEADER_LEN..)?);
    let mut packed = None;
    // The first IFA_ADDRESS wins; IFA_LOCAL stands in where there is none.
    for attribute in attributes {
        let Ok(attribute) = attribute else { break };
        match attribute.kind() {
            IFA_ADDRESS => {
                packed = Some(attribute);
                break;
            }
            IFA_LOCAL => packed = Some(attribute),
            _ => {}
        }
    }
    let packed = packed?;
    let family = i32::from(u8::from(header.family));
    let address = match family {
        libc::AF_INET => {
            Ipv4Addr::from(<[u8; 4]>::try_from(packed.value().get(..4)?).ok()?).to_ipv6_mapped()
        }
        libc::AF_INET6 => Ipv6Addr::from(<[u8; 16]>::try_from(packed.value().get(..16)?).ok()?),
        _ => return None,
    };
    let doubtful = AddressHeaderFlags::Deprecated | AddressHeaderFlags::Optimistic;
    let local = LocalAddress {
        address,
        prefix_length: header.prefix_len,
        index: header.index,
        deprecated: header.flags.intersects(doubtful),
        home: header.flags.contains(AddressHeaderFlags::Homeaddress),
    };
    Some((family, local))
}

/// Which links carry packets themselves rather than in a tunnel, by interface index.
#[derive(Debug, Default)]
pub(super) struct Links(HashMap<u32, bool>);

impl Links {
    /// The links now. After a failure the ones that came before it, for that is what the C library goes on with.
    pub(super) fn current() -> Self {
        let mut links = HashMap::new();
        let outcome = dump(RTM_GETLINK, |message, payload| {
            if message != RTM_NEWLINK {
                return;
            }
            if let Ok(header) = LinkHeader::parse(payload) {
                let tunnel = matches!(
                    header.link_layer_type,
                    LinkLayerType::Tunnel | LinkLayerType::Tunnel6 | LinkLayerType::Sit
                );
                links.insert(header.index, !tunnel);
            }
        });
        if let Err(error) = outcome {
            tracing::debug!(%error, "no full list of this machine's links");
        }
        Self(links)
    }

    /// A link that nothing is known of counts as a tunnel, as in the C library.
    pub(super) fn native(&self, index: u32) -> bool {
        self.0.get(&index).copied().unwrap_or(false)
    }
}

/// Asks the kernel for everything of one kind, and shows each message's type and payload to `visit`.
fn dump(request: u16, visit: impl FnMut(u16, &[u8])) -> io::Result<()> {
    let socket = Socket::new(NETLINK_ROUTE)?;
    // The header, and an rtgenmsg of AF_UNSPEC with its padding.
    let mut message = [0u8; HEADER_LEN + 4];
    let len = message.len() as u32;
    let mut header = NetlinkBuffer::new(&mut message);
    header.set_length(len);
    header.set_message_type(request);
    header.set_flags(NLM_F_REQUEST | NLM_F_ROOT | NLM_F_MATCH);
    header.set_sequence_number(SEQUENCE);
    let kernel = SocketAddr::new(0, 0);
    // Sending binds the socket; nobody but the kernel may send to such a one without privileges.
    uninterrupted(|| socket.send_to(&message, &kernel, 0))?;
    receive(&socket, visit)
}

fn receive(socket: &Socket, mut visit: impl FnMut(u16, &[u8])) -> io::Result<()> {
    let mut buffer = [0u8; BUFFER_LEN];
    for _ in 0..MAX_DATAGRAMS {
        // The kernel fills the next datagram as this one is taken, so there always is one until the end of the dump;
        // a kernel that owes an answer must not hang the caller.
        let (len, sender) = uninterrupted(|| {
            let mut room = &mut buffer[..];
            socket.recv_from(&mut room, libc::MSG_DONTWAIT | libc::MSG_TRUNC)
        })?;
        // MSG_TRUNC makes it the true length.
        let Some(datagram) = buffer.get(..len) else {
            return Err(io::Error::from(io::ErrorKind::InvalidData));
        };
        if sender.port_number() == 0 && messages(datagram, &mut visit)? {
            return Ok(());
        }
    }
    Err(io::Error::from(io::ErrorKind::InvalidData))
}

/// Goes through a datagram; says whether the dump has ended.
fn messages(mut rest: &[u8], visit: &mut impl FnMut(u16, &[u8])) -> io::Result<bool> {
    let mut ended = false;
    // What is cut short, or claims to be longer than the datagram, ends it.
    while let Ok(message) = NetlinkBuffer::new_checked(rest) {
        let length = message.length() as usize;
        if length < HEADER_LEN {
            break;
        }
        if message.sequence_number() == SEQUENCE {
            let payload = rest.get(HEADER_LEN..length).unwrap_or_default();
            match message.message_type() {
                NLMSG_DONE => ended = true,
                NLMSG_ERROR => return Err(refusal(payload)),
                other => visit(other, payload),
            }
        }
        match rest.get(length.next_multiple_of(4)..) {
            Some(next) if !next.is_empty() => rest = next,
            _ => break,
        }
    }
    Ok(ended)
}

fn refusal(payload: &[u8]) -> io::Error {
    match payload.first_chunk() {
        Some(code) if i32::from_ne_bytes(*code) < 0 => {
            io::Error::from_raw_os_error(i32::from_ne_bytes(*code).saturating_neg())
        }
        _ => io::Error::from(io::ErrorKind::InvalidData),
    }
}

fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}

/// What `AI_ADDRCONFIG` makes of the family asked for (`AF_UNSPEC`, `AF_INET`, `AF_INET6`): the only family that this
/// machine has an address of, or what was asked. A machine without any address is not narrowed.
///
/// # Errors
/// `EAI_NONAME`: the one family asked for is not there.
pub(super) fn narrow(family: i32, interfaces: &Interfaces) -> Result<i32, EaiError> {
    match (family, interfaces.has_v4, interfaces.has_v6) {
        (libc::AF_UNSPEC, true, false) => Ok(libc::AF_INET),
        (libc::AF_UNSPEC, false, true) => Ok(libc::AF_INET6),
        (libc::AF_INET, false, _) | (libc::AF_INET6, _, false) => {
            Err(EaiError::new(libc::EAI_NONAME))
        }
        _ => Ok(family),
    }
}

#[cfg(test)]
mod tests;

//! Floor 0: socket addresses as the kernel lays them out, one file a family. Nothing here knows Python.
//!
//! [`decode`] and [`Address::encode`] are all families behind one face. What holds for any bytes and any protocol:
//!
//! * `decode` never panics and reads nothing beyond the bytes it is given. It takes bytes behind the last field that it
//!   needs as there or not, whatever they are: the kernel pads some families and cuts others short.
//! * An address that `encode` accepts comes back equal from `decode`, if that is told the protocol of
//!   [`Address::protocol`].
//! * `encode` refuses nothing that it made itself: `decode` of its bytes encodes to the same bytes. Of the bytes of
//!   others this holds but for what an address does not say: padding, reserved fields, what follows the NUL that ends a
//!   text, and a length other than the structure's.

use std::slice;

use socket2::{SockAddr, SockAddrStorage};

pub mod alg;
pub mod bluetooth;
pub mod can;
pub mod inet;
pub mod inet6;
pub mod netlink;
pub mod packet;
pub mod qipcrtr;
#[cfg(test)]
mod tests;
pub mod tipc;
pub mod unix;
pub mod vsock;

/// The most bytes that an address of any family takes: `sizeof(struct sockaddr_storage)`.
pub(crate) const CAPACITY: usize = size_of::<SockAddrStorage>();

/// Bytes of `sa_family`, with which every address on Linux begins.
pub const FAMILY_SIZE: usize = size_of::<libc::sa_family_t>();

/// The families that [`decode`] knows. RDS uses the addresses of AF_INET and AF_INET6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Address<'a> {
    Inet(inet::Fields),
    Inet6(inet6::Fields),
    Unix(unix::Name<'a>),
    Netlink(netlink::Fields),
    Packet(packet::Fields<'a>),
    Vsock(vsock::Fields),
    Can(can::Fields),
    Alg(alg::Fields<'a>),
    Tipc(tipc::Fields),
    Qipcrtr(qipcrtr::Fields),
    Bluetooth(bluetooth::Fields),
}

/// Takes an address apart. `protocol` is the socket's: the addresses of AF_CAN and AF_BLUETOOTH depend on it.
///
/// None if the bytes end before the last field that the family needs, and for a family (or a Bluetooth protocol) that
/// has no file here.
pub fn decode(bytes: &[u8], protocol: i32) -> Option<Address<'_>> {
    match family(bytes)? {
        libc::AF_INET => inet::decode(bytes).map(Address::Inet),
        libc::AF_INET6 => inet6::decode(bytes).map(Address::Inet6),
        libc::AF_UNIX => Some(Address::Unix(unix::decode(bytes))),
        libc::AF_NETLINK => netlink::decode(bytes).map(Address::Netlink),
        libc::AF_PACKET => packet::decode(bytes).map(Address::Packet),
        libc::AF_VSOCK => vsock::decode(bytes).map(Address::Vsock),
        libc::AF_CAN => can::decode(bytes, protocol).map(Address::Can),
        libc::AF_ALG => alg::decode(bytes).map(Address::Alg),
        libc::AF_TIPC => tipc::decode(bytes).map(Address::Tipc),
        qipcrtr::AF_QIPCRTR => qipcrtr::decode(bytes).map(Address::Qipcrtr),
        libc::AF_BLUETOOTH => bluetooth::decode(bytes, protocol).map(Address::Bluetooth),
        _ => None,
    }
}

impl Address<'_> {
    /// The address for the kernel; None if one of its texts or byte strings does not fit into the structure's field, or
    /// would end early there.
    pub fn encode(&self) -> Option<SockAddr> {
        match self {
            Self::Inet(fields) => Some(inet::encode(*fields)),
            Self::Inet6(fields) => Some(inet6::encode(*fields)),
            Self::Unix(name) => name.encode(),
            Self::Netlink(fields) => Some(netlink::encode(*fields)),
            Self::Packet(fields) => packet::encode(*fields),
            Self::Vsock(fields) => Some(vsock::encode(*fields)),
            Self::Can(fields) => Some(can::encode(*fields)),
            Self::Alg(fields) => alg::encode(*fields),
            Self::Tipc(fields) => Some(tipc::encode(*fields)),
            Self::Qipcrtr(fields) => Some(qipcrtr::encode(*fields)),
            Self::Bluetooth(fields) => Some(bluetooth::encode(*fields)),
        }
    }

    /// A protocol of sockets that have such addresses; 0 where the family's do not depend on it.
    pub fn protocol(&self) -> i32 {
        match self {
            Self::Can(fields) => fields.protocol(),
            Self::Bluetooth(fields) => fields.protocol(),
            _ => 0,
        }
    }
}

/// The bytes of an address, as many as its length says and its storage holds.
pub fn as_bytes(address: &SockAddr) -> &[u8] {
    // The kernel reports an address's full length even when it had to cut the address to fit.
    let len = usize::try_from(address.len()).map_or(CAPACITY, |len| len.min(CAPACITY));
    // SAFETY: the storage is `CAPACITY` bytes long and plain data, wholly initialised: `SockAddr` is only ever made
    // from a zeroed storage. It lives as long as `address`.
    unsafe { slice::from_raw_parts(address.as_ptr().cast::<u8>(), len) }
}

/// Room for an address that the kernel writes. (A `SockAddr` has its own, but is handed on by value, which copies it.)
pub struct Room {
    storage: SockAddrStorage,
    length: libc::socklen_t,
}

impl Default for Room {
    fn default() -> Self {
        Self::new()
    }
}

impl Room {
    #[must_use]
    pub fn new() -> Self {
        Self {
            storage: SockAddrStorage::zeroed(),
            length: 0,
        }
    }

    /// Where a system call may write as many bytes as a `sockaddr_storage` has.
    pub fn as_mut_ptr(&mut self) -> *mut libc::sockaddr {
        (&raw mut self.storage).cast()
    }

    /// What the system call says of the length of what it has written, which may be more than there was room for.
    pub fn set_length(&mut self, length: libc::socklen_t) {
        self.length = length;
    }

    /// The bytes of the address; none before there is one.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        let length = (self.length as usize).min(CAPACITY);
        // SAFETY: the storage is `CAPACITY` bytes long and plain data, zeroed at first.
        unsafe { slice::from_raw_parts((&raw const self.storage).cast(), length) }
    }
}

/// The address with these bytes; those beyond the largest address that there is are dropped.
pub(crate) fn from_bytes(bytes: &[u8]) -> SockAddr {
    let mut storage = SockAddrStorage::zeroed();
    let len = bytes.len().min(CAPACITY);
    // SAFETY: both are valid for `len` bytes, and a new local variable overlaps nothing. Any bytes are a valid
    // `sockaddr_storage`.
    unsafe {
        (&raw mut storage)
            .cast::<u8>()
            .copy_from_nonoverlapping(bytes.as_ptr(), len)
    };
    // SAFETY: the first `len` bytes of the storage are set, the others zero. That the bytes make sense for their
    // family is not needed for soundness: nothing here or in the kernel relies on it.
    unsafe { SockAddr::new(storage, len as libc::socklen_t) }
}

/// The family that an address begins with; None if it is too short to have one.
pub(crate) fn family(bytes: &[u8]) -> Option<i32> {
    field(bytes, 0).map(|family| i32::from(libc::sa_family_t::from_ne_bytes(family)))
}

/// The bytes of a field that begins at `at`; None if the address ends before its end.
fn field<const SIZE: usize>(bytes: &[u8], at: usize) -> Option<[u8; SIZE]> {
    bytes.get(at..)?.first_chunk().copied()
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    field(bytes, at).map(u16::from_ne_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    field(bytes, at).map(u32::from_ne_bytes)
}

/// A structure of `SIZE` bytes that is being laid out: zero where nothing was put.
struct Layout<const SIZE: usize>([u8; SIZE]);

impl<const SIZE: usize> Layout<SIZE> {
    fn new(family: i32) -> Self {
        Self([0; SIZE]).put(0, &(family as libc::sa_family_t).to_ne_bytes())
    }

    /// Puts a field's bytes at its offset. What does not fit into the structure is left out.
    fn put(mut self, at: usize, field: &[u8]) -> Self {
        let room = self.0.get_mut(at..).unwrap_or_default();
        for (to, from) in room.iter_mut().zip(field) {
            *to = *from;
        }
        self
    }

    fn address(self) -> SockAddr {
        from_bytes(&self.0)
    }
}

/// Up to the first NUL, or all if there is none: a text in an array of C's.
fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|&byte| byte == 0).next().unwrap_or_default()
}

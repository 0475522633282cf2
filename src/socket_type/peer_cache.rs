//! The addresses that a datagram socket has last sent to and heard from, in both their forms.

use std::sync::{Mutex, TryLockError};

use rustpython_vm::{AsObject, PyObject, PyObjectRef, builtins::PyTupleRef};

use crate::sockaddr;

/// Bytes of the longest address that is remembered.
const LONGEST: usize = size_of::<libc::sockaddr_in6>();

/// The bytes of an Internet address.
#[derive(Clone, Copy)]
pub(super) struct Bytes {
    storage: [u8; LONGEST],
    length: usize,
}

impl Bytes {
    /// `None` for other families.
    fn new(address: &[u8]) -> Option<Self> {
        if !is_internet(address) {
            return None;
        }
        let mut storage = [0; LONGEST];
        storage.get_mut(..address.len())?.copy_from_slice(address);
        Some(Self {
            storage,
            length: address.len(),
        })
    }

    pub(super) fn get(&self) -> &[u8] {
        self.storage.get(..self.length).unwrap_or_default()
    }
}

/// Only Internet addresses are tuples that are worth to be kept.
pub(super) fn is_internet(address: &[u8]) -> bool {
    let family = sockaddr::family(address);
    matches!(family, Some(libc::AF_INET | libc::AF_INET6))
}

struct Peer {
    address: Bytes,
    /// Of the class `tuple`, with a host of the class `str` that is numeric and numbers of the class `int`: it stands for the
    /// address whenever it is looked at.
    object: PyTupleRef,
}

/// One of each, as a program may write the address that it sends to in another way than the kernel's answers are written.
#[derive(Default)]
struct Peers {
    sent_to: Option<Peer>,
    heard_from: Option<Peer>,
}

/// Of two threads that look at the same time, one finds nothing rather than wait.
#[derive(Default)]
pub(crate) struct PeerCache(Mutex<Option<Box<Peers>>>);

impl PeerCache {
    fn with<R>(&self, f: impl FnOnce(&mut Option<Box<Peers>>) -> R) -> Option<R> {
        match self.0.try_lock() {
            Ok(mut peers) => Some(f(&mut peers)),
            // A thread panicked while it held the lock; what it left are addresses as good as any.
            Err(TryLockError::Poisoned(poisoned)) => Some(f(&mut poisoned.into_inner())),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// The Python form of an address that the socket has heard from.
    pub(super) fn object(&self, address: &[u8]) -> Option<PyObjectRef> {
        self.with(|peers| {
            let peer = peers.as_ref()?.heard_from.as_ref()?;
            (peer.address.get() == address).then(|| peer.object.clone().into())
        })?
    }

    /// The address that this very object stands for.
    pub(super) fn address(&self, object: &PyObject) -> Option<Bytes> {
        self.with(|peers| {
            let peers = peers.as_ref()?;
            let mut known = peers.sent_to.iter().chain(&peers.heard_from);
            let peer = known.find(|peer| peer.object.as_object().is(object))?;
            Some(peer.address)
        })?
    }

    /// Remembers where a datagram was sent to, in place of the address before.
    pub(super) fn put_sent_to(&self, address: &[u8], object: PyTupleRef) {
        self.put(address, object, |peers| &mut peers.sent_to);
    }

    /// Remembers where a datagram came from, in place of the address before.
    pub(super) fn put_heard_from(&self, address: &[u8], object: PyTupleRef) {
        self.put(address, object, |peers| &mut peers.heard_from);
    }

    fn put(
        &self,
        address: &[u8],
        object: PyTupleRef,
        place: impl FnOnce(&mut Peers) -> &mut Option<Peer>,
    ) {
        let Some(address) = Bytes::new(address) else {
            return;
        };
        let new = Peer { address, object };
        // What was there goes when the lock is free again.
        let _old = self.with(|peers| place(peers.get_or_insert_default()).replace(new));
    }

    /// Forgets the addresses.
    pub(super) fn clear(&self) {
        let _old = self.with(Option::take);
    }
}

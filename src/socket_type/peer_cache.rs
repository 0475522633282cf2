//! The address that a datagram socket has last heard from or sent to, in both its forms.

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

/// One address at most. A socket that has none takes no memory for it.
///
/// Of two threads that look at the same time, one finds nothing rather than wait.
#[derive(Default)]
pub(crate) struct PeerCache(Mutex<Option<Box<Peer>>>);

impl PeerCache {
    fn with<R>(&self, f: impl FnOnce(&mut Option<Box<Peer>>) -> R) -> Option<R> {
        match self.0.try_lock() {
            Ok(mut peer) => Some(f(&mut peer)),
            // A thread panicked while it held the lock; what it left is an address as good as any.
            Err(TryLockError::Poisoned(poisoned)) => Some(f(&mut poisoned.into_inner())),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// The Python form of the address.
    pub(super) fn object(&self, address: &[u8]) -> Option<PyObjectRef> {
        self.with(|peer| {
            let peer = peer.as_ref()?;
            (peer.address.get() == address).then(|| peer.object.clone().into())
        })?
    }

    /// The address that this very object stands for.
    pub(super) fn address(&self, object: &PyObject) -> Option<Bytes> {
        self.with(|peer| {
            let peer = peer.as_ref()?;
            peer.object.as_object().is(object).then_some(peer.address)
        })?
    }

    /// Remembers an address in place of the one before.
    pub(super) fn put(&self, address: &[u8], object: PyTupleRef) {
        let Some(address) = Bytes::new(address) else {
            return;
        };
        let new = Peer { address, object };
        // What was there goes when the lock is free again.
        let _old = self.with(|peer| match peer {
            Some(peer) => Some(std::mem::replace(&mut **peer, new)),
            None => {
                *peer = Some(Box::new(new));
                None
            }
        });
    }

    /// Forgets the address.
    pub(super) fn clear(&self) {
        let _old = self.with(Option::take);
    }
}

//! Where a socket object keeps its source, which every call reads and only a second `__init__` replaces; and what few sockets
//! have, in memory of its own.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, Ordering},
};

use arc_swap::{ArcSwapOption, Guard};
use once_cell::race::OnceBox;

use super::peer_cache::PeerCache;
use crate::reactor::Source;

/// Empty at first.
///
/// The first source stays as long as the cell, even closed: so nobody has to count himself as its user, which would cost every call
/// two atomic operations. The users of those after it are counted, or every `__init__` would leave one behind.
#[derive(Default)]
pub(crate) struct SourceCell {
    first: OnceLock<Arc<Source>>,
    rare: OnceBox<Rare>,
}

#[derive(Default)]
struct Rare {
    is_replaced: AtomicBool,
    /// The source after the first one.
    later: ArcSwapOption<Source>,
    peers: PeerCache,
}

/// What the cell held when it was asked.
pub(crate) enum Current<'a> {
    First(Option<&'a Arc<Source>>),
    Later(Guard<Option<Arc<Source>>>),
}

impl Current<'_> {
    #[inline]
    pub(crate) fn get(&self) -> Option<&Arc<Source>> {
        match self {
            Self::First(source) => *source,
            Self::Later(source) => source.as_ref(),
        }
    }
}

impl SourceCell {
    #[inline]
    pub(crate) fn load(&self) -> Current<'_> {
        match self.rare.get() {
            Some(rare) if rare.is_replaced.load(Ordering::Acquire) => {
                Current::Later(rare.later.load())
            }
            _ => Current::First(self.first.get()),
        }
    }

    /// Puts a source in. The one from before, if there was one, is the caller's to close.
    #[must_use]
    pub(crate) fn replace(&self, source: Arc<Source>) -> Option<Arc<Source>> {
        let Err(source) = self.first.set(source) else {
            return None;
        };
        let rare = self.rare.get_or_init(Box::default);
        let old = rare.later.swap(Some(source));
        rare.is_replaced.store(true, Ordering::Release);
        old.or_else(|| self.first.get().cloned())
    }

    /// The addresses that are remembered, if any were.
    pub(super) fn known_peers(&self) -> Option<&PeerCache> {
        self.rare.get().map(|rare| &rare.peers)
    }

    /// Where addresses are remembered.
    pub(super) fn peers(&self) -> &PeerCache {
        &self.rare.get_or_init(Box::default).peers
    }
}

#[cfg(test)]
mod tests {
    use std::{net::UdpSocket, sync::Arc};

    use super::SourceCell;
    use crate::reactor::Source;

    fn source() -> Arc<Source> {
        let any = UdpSocket::bind("127.0.0.1:0").expect("a UDP socket on loopback");
        Arc::new(Source::new(any.into()))
    }

    #[test]
    fn the_cell_holds_what_was_put_in_last_and_returns_what_was_there() {
        let cell = SourceCell::default();
        assert!(cell.load().get().is_none());
        let mut before = None;
        for _ in 0..3 {
            let source = source();
            let old = cell.replace(source.clone());
            assert_eq!(old.as_ref().map(Arc::as_ptr), before);
            let current = cell.load();
            assert!(current.get().is_some_and(|it| Arc::ptr_eq(it, &source)));
            before = Some(Arc::as_ptr(&source));
        }
    }

    #[test]
    fn a_source_that_is_in_use_outlives_its_replacement() {
        let cell = SourceCell::default();
        for _ in 0..2 {
            assert!(cell.replace(source()).is_none_or(|old| old.fd().is_some()));
        }
        let current = cell.load();
        drop(cell.replace(source()));
        assert!(current.get().is_some_and(|source| source.fd().is_some()));
    }
}

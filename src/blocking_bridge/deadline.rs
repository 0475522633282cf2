//! Deadlines over blocks of code: what `reactor.deadline` enters and leaves, and every call that may wait asks for.
//!
//! They belong to the thread. A call reads the nearest one once, when it begins; without any, that is one read of
//! thread-local memory.

use std::{
    cell::{Cell, RefCell},
    sync::{Arc, Weak},
    time::Instant,
};

/// Whoever enters deadlines: what it has entered and not left ends with it.
#[derive(Debug, Default)]
pub(crate) struct Owner(Arc<()>);

struct Entry {
    owner: Weak<()>,
    /// `None`: no limit of its own.
    until: Option<Instant>,
}

thread_local! {
    /// How many entries there are. Apart from them, since memory without a destructor is cheaper to read.
    static COUNT: Cell<usize> = const { Cell::new(0) };
    static ENTRIES: RefCell<Vec<Entry>> = const { RefCell::new(Vec::new()) };
}

/// Works on the thread's entries; `None` in a destructor of thread-local data, where they are gone.
fn with_entries<R>(f: impl FnOnce(&mut Vec<Entry>) -> R) -> Option<R> {
    let result = ENTRIES
        .try_with(|entries| {
            let mut entries = entries.try_borrow_mut().ok()?;
            // An owner may have died on another thread: a generator that was moved there, say.
            entries.retain(|entry| entry.owner.strong_count() > 0);
            let result = f(&mut entries);
            COUNT.set(entries.len());
            Some(result)
        })
        .ok()
        .flatten();
    if result.is_none() {
        COUNT.set(0);
    }
    result
}

impl Owner {
    /// Puts this thread under a deadline, beside those that it is under already.
    pub(crate) fn enter(&self, until: Option<Instant>) {
        with_entries(|entries| {
            entries.push(Entry {
                owner: Arc::downgrade(&self.0),
                until,
            });
        });
    }

    /// Ends the deadline that this owner has entered last on this thread, whatever was entered since by others; false if there
    /// is none.
    pub(crate) fn leave(&self) -> bool {
        let left = with_entries(|entries| {
            let own = |entry: &Entry| entry.owner.as_ptr() == Arc::as_ptr(&self.0);
            let last = entries.iter().rposition(own)?;
            entries.remove(last);
            Some(())
        });
        left.flatten().is_some()
    }
}

/// When the calls of this thread have to end; `None`: no limit.
#[inline]
pub(crate) fn nearest() -> Option<Instant> {
    if COUNT.get() == 0 {
        return None;
    }
    nearest_entered()
}

#[cold]
fn nearest_entered() -> Option<Instant> {
    with_entries(|entries| entries.iter().filter_map(|entry| entry.until).min()).flatten()
}

/// The earlier of two deadlines.
#[inline]
pub(crate) fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// Whether it has passed.
#[inline]
pub(crate) fn has_passed(deadline: Option<Instant>) -> bool {
    deadline.is_some_and(|deadline| Instant::now() >= deadline)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: u64) -> Option<Instant> {
        thread_local!(static ZERO: Instant = Instant::now());
        ZERO.with(|zero| zero.checked_add(Duration::from_secs(seconds)))
    }

    #[test]
    fn the_nearest_wins_and_each_leaves_its_own() {
        let (outer, inner, unlimited) = (Owner::default(), Owner::default(), Owner::default());
        assert_eq!(nearest(), None);
        outer.enter(at(5));
        inner.enter(at(9));
        unlimited.enter(None);
        assert_eq!(nearest(), at(5), "an inner one does not extend the outer");
        inner.enter(at(2));
        assert_eq!(nearest(), at(2));
        // Out of order.
        assert!(outer.leave());
        assert_eq!(nearest(), at(2));
        assert!(inner.leave());
        assert_eq!(nearest(), at(9), "the one entered last is left first");
        assert!(inner.leave());
        assert!(!inner.leave());
        assert_eq!(nearest(), None);
        assert!(unlimited.leave());
        assert_eq!(COUNT.get(), 0);
    }

    #[test]
    fn an_owner_takes_its_entries_along() {
        let (kept, dropped) = (Owner::default(), Owner::default());
        kept.enter(at(9));
        dropped.enter(at(1));
        dropped.enter(at(2));
        assert_eq!(nearest(), at(1));
        drop(dropped);
        assert_eq!(nearest(), at(9));
        assert!(kept.leave());
    }

    #[test]
    fn a_thread_has_its_own() {
        let owner = Owner::default();
        owner.enter(at(1));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                assert_eq!(nearest(), None);
                assert!(!owner.leave(), "not entered here");
            });
        });
        assert_eq!(nearest(), at(1));
        assert!(owner.leave());
    }
}

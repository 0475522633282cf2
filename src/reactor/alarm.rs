//! Times at which futures want to be polled again by the thread that blocks in them, which sleeps no longer than that.
//!
//! Each thread that blocks keeps a list of its own: the time and the waker of every [`Alarm`] that was polled under its
//! `block_on`. A list of wakers and not one time for the thread, because what lies between the thread and the future (a
//! `FuturesUnordered`, say) polls only what has been woken.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use super::{driver, fork_mutex::ForkMutex};

/// How long a thread sleeps that has no list any more: it is past its thread-local data.
const SLICE: Duration = Duration::from_millis(10);

/// One thread's alarms. Others touch it only to withdraw theirs. Empty in a forked child.
type List = ForkMutex<BTreeMap<Key, Waker>>;

/// The time, and a number that no other alarm has, nor has had in a parent process.
type Key = (Instant, u64);

static NUMBERS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static MINE: Arc<List> = Arc::new(ForkMutex::new(BTreeMap::new()));
}

/// A moment, which a thread in `block_on` wakes up at by itself, without a timer of anybody else's.
pub(crate) struct Alarm {
    at: Instant,
    /// The list that it is in, and its number there.
    set: Option<(Arc<List>, u64)>,
}

impl fmt::Debug for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Alarm")
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

impl Alarm {
    pub(crate) fn new(at: Instant) -> Self {
        Self { at, set: None }
    }

    pub(crate) fn at(&self) -> Instant {
        self.at
    }

    /// Ready, never early, when the moment has come; until then the thread that blocks in the future being polled wakes it in
    /// time. `None` where no thread does: then somebody else has to. May change from poll to poll, as a future may move.
    pub(crate) fn poll_here(&mut self, cx: &Context<'_>) -> Option<Poll<()>> {
        if !driver::is_polling() {
            self.withdraw();
            return None;
        }
        if Instant::now() >= self.at {
            self.withdraw();
            return Some(Poll::Ready(()));
        }
        // Without a list the thread looks again every `SLICE`.
        if let Ok(mine) = MINE.try_with(Arc::clone) {
            self.set_in(mine, cx.waker());
        }
        Some(Poll::Pending)
    }

    fn set_in(&mut self, list: Arc<List>, waker: &Waker) {
        if self
            .set
            .as_ref()
            .is_some_and(|(at, _)| !Arc::ptr_eq(at, &list))
        {
            self.withdraw();
        }
        let number = match &self.set {
            Some((_, number)) => *number,
            None => NUMBERS.fetch_add(1, Ordering::Relaxed),
        };
        let key = (self.at, number);
        // Cloned before the lock and dropped after it: both are anybody's code.
        let mut waker = Some(waker.clone());
        {
            let mut entries = list.lock();
            match entries.get_mut(&key) {
                Some(known) => waker = waker.map(|waker| std::mem::replace(known, waker)),
                None => waker = waker.and_then(|waker| entries.insert(key, waker)),
            }
        }
        drop(waker);
        self.set = Some((list, number));
    }

    fn withdraw(&mut self) {
        if let Some((list, number)) = self.set.take() {
            let withdrawn = list.lock().remove(&(self.at, number));
            drop(withdrawn);
        }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        self.withdraw();
    }
}

/// The nearer of the deadline and this thread's first alarm.
pub(super) fn nearer(deadline: Option<Instant>) -> Option<Instant> {
    let first = MINE
        .try_with(|mine| mine.lock().first_key_value().map(|((at, _), _)| *at))
        .unwrap_or_else(|_| Instant::now().checked_add(SLICE));
    match (deadline, first) {
        (Some(deadline), Some(first)) => Some(deadline.min(first)),
        (deadline, first) => deadline.or(first),
    }
}

/// Wakes whose time has come on this thread; whether there was one.
pub(super) fn ring() -> bool {
    let due = MINE.try_with(|mine| {
        let mut entries = mine.lock();
        let now = Instant::now();
        match entries.first_key_value() {
            Some(((first, _), _)) if *first <= now => {}
            _ => return BTreeMap::new(),
        }
        // Everything up to this moment, whatever its number.
        let later = entries.split_off(&(now, u64::MAX));
        std::mem::replace(&mut *entries, later)
    });
    // Outside the lock: a waker may run any code.
    let due = due.unwrap_or_default();
    let any = !due.is_empty();
    due.into_values().for_each(Waker::wake);
    any
}

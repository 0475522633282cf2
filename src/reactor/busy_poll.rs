//! Adaptive busy-poll: whether a thread polls for a while before it sleeps, and for how long.
//!
//! Waking a thread costs more than most answers take on one machine. So a thread whose recent waits were short polls first.
//! It does so where that pays and harms nobody: [`Policy`] is one thread's experience, [`Contention`] the process's,
//! [`Spinners`] bounds how many poll at once, and with one processor nobody does.

#[cfg(test)]
mod tests;

use std::{
    cell::Cell,
    env,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    thread::{self, LocalKey},
    time::{Duration, Instant},
};

#[cfg(any(feature = "python", test))]
use super::Source;
use super::{process, spinners::Spinners, system};

/// How long a wait polls before it sleeps, if the program sets nothing else: see `docs/benchmarks.md`.
pub const DEFAULT_BUSY_POLL: Duration = Duration::from_micros(50);

/// The longest that may be set.
pub const LONGEST_BUSY_POLL: Duration = Duration::from_secs(1);

/// Microseconds in the environment: the setting of a program that makes none itself.
const VARIABLE: &str = "REACTOR_BUSY_POLL_US";

/// In nanoseconds, or [`UNSET`].
static BUDGET: AtomicU64 = AtomicU64::new(UNSET);

const UNSET: u64 = u64::MAX;

/// How long a wait of this process polls at most before it sleeps; zero: not at all.
///
/// [`DEFAULT_BUSY_POLL`], if neither [`set_busy_poll`] nor the environment's `REACTOR_BUSY_POLL_US` (whole microseconds) says
/// otherwise. The environment is read once.
pub fn busy_poll() -> Duration {
    let nanoseconds = match BUDGET.load(Ordering::Relaxed) {
        UNSET => {
            let read = nanoseconds(from_environment());
            match BUDGET.compare_exchange(UNSET, read, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => read,
                Err(set_meanwhile) => set_meanwhile,
            }
        }
        set => set,
    };
    Duration::from_nanos(nanoseconds)
}

/// Sets [`busy_poll`] for the whole process, up to [`LONGEST_BUSY_POLL`]: from each thread's next wait on.
pub fn set_busy_poll(budget: Duration) {
    BUDGET.store(nanoseconds(budget), Ordering::Relaxed);
}

fn nanoseconds(budget: Duration) -> u64 {
    let budget = budget.min(LONGEST_BUSY_POLL).as_nanos();
    u64::try_from(budget).unwrap_or_default()
}

fn from_environment() -> Duration {
    let Some(text) = env::var_os(VARIABLE) else {
        return DEFAULT_BUSY_POLL;
    };
    let budget = text.to_str().and_then(parse);
    if budget.is_none() {
        tracing::warn!(value = ?text, "{VARIABLE} is no number of microseconds up to a second, and ignored");
    }
    budget.unwrap_or(DEFAULT_BUSY_POLL)
}

fn parse(text: &str) -> Option<Duration> {
    let budget = Duration::from_micros(text.trim().parse().ok()?);
    (budget <= LONGEST_BUSY_POLL).then_some(budget)
}

/// The first pause of a thread, and the one after its first misses.
const FIRST_PAUSE: Duration = Duration::from_millis(1);

/// The longest: then a thread whose waits are long spends one budget on polls in that time.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// How many misses in a row are forgiven to a thread that has had success.
const FORGIVEN: u8 = 3;

/// What a thread's waits tell of its next one. Times are on any one clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Policy {
    /// Polls do not pay before this time.
    not_before: Option<Duration>,
    /// The length of the last pause; zero while polls succeed.
    pause: Duration,
    /// In a row, since the last success.
    misses: u8,
}

impl Policy {
    /// A thread that has not waited yet begins with a pause: most threads of a server that starts one a connection do
    /// not live longer.
    const NEW: Self = Self {
        not_before: None,
        pause: FIRST_PAUSE,
        misses: FORGIVEN,
    };

    fn allows(&mut self, now: Duration) -> bool {
        let first = *self.not_before.get_or_insert(now + FIRST_PAUSE);
        now >= first
    }

    /// A wait ended while the thread polled.
    fn hit(&mut self) {
        self.pause = Duration::ZERO;
        self.misses = 0;
    }

    /// It did not.
    fn missed(&mut self, now: Duration) {
        if self.misses < FORGIVEN {
            self.misses += 1;
        }
        if self.misses == FORGIVEN {
            self.pause = (self.pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
            self.not_before = Some(now + self.pause);
        }
    }

    /// A wait without polls ended after a sleep so short that polls would have seen the end.
    fn slept_shortly(&mut self) {
        self.not_before = Some(Duration::ZERO);
    }
}

thread_local! {
    /// Of polls.
    static POLICY: Cell<Policy> = const { Cell::new(Policy::NEW) };
    /// Of [`let_others_run`].
    #[cfg(any(feature = "python", test))]
    static YIELDS: Cell<Policy> = const { Cell::new(Policy::NEW) };
    /// See [`needs_others`].
    #[cfg(any(feature = "python", test))]
    static NEEDED: Cell<Option<usize>> = const { Cell::new(None) };
    /// How many processors the thread has, and when that was asked for.
    static PROCESSORS: Cell<(usize, Duration)> = const { Cell::new((0, Duration::ZERO)) };
}

/// The shortest pause of the process. A processor that is given up to others is gone for some milliseconds.
const SHORT_CONTENTION: Duration = Duration::from_millis(10);

/// The longest: on a loaded machine, trying again costs a fraction of a thousandth of the time.
const LONG_CONTENTION: Duration = Duration::from_secs(10);

/// A thread that yields for longer has lost its processor to one that is at work: such keep it for some milliseconds.
const LOST: Duration = Duration::from_micros(100);

/// Whether others want the processors that polls would take. Nanoseconds of the monotonic clock.
///
/// Two threads that change it at once leave one of two sensible values: nothing depends on which.
struct Contention {
    until: AtomicU64,
    pause: AtomicU64,
}

impl Contention {
    const fn new() -> Self {
        Self {
            until: AtomicU64::new(0),
            pause: AtomicU64::new(0),
        }
    }

    fn allows(&self, now: Duration) -> bool {
        as_nanoseconds(now) >= self.until.load(Ordering::Relaxed)
    }

    /// A thread that polled has lost its processor to another one.
    fn lost(&self, now: Duration) {
        let pause = (self.pause.load(Ordering::Relaxed) * 2).clamp(
            as_nanoseconds(SHORT_CONTENTION),
            as_nanoseconds(LONG_CONTENTION),
        );
        self.pause.store(pause, Ordering::Relaxed);
        self.until
            .store(as_nanoseconds(now).saturating_add(pause), Ordering::Relaxed);
    }

    /// A thread has polled with success, and nobody wanted its processor. That the time has passed alone says nothing: maybe
    /// nobody has tried.
    fn not_lost(&self, now: Duration) {
        let pause = self.pause.load(Ordering::Relaxed);
        if pause > 0 {
            let calm = as_nanoseconds(now).saturating_sub(self.until.load(Ordering::Relaxed));
            if calm >= pause {
                self.pause.store(0, Ordering::Relaxed);
            }
        }
    }
}

fn as_nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

static CONTENTION: Contention = Contention::new();

static SPINNERS: Spinners = Spinners::new();

/// A yield that takes less has not gone to a thread that makes a system call.
#[cfg(any(feature = "python", test))]
const AT_WORK: Duration = Duration::from_micros(2);

/// How long an answer about the processors is believed: the program may change its affinity at any time.
const PROCESSORS_KNOWN: Duration = Duration::from_millis(100);

/// How many processors this thread may run on, within the process's share of them.
fn processors(now: Duration) -> usize {
    let (count, asked) = PROCESSORS.get();
    if count > 0 && now.saturating_sub(asked) < PROCESSORS_KNOWN {
        return count;
    }
    let count = system::processors().min(share());
    PROCESSORS.set((count, now));
    count
}

/// Half of what would be idle else, and none where it is the processor that the answer needs.
fn threads_that_may_poll(now: Duration) -> usize {
    match processors(now) {
        0 | 1 => 0,
        processors => processors / 2,
    }
}

/// The process's share of the processors: a control group may limit the time that it gets. Looked up once, as it reads files.
fn share() -> usize {
    static SHARE: AtomicUsize = AtomicUsize::new(0);
    match SHARE.load(Ordering::Relaxed) {
        0 => {
            // The affinity is in this as well, and a program may widen it later.
            let narrow = system::processors();
            let share = match thread::available_parallelism().map_or(1, usize::from) {
                share if share < narrow => share,
                _ => usize::MAX,
            };
            SHARE.store(share, Ordering::Relaxed);
            share
        }
        share => share,
    }
}

/// A wait that is about to sleep, with the time when it began and its budget if its length is of interest.
pub(super) struct BeforeSleep(Option<(Duration, Duration)>);

impl BeforeSleep {
    /// The sleep has ended with an event.
    pub(super) fn ended(self) {
        if let Some((since, budget)) = self.0
            && system::monotonic().saturating_sub(since) < budget
        {
            update(&POLICY, Policy::slept_shortly);
        }
    }
}

type ThreadPolicy = LocalKey<Cell<Policy>>;

fn update(policy: &'static ThreadPolicy, change: impl FnOnce(&mut Policy)) {
    let mut changed = policy.get();
    change(&mut changed);
    policy.set(changed);
}

fn allows(policy: &'static ThreadPolicy, now: Duration) -> bool {
    let mut allowed = false;
    update(policy, |policy| allowed = policy.allows(now));
    allowed && CONTENTION.allows(now)
}

/// Calls `poll` until it returns something, for as long as that is likely to pay, and not beyond `deadline`. What it
/// returned, or that the thread is to sleep now.
pub(super) fn poll_before_sleep<R>(
    deadline: Option<Instant>,
    mut poll: impl FnMut() -> Option<R>,
) -> Result<R, BeforeSleep> {
    let budget = busy_poll();
    let length = deadline.map_or(budget, |deadline| {
        budget.min(deadline.saturating_duration_since(Instant::now()))
    });
    if length.is_zero() {
        return Err(BeforeSleep(None));
    }
    let begin = system::monotonic();
    let sleep = BeforeSleep(Some((begin, budget)));
    if !allows(&POLICY, begin) {
        return Err(sleep);
    }
    let generation = process::generation();
    if !SPINNERS.enter(generation, threads_that_may_poll(begin)) {
        return Err(sleep);
    }
    let found = poll_for(begin, length, &mut poll);
    SPINNERS.leave(generation);
    found.ok_or(BeforeSleep(None))
}

fn poll_for<R>(
    begin: Duration,
    length: Duration,
    poll: &mut impl FnMut() -> Option<R>,
) -> Option<R> {
    let end = begin + length;
    let mut before = begin;
    loop {
        let now = system::monotonic();
        let lost = lost_processor(before, now);
        let found = poll();
        if found.is_some() && !lost {
            CONTENTION.not_lost(now);
            update(&POLICY, Policy::hit);
            return found;
        }
        if lost || now >= end {
            update(&POLICY, |policy| policy.missed(now));
            return found;
        }
        before = now;
        // To whoever wants this processor: the thread that the answer comes from, maybe.
        thread::yield_now();
    }
}

/// Whether a thread at work had the processor since `before`. Then nobody yields for a while: that thread keeps the processor to
/// the end of its time, whereas a sleeper that is woken would have got it at once.
fn lost_processor(before: Duration, now: Duration) -> bool {
    let lost = now.saturating_sub(before) > LOST && !is_endless();
    if lost {
        CONTENTION.lost(now);
    }
    lost
}

/// With a single processor, which polls would only keep from the answer's thread, there is this instead: the others that are
/// ready run, before a call sleeps that would have to wait.
///
/// What it returns, for as long as that is likely to pay, says that the call is worth another try, and is to be told how that went.
#[cfg(any(feature = "python", test))]
pub(crate) fn let_others_run(yield_now: impl FnOnce()) -> Option<Yielded> {
    // More than one processor, as far as is known: no clock is read for that. The polls of such a thread ask again.
    if PROCESSORS.get().0 > 1 || busy_poll().is_zero() {
        return None;
    }
    let begin = system::monotonic();
    if processors(begin) > 1 || !allows(&YIELDS, begin) {
        return None;
    }
    yield_now();
    let end = system::monotonic();
    (!lost_processor(begin, end)).then_some(Yielded(end.saturating_sub(begin)))
}

/// The time for which others may have run.
#[cfg(any(feature = "python", test))]
pub(crate) struct Yielded(Duration);

#[cfg(any(feature = "python", test))]
impl Yielded {
    /// Whether the call got on for it. Its source is what [`needs_others`] is asked of next time.
    pub(crate) fn has_answered(self, source: &Source, answered: bool) {
        let now = system::monotonic();
        if answered {
            CONTENTION.not_lost(now);
            update(&YIELDS, Policy::hit);
        } else {
            update(&YIELDS, |policy| policy.missed(now));
        }
        let needed = answered && self.0 >= AT_WORK;
        NEEDED.set(needed.then(|| source.identity()));
    }
}

/// Whether the last call of this thread's was one on this source and got its answer from the others: then they may as well run
/// before the first try, which would be in vain.
#[cfg(any(feature = "python", test))]
pub(crate) fn needs_others(source: &Source) -> bool {
    NEEDED.get() == Some(source.identity())
}

/// See [`endless`].
fn is_endless() -> bool {
    cfg!(test) && busy_poll() > LONGEST_BUSY_POLL
}

/// Has the calling thread poll, or let others run, before its next sleep, if it may at all.
#[cfg(test)]
pub(super) fn eager() {
    for policy in [&POLICY, &YIELDS] {
        update(policy, Policy::hit);
        update(policy, Policy::slept_shortly);
    }
    CONTENTION.until.store(0, Ordering::Relaxed);
}

/// Has polls last longer than any test, on a busy machine too.
#[cfg(test)]
pub(super) fn endless() {
    BUDGET.store(as_nanoseconds(Duration::from_secs(3600)), Ordering::Relaxed);
}

/// How many threads poll now.
#[cfg(test)]
pub(super) fn polling() -> usize {
    SPINNERS
        .count(process::generation())
        .try_into()
        .unwrap_or(usize::MAX)
}

//! A driver: one epoll set, turned by one thread, and told of changes by any.
//!
//! Each thread that blocks has a driver of its own, made at its first wait and dropped with the thread. A driver costs one
//! descriptor. To wake a thread that sleeps in its driver, the process has one eventfd that is always readable:
//! arming an edge-triggered interest in it queues an event in the driver's epoll set at once. (mio's `Waker` would cost
//! an eventfd a driver.) A driver that nobody uses may be taken away when descriptors run out; its thread makes another.
//!
//! A program may close all its descriptors from some number on (`os.closerange` in a daemon), and with them the reactor's,
//! whose numbers then come to mean something else. Nothing here closes a number that is not certainly its own any more.

use std::{
    cell::{Cell, RefCell},
    io,
    mem::{self, ManuallyDrop},
    os::fd::{AsRawFd, OwnedFd, RawFd},
    ptr,
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicI32, AtomicU64, Ordering, fence},
    },
    task::Wake,
    time::{Duration, Instant},
};

use mio::{Interest, Token, unix::SourceFd};
use slab::Slab;

use super::{
    busy_poll,
    fork_mutex::ForkMutex,
    parking::Parking,
    process,
    ref_word::{Close, RefWord},
    source::Inner,
    system::{self, Events, Poke},
    wait_list::{Direction, Directions},
};

/// The token of a wake-up, which no source has.
const WAKE: u64 = u64::MAX;

// Tokens go through mio's `usize`.
const _: () = assert!(usize::BITS >= u64::BITS, "the reactor needs 64-bit tokens");

/// How long a driver may lie unused before making another one takes it away.
const IDLE_LIMIT: Duration = Duration::from_secs(5);

/// What a thread shares with those that wake it and with the sources that it waits for.
pub(super) struct Core {
    /// Never dropped: `dispose` closes `epoll` instead, if the number still means it.
    poll: ManuallyDrop<mio::Poll>,
    epoll: RawFd,
    /// The always readable descriptor as this epoll set knows it.
    wake: AtomicI32,
    /// References are held by users of `epoll`; it is closed when marked closed and unreferenced.
    word: RefWord,
    parking: Parking,
    slots: ForkMutex<Slots>,
    generation: u32,
    /// [`milliseconds`] at the end of the last use.
    last_used: AtomicU64,
}

#[derive(Default)]
struct Slots {
    sources: Slab<(u32, Arc<Inner>)>,
    /// Bumped for every source: a late event of an older one in the same slot is told apart by it.
    next: u32,
}

/// A token is a slot and the generation of its occupant.
fn token(index: usize, occupant: u32) -> u64 {
    (index as u64) << 32 | u64::from(occupant)
}

fn slot(token: u64) -> (usize, u32) {
    ((token >> 32) as usize, token as u32)
}

fn interest(directions: Directions) -> Interest {
    match (
        directions.contains(Direction::Read),
        directions.contains(Direction::Write),
    ) {
        (true, true) => Interest::READABLE | Interest::WRITABLE,
        (false, true) => Interest::WRITABLE,
        _ => Interest::READABLE,
    }
}

/// Milliseconds of the monotonic clock. Not `Instant`s since a first one: a fork during that one's making would leave a child
/// with a `OnceLock` that is for ever being initialised.
fn milliseconds() -> u64 {
    system::monotonic()
        .as_millis()
        .try_into()
        .unwrap_or(u64::MAX)
}

/// The process's always readable eventfd, or -1. A child closes its copy and makes its own.
static WAKE_DESCRIPTOR: AtomicI32 = AtomicI32::new(-1);

/// The identity of [`WAKE_DESCRIPTOR`], the same for all eventfds.
static EVENTFD: OnceLock<Option<(libc::dev_t, libc::ino_t)>> = OnceLock::new();

/// The always readable descriptor, made if there is none. Only under the lock of [`process::with_drivers`].
fn wake_descriptor() -> io::Result<RawFd> {
    let fd = WAKE_DESCRIPTOR.load(Ordering::Acquire);
    if fd >= 0
        && EVENTFD
            .get()
            .is_some_and(|known| *known == system::identity(fd))
    {
        return Ok(fd);
    }
    let made = system::eventfd(1)?;
    let fd = made.as_raw_fd();
    EVENTFD.get_or_init(|| system::identity(fd));
    // The one before, if any, has been closed behind our back.
    WAKE_DESCRIPTOR.store(fd, Ordering::Release);
    mem::forget::<OwnedFd>(made);
    Ok(fd)
}

/// For the fork handler: async-signal-safe.
pub(super) fn close_wake_descriptor_in_child() {
    let fd = WAKE_DESCRIPTOR.swap(-1, Ordering::Relaxed);
    if fd >= 0 {
        let _ = system::close(fd);
    }
}

/// Wakes the thread that [`super::park`] last made the target of signals. Async-signal-safe.
#[cfg(any(feature = "python", test))]
pub(crate) fn poke_signal_target() {
    // What the handler has written about the signal comes before the look at who is to be told: `set_signal_target`.
    fence(Ordering::SeqCst);
    let epoll = process::SIGNAL_TARGET.load(Ordering::SeqCst);
    let readable = WAKE_DESCRIPTOR.load(Ordering::Relaxed);
    if epoll >= 0 && readable >= 0 {
        // Where the number has come to mean another epoll set, the descriptor is not in it, and nothing happens.
        system::keeping_errno(|| drop(system::poke(epoll, readable, Poke::Fire(WAKE))));
    }
}

/// Makes this driver the one that [`poke_signal_target`] wakes. True when it was not before.
pub(super) fn set_signal_target(core: &Core) -> bool {
    let new = process::SIGNAL_TARGET.swap(core.epoll, Ordering::SeqCst) != core.epoll;
    // Either the handler finds the new target, or the caller, who looks for signals after this, finds the signal.
    fence(Ordering::SeqCst);
    new
}

impl Core {
    /// A new driver, in use until [`Self::end_use`]: from the moment that it is listed, others would reclaim it.
    pub(super) fn new() -> io::Result<Arc<Self>> {
        process::watch_forks();
        sweep();
        let generation = process::generation();
        // Made and listed in one, so that no fork comes between, and no child keeps an epoll set that it does not know of.
        let (core, lost) = process::with_drivers(|drivers| {
            let wake = wake_descriptor()?;
            let poll = mio::Poll::new()?;
            let epoll = poll.as_raw_fd();
            system::poke(epoll, wake, Poke::Prepare)?;
            let word = RefWord::new(generation);
            word.acquire(generation);
            let core = Arc::new(Self {
                poll: ManuallyDrop::new(poll),
                epoll,
                wake: AtomicI32::new(wake),
                word,
                parking: Parking::new(),
                slots: ForkMutex::new(Slots::default()),
                generation,
                last_used: AtomicU64::new(milliseconds()),
            });
            let same = drivers.iter().position(|(number, _)| *number == epoll);
            let lost = same.and_then(|index| drivers.swap_remove(index).1.upgrade());
            drivers.push((epoll, Arc::downgrade(&core)));
            io::Result::Ok((core, lost))
        })?;
        // A driver whose number the kernel has given out again was closed behind our back.
        if let Some(lost) = lost {
            lost.close();
        }
        Ok(core)
    }

    /// Runs `f` while the epoll set is certain to be open; `None` when it is not, or belongs to a parent process.
    fn with_poll<R>(&self, f: impl FnOnce(&mio::Poll) -> R) -> Option<R> {
        if self.generation != process::generation() || !self.word.acquire(self.generation) {
            return None;
        }
        let result = f(&self.poll);
        if self.word.release(self.generation) {
            self.dispose();
        }
        Some(result)
    }

    /// Makes the thread that turns this driver, or will, come back at once. False when the epoll set is gone.
    fn poke(&self) -> bool {
        let fired = self.with_poll(|_| {
            let wake = self.wake.load(Ordering::Acquire);
            if system::poke(self.epoll, wake, Poke::Fire(WAKE)).is_ok() {
                return true;
            }
            // Closed behind our back, it or the epoll set.
            process::with_drivers(|_| {
                let wake = wake_descriptor()?;
                system::poke(self.epoll, wake, Poke::PrepareAndFire(WAKE))
                    .or_else(|_| system::poke(self.epoll, wake, Poke::Fire(WAKE)))?;
                self.wake.store(wake, Ordering::Release);
                io::Result::Ok(())
            })
            .is_ok()
        });
        fired.unwrap_or(false)
    }

    /// Whether the epoll set is still there; after an error, as it costs a spurious wake-up.
    pub(super) fn is_open(&self) -> bool {
        self.poke()
    }

    /// Keeps the driver from being reclaimed until [`Self::end_use`]. False when it is gone.
    pub(super) fn begin_use(&self) -> bool {
        self.generation == process::generation() && self.word.acquire(self.generation)
    }

    pub(super) fn end_use(&self) {
        self.last_used.store(milliseconds(), Ordering::Relaxed);
        if self.word.release(self.generation) {
            self.dispose();
        }
    }

    /// Makes the next [`Self::turn`] come back without sleeping.
    pub(super) fn skip_sleep(&self) {
        self.parking.notify();
    }

    /// Takes what was notified until now as heard. The caller polls whatever it waits for after this.
    pub(super) fn hear(&self) {
        self.parking.wake_up();
    }

    /// Tells the kernel to report these directions of a source. Its token here, which `known` is if it has one.
    pub(super) fn arm(
        &self,
        source: &Arc<Inner>,
        fd: RawFd,
        wanted: Directions,
        known: Option<u64>,
    ) -> io::Result<u64> {
        let armed = self.with_poll(|poll| {
            let registry = poll.registry();
            let mut fd = SourceFd(&fd);
            if let Some(token) = known {
                let name = Token(token as usize);
                match registry.reregister(&mut fd, name, interest(wanted)) {
                    // The program has made the number mean another file (`dup2`), which the kernel does not know here.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {
                        registry.register(&mut fd, name, interest(wanted))?;
                    }
                    result => result?,
                }
                return Ok(token);
            }
            let mut slots = self.slots.lock();
            let occupant = slots.next;
            slots.next = occupant.wrapping_add(1);
            let index = slots.sources.insert((occupant, Arc::clone(source)));
            let token = token(index, occupant);
            if let Err(error) = registry.register(&mut fd, Token(token as usize), interest(wanted))
            {
                slots.sources.remove(index);
                return Err(error);
            }
            Ok(token)
        });
        armed.unwrap_or_else(|| Err(io::Error::from_raw_os_error(libc::EBADF)))
    }

    /// Takes a source out before its descriptor closes: a duplicate elsewhere would keep the registration alive.
    pub(super) fn disarm(&self, token: u64, fd: RawFd) {
        self.with_poll(|poll| {
            // An error means that the kernel has forgotten it: the program closed the number behind our back.
            let _ = poll.registry().deregister(&mut SourceFd(&fd));
            let (index, occupant) = slot(token);
            let mut slots = self.slots.lock();
            if slots
                .sources
                .get(index)
                .is_some_and(|(current, _)| *current == occupant)
            {
                slots.sources.remove(index);
            }
        });
    }

    /// Sleeps until an event, a wake-up, a signal or the deadline, and takes in what happened. May poll first ([`busy_poll`]).
    ///
    /// # Errors
    ///
    /// `EINTR` aside, only that the epoll set is not usable any more (the program has closed its number, say).
    ///
    /// The caller polls whatever it waits for after this: notifications that came before are taken as heard.
    pub(super) fn turn(&self, deadline: Option<Instant>) -> io::Result<()> {
        self.turn_with(Self::poll_then_sleep, deadline)
    }

    /// [`Self::turn`] that never polls: for a thread whose events concern others, whom it has to wake anyway.
    pub(super) fn turn_for_others(&self) -> io::Result<()> {
        self.turn_with(|core, events, deadline| core.sleep(events, deadline), None)
    }

    fn turn_with(
        &self,
        wait: fn(&Self, &mut Events, Option<Instant>) -> io::Result<()>,
        deadline: Option<Instant>,
    ) -> io::Result<()> {
        // Given up as lost: the number may be another driver's by now, whose events this would take.
        if self.word.is_closed() {
            return Err(io::Error::from_raw_os_error(libc::EBADF));
        }
        let mut events = Events::new();
        match wait(self, &mut events, deadline) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        for event in events.happened() {
            if event.u64 != WAKE {
                self.dispatch(event.u64, event.events as i32);
            }
        }
        // Those events have notified this very thread; without this its next sleep would end at once, for nothing.
        self.parking.wake_up();
        Ok(())
    }

    /// Takes no events where a notification or the deadline ends it.
    fn poll_then_sleep(&self, events: &mut Events, deadline: Option<Instant>) -> io::Result<()> {
        // A notification needs no system call while the thread polls: it looks for it itself.
        let found = busy_poll::poll_before_sleep(deadline, || {
            if self.parking.is_notified() {
                return Some(Ok(()));
            }
            match events.look(self.epoll) {
                Ok(()) if events.happened().is_empty() => None,
                found => Some(found),
            }
        });
        let sleep = match found {
            Ok(found) => {
                self.parking.wake_up();
                return found;
            }
            Err(sleep) => sleep,
        };
        self.sleep(events, deadline)?;
        if !events.happened().is_empty() {
            sleep.ended();
        }
        Ok(())
    }

    fn sleep(&self, events: &mut Events, deadline: Option<Instant>) -> io::Result<()> {
        if !self.parking.fall_asleep() {
            self.parking.wake_up();
            return Ok(());
        }
        let slept = events.wait(self.epoll, deadline);
        self.parking.wake_up();
        slept
    }

    fn dispatch(&self, token: u64, events: i32) {
        let (index, occupant) = slot(token);
        let source = match self.slots.lock().sources.get(index) {
            Some((current, source)) if *current == occupant => Arc::clone(source),
            _ => return,
        };
        let both = events & (libc::EPOLLERR | libc::EPOLLHUP) != 0;
        let read = both || events & (libc::EPOLLIN | libc::EPOLLRDHUP | libc::EPOLLPRI) != 0;
        let write = both || events & libc::EPOLLOUT != 0;
        source.event(self, read, write);
    }

    /// The second half of closing: the word says closed and unreferenced, so nobody else uses the epoll set.
    fn dispose(&self) {
        if self.generation != process::generation() {
            return;
        }
        let _ = process::SIGNAL_TARGET.compare_exchange(
            self.epoll,
            -1,
            Ordering::SeqCst,
            Ordering::Relaxed,
        );
        // Closed and struck off in one, so that no fork comes between.
        process::with_drivers(|drivers| {
            let Some(index) = drivers
                .iter()
                .position(|(_, core)| ptr::eq(core.as_ptr(), self))
            else {
                return;
            };
            drivers.swap_remove(index);
            // It is in this epoll set, and if this number's has it not, that is another's.
            let wake = self.wake.load(Ordering::Acquire);
            if system::poke(self.epoll, wake, Poke::Remove).is_ok() {
                let _ = system::close(self.epoll);
            }
        });
        let sources = mem::take(&mut self.slots.lock().sources);
        for (_, (_, source)) in sources {
            source.forget(self);
        }
    }

    /// Ends a use, and the driver.
    pub(super) fn abandon(&self) {
        self.end_use();
        self.close();
    }

    /// Ends the driver, when nobody uses it any more.
    pub(super) fn close(&self) {
        if self.generation == process::generation()
            && self.word.close(self.generation) == Close::Idle
        {
            self.dispose();
        }
    }
}

impl Wake for Core {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.parking.notify() {
            self.poke();
        }
    }
}

/// Closes drivers whose threads are not waiting and have not for `idle_for`; how many.
///
/// For a caller that has met EMFILE: the descriptors may be enough for another try.
pub fn reclaim_idle_drivers(idle_for: Duration) -> usize {
    let unused_since =
        milliseconds().saturating_sub(u64::try_from(idle_for.as_millis()).unwrap_or(u64::MAX));
    // Filtered outside the lock, where a driver may be dropped.
    let cores: Vec<Arc<Core>> = process::with_drivers(|drivers| {
        drivers
            .iter()
            .filter_map(|(_, core)| Weak::upgrade(core))
            .collect()
    });
    cores
        .iter()
        .filter(|core| core.last_used.load(Ordering::Relaxed) <= unused_since)
        .filter(|core| core.word.close_if_idle(core.generation))
        .map(|core| core.dispose())
        .count()
}

/// Reclaims what has lain unused for long, now and then.
fn sweep() {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let (now, last) = (milliseconds(), LAST.load(Ordering::Relaxed));
    let limit = u64::try_from(IDLE_LIMIT.as_millis()).unwrap_or(u64::MAX);
    if now.saturating_sub(last) >= limit
        && LAST
            .compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    {
        reclaim_idle_drivers(IDLE_LIMIT);
    }
}

/// The calling thread's driver.
struct Mine(RefCell<Option<Arc<Core>>>);

impl Drop for Mine {
    fn drop(&mut self) {
        if let Some(core) = self.0.get_mut().take() {
            retire(core);
        }
    }
}

fn retire(core: Arc<Core>) {
    if core.generation == process::generation() {
        core.close();
    } else {
        // A parent's: its sources' lists and its epoll number mean nothing here.
        mem::forget(core);
    }
}

/// What this thread is polling.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Polling {
    /// Nothing that it blocks in.
    Nothing,
    /// A future that it blocks in.
    Own,
    /// A part of such a future that must not depend on this thread.
    Common,
}

thread_local! {
    static MINE: Mine = const { Mine(RefCell::new(None)) };
    static POLLING: Cell<Polling> = const { Cell::new(Polling::Nothing) };
}

/// The calling thread's own driver, in use until [`Core::end_use`].
///
/// # Errors
///
/// No descriptor or memory for one (EMFILE, ENFILE, ENOMEM), or the thread is past its thread-local data.
pub(super) fn own() -> io::Result<Arc<Core>> {
    MINE.try_with(|mine| {
        let mut mine = mine
            .0
            .try_borrow_mut()
            .map_err(|_| io::Error::from_raw_os_error(libc::EBUSY))?;
        if let Some(core) = mine.as_ref().filter(|core| core.begin_use()) {
            return Ok(Arc::clone(core));
        }
        if let Some(gone) = mine.take() {
            retire(gone);
        }
        let core = Core::new()?;
        *mine = Some(Arc::clone(&core));
        Ok(core)
    })
    .unwrap_or_else(|_| Err(io::Error::from_raw_os_error(libc::EBUSY)))
}

/// Drops the calling thread's driver: its epoll set has failed.
pub(super) fn discard_own() {
    let _ = MINE.try_with(|mine| {
        mine.0
            .try_borrow_mut()
            .map(|mut mine| mine.take().map(retire))
    });
}

/// Runs `f` so that readiness futures polled in it register with this thread's driver.
pub(super) fn polling<R>(f: impl FnOnce() -> R) -> R {
    set_polling(Polling::Own, f)
}

/// Runs `f` so that nothing polled in it depends on this thread: for what several threads wait for, of which the one that polls
/// may be the first to leave.
pub(crate) fn not_polling<R>(f: impl FnOnce() -> R) -> R {
    set_polling(
        if is_nested() {
            Polling::Common
        } else {
            Polling::Nothing
        },
        f,
    )
}

fn set_polling<R>(now: Polling, f: impl FnOnce() -> R) -> R {
    struct Restore(Polling);
    impl Drop for Restore {
        fn drop(&mut self) {
            POLLING.set(self.0);
        }
    }
    let _restore = Restore(POLLING.replace(now));
    f()
}

/// Whether a readiness future polled here and now belongs to this thread's own driver: the thread blocks in it.
pub(crate) fn is_polling() -> bool {
    POLLING.get() == Polling::Own
}

/// The thread that blocks in what it is polling here and now, by a number that no other thread has nor had; `None` where none does.
pub(crate) fn blocking_thread() -> Option<u64> {
    static NUMBERS: AtomicU64 = AtomicU64::new(1);
    thread_local! {
        static NUMBER: Cell<u64> = const { Cell::new(0) };
    }
    if !is_polling() {
        return None;
    }
    if NUMBER.get() == 0 {
        NUMBER.set(NUMBERS.fetch_add(1, Ordering::Relaxed));
    }
    Some(NUMBER.get())
}

/// Whether this thread, here and now, is polling a future that it blocks in, or a part of one.
pub(super) fn is_nested() -> bool {
    POLLING.get() != Polling::Nothing
}

/// The driver in use by this thread's `block_on`, if it could get one.
pub(super) fn in_use() -> Option<Arc<Core>> {
    MINE.try_with(|mine| mine.0.try_borrow().ok().and_then(|mine| mine.clone()))
        .ok()
        .flatten()
        .filter(|core| {
            core.generation == process::generation() && core.word.is_busy(core.generation)
        })
}

/// Runs `f`, and once more if it fails for want of descriptors while the reactor had some to give back.
pub(crate) fn with_more_descriptors<R>(mut f: impl FnMut() -> io::Result<R>) -> io::Result<R> {
    match f() {
        Err(error)
            if matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
                && reclaim_idle_drivers(Duration::ZERO) > 0 =>
        {
            f()
        }
        result => result,
    }
}

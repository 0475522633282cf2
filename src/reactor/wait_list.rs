//! Who waits for a source, and the count of events that makes sure nobody waits for one that has been.
//!
//! Every event of a direction bumps that direction's tick. A caller reads the tick, tries its system call, and if that
//! would have blocked waits until the tick has changed: an event between the try and the wait is seen as a changed tick,
//! so readiness has no flag that would need clearing, and two callers cannot clear it for each other.

use std::{io, mem, task::Waker};

use super::{
    fork_mutex::ForkMutex,
    sync::{AtomicU32, Ordering},
};

/// The two directions in which a socket becomes ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Data, a connection, end of file or an error can be received.
    Read,
    /// There is room to send, or a connection attempt has ended.
    Write,
}

/// A set of directions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Directions(u8);

impl Directions {
    pub(super) fn contains(self, direction: Direction) -> bool {
        self.0 & 1 << direction as u8 != 0
    }

    pub(super) fn with(self, direction: Direction) -> Self {
        Self(self.0 | 1 << direction as u8)
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// A source's registration with one driver, and who waits for the source there.
struct Arm<D> {
    driver: D,
    /// What the driver's epoll set reports of the source.
    armed: Directions,
    /// The driver's name for the source, once armed.
    token: u64,
    waiters: Vec<Waiter>,
    /// Events of each direction that woke nobody here, since somebody waited for it.
    vain: [u8; 2],
}

/// How many events in vain a driver takes before it has the kernel report no more. One comes easily to a thread that waits for two
/// sockets in turn; to disarm it for that would cost it two system calls each time.
const PATIENCE: u8 = 2;

impl<D> Arm<D> {
    /// What is waited for here.
    fn wanted(&self) -> Directions {
        self.waiters
            .iter()
            .fold(Directions::default(), |all, waiter| {
                all.with(waiter.direction)
            })
    }

    /// Whether it was once too often.
    fn take_in_vain(&mut self, happened: Directions) -> bool {
        let mut enough = false;
        for direction in [Direction::Read, Direction::Write] {
            if happened.contains(direction) {
                let vain = &mut self.vain[direction as usize];
                *vain = vain.saturating_add(1);
                enough |= *vain >= PATIENCE;
            }
        }
        enough
    }

    fn position(&self, id: u64) -> Option<usize> {
        self.waiters.iter().position(|waiter| waiter.id == id)
    }
}

struct Arms<D> {
    list: Vec<Arm<D>>,
    next_id: u64,
}

impl<D> Default for Arms<D> {
    fn default() -> Self {
        Self {
            list: Vec::new(),
            next_id: 1,
        }
    }
}

struct Waiter {
    id: u64,
    direction: Direction,
    waker: Waker,
}

/// Appends to a list that mostly stays at one entry, where a vector by itself makes room for four: every socket that was waited
/// for once keeps these.
fn push_exact<T>(list: &mut Vec<T>, entry: impl FnOnce() -> T) {
    if list.is_empty() {
        list.reserve_exact(1);
    }
    list.push(entry());
}

/// The waits for one source. `D` is a handle to a driver, compared for identity.
pub(super) struct WaitList<D> {
    ticks: [AtomicU32; 2],
    arms: ForkMutex<Arms<D>>,
    /// This process's generation; loom tests, which have no forks, pass a constant.
    generation: fn() -> u32,
}

/// One wait, as [`WaitList::enroll`] needs it.
pub(super) struct Wait<'a> {
    /// What the last [`WaitList::enroll`] of this wait returned, to renew it.
    pub(super) id: Option<u64>,
    pub(super) direction: Direction,
    /// The tick that was read before the system call that would have blocked.
    pub(super) seen: u32,
    pub(super) waker: &'a Waker,
}

impl<D: Clone + PartialEq> WaitList<D> {
    pub(super) fn new(generation: fn() -> u32) -> Self {
        Self {
            ticks: [AtomicU32::new(0), AtomicU32::new(0)],
            arms: ForkMutex::new(Arms::default()),
            generation,
        }
    }

    pub(super) fn tick(&self, direction: Direction) -> u32 {
        self.ticks[direction as usize].load(Ordering::Acquire)
    }

    /// Enters a wait, unless its event has already been or `closed` says that none will come. Its id if it waits now.
    ///
    /// `arm` tells the kernel of the directions wanted; it gets the token of the source in this driver, if it has one, and
    /// returns it. The caller keeps the descriptor open meanwhile.
    pub(super) fn enroll(
        &self,
        driver: &D,
        wait: &Wait<'_>,
        closed: impl FnOnce() -> bool,
        arm: impl FnOnce(Directions, Option<u64>) -> io::Result<u64>,
    ) -> io::Result<Option<u64>> {
        // Declared before the lock, so dropped after it: dropping a waker may drop a task, and with it other waits.
        let mut _replaced = None;
        let mut arms = self.arms.lock_in((self.generation)());
        let Arms { list, next_id } = &mut *arms;
        let index = list
            .iter()
            .position(|arm| arm.driver == *driver)
            .unwrap_or_else(|| {
                push_exact(list, || Arm {
                    driver: driver.clone(),
                    armed: Directions::default(),
                    token: 0,
                    waiters: Vec::new(),
                    vain: [0; 2],
                });
                list.len() - 1
            });
        let entry = &mut list[index];
        entry.vain[wait.direction as usize] = 0;
        if !entry.armed.contains(wait.direction) {
            let wanted = entry.armed.with(wait.direction);
            match arm(wanted, (!entry.armed.is_empty()).then_some(entry.token)) {
                Ok(token) => (entry.armed, entry.token) = (wanted, token),
                Err(error) => {
                    if entry.armed.is_empty() {
                        list.swap_remove(index);
                    }
                    return Err(error);
                }
            }
        }
        let known = wait.id.and_then(|id| entry.position(id));
        let id = match wait.id.filter(|_| known.is_some()) {
            Some(id) => id,
            None => {
                let id = *next_id;
                *next_id += 1;
                id
            }
        };
        // An event or a close comes before this lock was taken, and is seen here, or after it, and finds the wait listed.
        if self.tick(wait.direction) != wait.seen || closed() {
            _replaced = known.map(|index| entry.waiters.swap_remove(index).waker);
            return Ok(None);
        }
        match known.and_then(|index| entry.waiters.get_mut(index)) {
            Some(waiter) if waiter.waker.will_wake(wait.waker) => {}
            Some(waiter) => _replaced = Some(mem::replace(&mut waiter.waker, wait.waker.clone())),
            None => push_exact(&mut entry.waiters, || Waiter {
                id,
                direction: wait.direction,
                waker: wait.waker.clone(),
            }),
        }
        Ok(Some(id))
    }

    /// Ends the wait `id` at `driver`, whether or not it is still there.
    pub(super) fn withdraw(&self, driver: &D, id: u64) {
        let _withdrawn = {
            let mut arms = self.arms.lock_in((self.generation)());
            let arm = arms.list.iter_mut().find(|arm| arm.driver == *driver);
            arm.and_then(|arm| arm.position(id).map(|index| arm.waiters.swap_remove(index)))
        };
    }

    /// Takes in an event that a driver reports, and wakes whom it concerns there; each driver wakes its own.
    ///
    /// True when nobody waits there, and has not for some events: then the caller should [`Self::relinquish`].
    pub(super) fn event(&self, from: impl Fn(&D) -> bool, read: bool, write: bool) -> bool {
        let mut happened = Directions::default();
        for (direction, is) in [(Direction::Read, read), (Direction::Write, write)] {
            if is {
                happened = happened.with(direction);
                self.ticks[direction as usize].fetch_add(1, Ordering::Release);
            }
        }
        let mut woken = Vec::new();
        {
            let mut arms = self.arms.lock_in((self.generation)());
            let Some(arm) = arms.list.iter_mut().find(|arm| from(&arm.driver)) else {
                return false;
            };
            let concerned = arm
                .waiters
                .iter()
                .filter(|waiter| happened.contains(waiter.direction));
            woken.extend(concerned.map(|waiter| waiter.waker.clone()));
            if woken.is_empty() {
                return arm.take_in_vain(happened);
            }
        }
        // Outside the lock: a waker may run any code.
        woken.into_iter().for_each(Waker::wake);
        false
    }

    /// Has a driver report no more than what is waited for there: its thread would be woken by each datum for ever after, though
    /// another one serves the source by now.
    ///
    /// `narrow` tells the kernel of the directions left; none: to forget the source, whose token it gets. Under the lock that
    /// [`Self::enroll`] arms under, so whoever begins to wait is seen here, or arms anew, and is told what is there by then.
    pub(super) fn relinquish(
        &self,
        from: impl Fn(&D) -> bool,
        narrow: impl FnOnce(Directions, u64) -> io::Result<()>,
    ) {
        // Dropped after the lock.
        let mut _gone = None;
        let mut arms = self.arms.lock_in((self.generation)());
        let Some(index) = arms.list.iter().position(|arm| from(&arm.driver)) else {
            return;
        };
        let arm = &mut arms.list[index];
        let wanted = arm.wanted();
        arm.vain = [0; 2];
        if wanted == arm.armed || narrow(wanted, arm.token).is_err() {
            return;
        }
        arm.armed = wanted;
        if wanted.is_empty() {
            _gone = Some(arms.list.swap_remove(index));
        }
    }

    /// [`Self::relinquish`] for all drivers at which nobody waits now, whatever they have reported: `forget` tells the kernel.
    pub(super) fn relinquish_idle(&self, forget: impl Fn(&D, u64)) {
        // Dropped after the lock.
        let _idle: Vec<_> = {
            let mut arms = self.arms.lock_in((self.generation)());
            let is_idle = |arm: &mut Arm<D>| arm.waiters.is_empty();
            let idle: Vec<_> = arms.list.extract_if(.., is_idle).collect();
            for arm in &idle {
                forget(&arm.driver, arm.token);
            }
            if arms.list.is_empty() {
                arms.list = Vec::new();
            }
            idle
        };
    }

    /// Makes everybody look at what has changed, also who has read a tick and will wait for a later one.
    pub(super) fn recheck(&self) {
        for tick in &self.ticks {
            tick.fetch_add(1, Ordering::Release);
        }
        self.wake_all();
    }

    /// Wakes everybody who waits.
    pub(super) fn wake_all(&self) {
        let woken: Vec<Waker> = {
            let arms = self.arms.lock_in((self.generation)());
            arms.list
                .iter()
                .flat_map(|arm| &arm.waiters)
                .map(|waiter| waiter.waker.clone())
                .collect()
        };
        woken.into_iter().for_each(Waker::wake);
    }

    /// How many waits are entered.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.arms
            .lock_in((self.generation)())
            .list
            .iter()
            .map(|arm| arm.waiters.len())
            .sum()
    }

    /// Forgets a driver that is going away, and wakes who waited there.
    pub(super) fn forget(&self, driver: impl Fn(&D) -> bool) {
        let gone = {
            let mut arms = self.arms.lock_in((self.generation)());
            let index = arms.list.iter().position(|arm| driver(&arm.driver));
            index.map(|index| arms.list.swap_remove(index))
        };
        gone.into_iter()
            .flat_map(|arm| arm.waiters)
            .for_each(|waiter| waiter.waker.wake());
    }

    /// Forgets everything and wakes everybody; the drivers that know the source, with their tokens for it.
    pub(super) fn clear(&self) -> Vec<(D, u64)> {
        let arms = mem::take(&mut self.arms.lock_in((self.generation)()).list);
        let mut drivers = Vec::with_capacity(arms.len());
        for arm in arms {
            drivers.push((arm.driver, arm.token));
            arm.waiters
                .into_iter()
                .for_each(|waiter| waiter.waker.wake());
        }
        drivers
    }
}

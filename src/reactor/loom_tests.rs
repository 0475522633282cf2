//! The lock-free parts under every interleaving that loom finds: `RUSTFLAGS="--cfg loom" cargo test --no-default-features --lib --release`.

use std::{
    io,
    task::{RawWaker, RawWakerVTable, Waker},
};

use loom::{
    cell::UnsafeCell,
    model::Builder,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering},
    },
    thread,
};

use super::{
    fork_mutex::ForkMutex,
    parking::Parking,
    ref_word::{Close, RefWord},
    spinners::Spinners,
    wait_list::{Direction, Directions, Wait, WaitList},
};

const GENERATION: u32 = 1;

/// Models of three threads and spin locks are too many interleavings without a bound: three preemptions find what is known.
fn model(test: impl Fn() + Sync + Send + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(test);
}

/// A descriptor behind a reference word. Its cell makes loom report a use while, or after, it is disposed of.
struct Descriptor {
    word: RefWord,
    open: UnsafeCell<bool>,
    disposed: AtomicUsize,
}

impl Descriptor {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            word: RefWord::new(GENERATION),
            open: UnsafeCell::new(true),
            disposed: AtomicUsize::new(0),
        })
    }

    fn dispose(&self) {
        // SAFETY: the word elected this caller, and loom checks that nobody else is here.
        self.open.with_mut(|open| unsafe { *open = false });
        self.disposed.fetch_add(1, Ordering::Relaxed);
    }

    fn system_call(&self) -> bool {
        if !self.word.acquire(GENERATION) {
            return false;
        }
        // SAFETY: a reference is held, and loom checks that nobody disposes meanwhile.
        self.open
            .with(|open| assert!(unsafe { *open }, "used after it was disposed of"));
        if self.word.release(GENERATION) {
            self.dispose();
        }
        true
    }

    fn close(&self) {
        if self.word.close(GENERATION) == Close::Idle {
            self.dispose();
        }
    }
}

#[test]
fn ref_word_disposes_once_and_nothing_is_used_after() {
    model(|| {
        let descriptor = Descriptor::new();
        let threads: Vec<_> = (0..2)
            .map(|index| {
                let descriptor = Arc::clone(&descriptor);
                thread::spawn(move || {
                    descriptor.system_call();
                    if index == 1 {
                        descriptor.close();
                    }
                })
            })
            .collect();
        descriptor.close();
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
        assert_eq!(descriptor.disposed.load(Ordering::Relaxed), 1);
        assert!(!descriptor.system_call());
    });
}

#[test]
fn ref_word_is_closed_while_idle_or_not_at_all() {
    model(|| {
        let descriptor = Descriptor::new();
        let user = {
            let descriptor = Arc::clone(&descriptor);
            thread::spawn(move || descriptor.system_call())
        };
        let reclaimed = descriptor.word.close_if_idle(GENERATION);
        if reclaimed {
            descriptor.dispose();
        }
        let used = user.join().unwrap();
        assert!(reclaimed || used);
        assert_eq!(
            descriptor.disposed.load(Ordering::Relaxed),
            usize::from(reclaimed)
        );
    });
}

#[test]
fn ref_word_hands_over_to_who_detaches() {
    model(|| {
        let descriptor = Descriptor::new();
        let user = {
            let descriptor = Arc::clone(&descriptor);
            thread::spawn(move || {
                let _ = descriptor.system_call();
            })
        };
        assert!(descriptor.word.acquire(GENERATION));
        assert_eq!(descriptor.word.close(GENERATION), Close::Busy);
        while !descriptor.word.is_sole(GENERATION) {
            thread::yield_now();
        }
        // SAFETY: the only reference is this thread's, and loom checks that nobody uses the cell.
        descriptor.open.with_mut(|open| unsafe { *open = false });
        user.join().unwrap();
        assert_eq!(descriptor.disposed.load(Ordering::Relaxed), 0);
    });
}

/// Something that a thread sleeps for. Where it never comes, loom reports a deadlock.
struct Signal {
    given: Mutex<bool>,
    changed: Condvar,
}

impl Signal {
    fn new() -> Self {
        Self {
            given: Mutex::new(false),
            changed: Condvar::new(),
        }
    }

    fn give(&self) {
        *self.given.lock().unwrap() = true;
        self.changed.notify_one();
    }

    fn take(&self) {
        let mut given = self.given.lock().unwrap();
        while !*given {
            given = self.changed.wait(given).unwrap();
        }
        *given = false;
    }

    fn is_given(&self) -> bool {
        *self.given.lock().unwrap()
    }
}

/// The driver as [`Parking`] sees it: `epoll_wait` returns once poked.
struct Sleeper {
    parking: Parking,
    poked: Signal,
}

impl Sleeper {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            parking: Parking::new(),
            poked: Signal::new(),
        })
    }

    fn wake(&self) {
        if self.parking.notify() {
            self.poked.give();
        }
    }

    /// One turn.
    fn turn(&self) {
        // As a thread that polls before it sleeps.
        if !self.parking.is_notified() && self.parking.fall_asleep() {
            self.poked.take();
        }
        self.parking.wake_up();
    }
}

#[test]
fn parking_loses_no_notification() {
    model(|| {
        let sleeper = Sleeper::new();
        let done = Arc::new([AtomicBool::new(false), AtomicBool::new(false)]);
        let threads: Vec<_> = (0..2)
            .map(|index| {
                let (sleeper, done) = (Arc::clone(&sleeper), Arc::clone(&done));
                thread::spawn(move || {
                    // Relaxed: the hand-shake itself has to make it visible.
                    done[index].store(true, Ordering::Relaxed);
                    sleeper.wake();
                })
            })
            .collect();
        while !done.iter().all(|done| done.load(Ordering::Relaxed)) {
            sleeper.turn();
        }
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn fork_mutex_admits_one() {
    model(|| {
        let mutex = Arc::new(ForkMutex::new(0_u32));
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let mutex = Arc::clone(&mutex);
                thread::spawn(move || *mutex.lock_in(GENERATION) += 1)
            })
            .collect();
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
        assert_eq!(*mutex.lock_in(GENERATION), 2);
    });
}

#[test]
fn fork_mutex_is_taken_over_by_one_thread_of_a_child() {
    model(|| {
        let mutex = Arc::new(ForkMutex::new(0_u32));
        // A thread of the parent held it, half-way through its change, when the child was forked.
        let mut held = mutex.lock_in(GENERATION);
        *held = 7;
        std::mem::forget(held);
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let mutex = Arc::clone(&mutex);
                thread::spawn(move || *mutex.lock_in(GENERATION + 1) += 1)
            })
            .collect();
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
        assert_eq!(*mutex.lock_in(GENERATION + 1), 2, "fresh contents, once");
    });
}

/// A waker that gives a signal, as wakers of loom's own need its executor.
fn signal_waker(signal: &Arc<Signal>) -> Waker {
    unsafe fn clone(data: *const ()) -> RawWaker {
        // SAFETY: `data` came from `Arc::into_raw`, and stays a reference of the waker cloned.
        let signal = std::mem::ManuallyDrop::new(unsafe { Arc::from_raw(data.cast::<Signal>()) });
        RawWaker::new(Arc::into_raw(Arc::clone(&signal)).cast(), &TABLE)
    }
    unsafe fn wake(data: *const ()) {
        // SAFETY: as above, and this ends the reference.
        let signal = unsafe { Arc::from_raw(data.cast::<Signal>()) };
        signal.give();
    }
    unsafe fn wake_by_ref(data: *const ()) {
        // SAFETY: as in `clone`.
        let signal = std::mem::ManuallyDrop::new(unsafe { Arc::from_raw(data.cast::<Signal>()) });
        signal.give();
    }
    unsafe fn drop(data: *const ()) {
        // SAFETY: as in `wake`.
        std::mem::drop(unsafe { Arc::from_raw(data.cast::<Signal>()) });
    }
    static TABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, drop);
    // SAFETY: the functions keep the contract of `RawWaker`: each waker owns one reference.
    unsafe {
        Waker::from_raw(RawWaker::new(
            Arc::into_raw(Arc::clone(signal)).cast(),
            &TABLE,
        ))
    }
}

struct Waits {
    list: WaitList<u8>,
    closed: AtomicBool,
    /// What a system call would find.
    ready: AtomicU32,
}

impl Waits {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            list: WaitList::new(|| GENERATION),
            closed: AtomicBool::new(false),
            ready: AtomicU32::new(0),
        })
    }

    fn arm(_: Directions, known: Option<u64>) -> io::Result<u64> {
        Ok(known.unwrap_or(1))
    }

    /// A blocking call: try, wait for an event since, try again.
    fn call(&self, driver: u8) {
        loop {
            let seen = self.list.tick(Direction::Read);
            if self.closed.load(Ordering::Acquire) || self.ready.load(Ordering::Acquire) > 0 {
                return;
            }
            let woken = Arc::new(Signal::new());
            let waker = signal_waker(&woken);
            let wait = Wait {
                id: None,
                direction: Direction::Read,
                seen,
                waker: &waker,
            };
            let closed = || self.closed.load(Ordering::Acquire);
            let Some(id) = self.list.enroll(&driver, &wait, closed, Self::arm).unwrap() else {
                continue;
            };
            woken.take();
            self.list.withdraw(&driver, id);
        }
    }

    fn event(&self, driver: u8) {
        self.ready.store(1, Ordering::Release);
        let _ = self.list.event(|known| *known == driver, true, false);
    }
}

fn waits_end_with(end: impl Fn(&Waits) + Sync + Send + Copy + 'static) {
    model(move || {
        let waits = Waits::new();
        let waiter = {
            let waits = Arc::clone(&waits);
            thread::spawn(move || waits.call(1))
        };
        end(&waits);
        waiter.join().unwrap();
        assert!(waits.list.clear().len() <= 1);
    });
}

#[test]
fn wait_list_sleeps_through_no_event() {
    waits_end_with(|waits| waits.event(1));
}

#[test]
fn wait_list_sleeps_through_no_close() {
    waits_end_with(|waits| {
        waits.closed.store(true, Ordering::Release);
        waits.list.wake_all();
    });
}

#[test]
fn wait_list_sleeps_through_no_disposal() {
    waits_end_with(|waits| {
        waits.closed.store(true, Ordering::Release);
        drop(waits.list.clear());
    });
}

#[test]
fn wait_list_sleeps_through_no_recheck() {
    waits_end_with(|waits| {
        // The change itself is not in the word that `enroll` looks at, as with a timeout: the tick has to tell.
        waits.ready.store(1, Ordering::Relaxed);
        waits.list.recheck();
    });
}

#[test]
fn wait_list_wakes_each_drivers_waiter() {
    model(|| {
        let waits = Waits::new();
        let (at_one, at_two) = (Arc::new(Signal::new()), Arc::new(Signal::new()));
        for (driver, woken) in [(1, &at_one), (2, &at_two)] {
            let waker = signal_waker(woken);
            let wait = Wait {
                id: None,
                direction: Direction::Read,
                seen: 0,
                waker: &waker,
            };
            waits
                .list
                .enroll(&driver, &wait, || false, Waits::arm)
                .unwrap()
                .unwrap();
        }
        // Each driver reports the event to its own, in any order, though the first to do so changes the tick for both.
        let thread = {
            let waits = Arc::clone(&waits);
            thread::spawn(move || waits.event(1))
        };
        waits.event(2);
        thread.join().unwrap();
        assert!(at_one.is_given() && at_two.is_given());
        drop(waits.list.clear());
    });
}

#[test]
fn wait_list_withdraws_one_of_two() {
    model(|| {
        let waits = Waits::new();
        let (gone, stays) = (Arc::new(Signal::new()), Arc::new(Signal::new()));
        let enroll = |woken| {
            let waker = signal_waker(woken);
            let wait = Wait {
                id: None,
                direction: Direction::Read,
                seen: 0,
                waker: &waker,
            };
            waits
                .list
                .enroll(&1, &wait, || false, Waits::arm)
                .unwrap()
                .unwrap()
        };
        let (one, _two) = (enroll(&gone), enroll(&stays));
        let thread = {
            let waits = Arc::clone(&waits);
            thread::spawn(move || waits.event(1))
        };
        waits.list.withdraw(&1, one);
        thread.join().unwrap();
        assert!(stays.is_given());
        drop(waits.list.clear());
    });
}

/// What the kernel knows of a source in one epoll set.
#[derive(Default)]
struct Interest {
    armed: bool,
    readable: bool,
    /// An event that the next `epoll_wait` would return.
    queued: bool,
}

/// A driver that is armed for one source.
struct Driver {
    waits: Arc<Waits>,
    interest: Mutex<Interest>,
}

impl Driver {
    /// Arming reports what is there already.
    fn arm(&self) -> io::Result<u64> {
        let mut interest = self.interest.lock().unwrap();
        interest.armed = true;
        interest.queued = interest.readable;
        Ok(1)
    }

    fn data(&self) {
        let mut interest = self.interest.lock().unwrap();
        interest.readable = true;
        interest.queued = interest.armed;
    }

    fn turn(&self) {
        let queued = std::mem::take(&mut self.interest.lock().unwrap().queued);
        if queued {
            self.dispatch();
        }
    }

    fn dispatch(&self) {
        let from = |known: &u8| *known == 1;
        if self.waits.list.event(from, true, false) {
            self.waits.list.relinquish(from, |left, _| {
                assert!(left.is_empty());
                self.interest.lock().unwrap().armed = false;
                Ok(())
            });
        }
    }

    fn begin_wait(&self, woken: &Arc<Signal>) -> Option<u64> {
        let waker = signal_waker(woken);
        let wait = Wait {
            id: None,
            direction: Direction::Read,
            seen: self.waits.list.tick(Direction::Read),
            waker: &waker,
        };
        let arm = |_, _| self.arm();
        self.waits.list.enroll(&1, &wait, || false, arm).unwrap()
    }
}

#[test]
fn wait_list_relinquishes_no_wait() {
    model(|| {
        let driver = Arc::new(Driver {
            waits: Waits::new(),
            interest: Mutex::new(Interest::default()),
        });
        // Somebody has waited at this driver, and one event has come in vain since.
        let id = driver.begin_wait(&Arc::new(Signal::new())).unwrap();
        driver.waits.list.withdraw(&1, id);
        driver.dispatch();
        assert!(driver.interest.lock().unwrap().armed);
        let waiter = {
            let driver = Arc::clone(&driver);
            thread::spawn(move || {
                let woken = Arc::new(Signal::new());
                if driver.begin_wait(&woken).is_some() {
                    driver.turn();
                    woken.take();
                }
            })
        };
        // Another in vain, unless the waiter is quicker; then what it waits for.
        driver.dispatch();
        driver.data();
        driver.turn();
        waiter.join().unwrap();
        drop(driver.waits.list.clear());
    });
}

#[test]
fn wait_list_relinquishes_what_is_idle_and_no_wait() {
    model(|| {
        let driver = Arc::new(Driver {
            waits: Waits::new(),
            interest: Mutex::new(Interest::default()),
        });
        let id = driver.begin_wait(&Arc::new(Signal::new())).unwrap();
        driver.waits.list.withdraw(&1, id);
        let waiter = {
            let driver = Arc::clone(&driver);
            thread::spawn(move || {
                let woken = Arc::new(Signal::new());
                if driver.begin_wait(&woken).is_some() {
                    driver.turn();
                    woken.take();
                }
            })
        };
        driver.waits.list.relinquish_idle(|_, _| {
            driver.interest.lock().unwrap().armed = false;
        });
        driver.data();
        driver.turn();
        waiter.join().unwrap();
        drop(driver.waits.list.clear());
    });
}

#[test]
fn wait_list_stays_armed_for_who_waits_in_turn() {
    model(|| {
        let driver = Driver {
            waits: Waits::new(),
            interest: Mutex::new(Interest::default()),
        };
        for _ in 0..5 {
            let id = driver.begin_wait(&Arc::new(Signal::new())).unwrap();
            driver.waits.list.withdraw(&1, id);
            // While the thread waits for something else.
            driver.dispatch();
            assert!(driver.interest.lock().unwrap().armed);
        }
        driver.dispatch();
        assert!(!driver.interest.lock().unwrap().armed);
        drop(driver.waits.list.clear());
    });
}

#[test]
fn spinners_are_bounded_and_all_leave() {
    model(|| {
        let spinners = Arc::new(Spinners::new());
        // A thread of the parent process was at it when this one was forked.
        assert!(spinners.enter(GENERATION, 1));
        let at_it = Arc::new(AtomicUsize::new(0));
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let (spinners, at_it) = (Arc::clone(&spinners), Arc::clone(&at_it));
                thread::spawn(move || {
                    if spinners.enter(GENERATION + 1, 1) {
                        assert_eq!(at_it.fetch_add(1, Ordering::SeqCst), 0);
                        at_it.fetch_sub(1, Ordering::SeqCst);
                        spinners.leave(GENERATION + 1);
                    }
                })
            })
            .collect();
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
        assert!(spinners.enter(GENERATION + 1, 1), "all have left");
        assert!(!spinners.enter(GENERATION + 1, 1));
    });
}

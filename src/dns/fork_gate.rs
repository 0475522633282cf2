//! Keeps `fork` out of the C library's resolver locks.
//!
//! A forked child has only the thread that forked. A lock that another thread held at that moment stays locked in
//! the child for ever. glibc resets most of its own (malloc, stdio, the NSS database) and the resolver state is
//! per-thread, but some locks inside a look-up are not reset: the cache of resolv.conf, the list of interface
//! addresses, the loading of NSS modules. They are held while local files and sockets are read, which takes
//! microseconds to a few milliseconds, and never while a name server is waited for, which may take half a minute.
//!
//! So every call into the resolver passes this gate, and a fork
//!
//! 1. lets nobody enter,
//! 2. waits until each call inside has ended or is [`SETTLED`] old: past its local beginnings, either waiting for the
//!    network or done,
//! 3. joins the threads that are ending, because a thread that has looked up a name gives its resolver state back, under
//!    the same locks, after the last line of its own code,
//! 4. forks, and opens the gate again on both sides; the child forgets who was inside.
//!
//! A fork is thus delayed by [`SETTLED`] at most, and only when a look-up has just begun. Waiting for the look-ups
//! themselves would hand a dead name server the power to stop `subprocess`. What remains is an old look-up taking one
//! of those locks for its last step at the very moment of the fork: the risk that every threaded program on glibc
//! takes, made as small as it can be from outside.

use std::{
    cell::RefCell,
    mem, ptr,
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// The age at which a look-up no longer delays a fork: far beyond the time that the local part takes, so that it holds on
/// a busy machine, where a thread may wait for a core.
const SETTLED: Duration = Duration::from_millis(50);

struct Gate {
    /// Forks waiting for the calls inside; nobody enters while there are any.
    forks: u32,
    next_ticket: u64,
    inside: Vec<(u64, Instant)>,
    /// Threads that have run their last line and wait to be joined.
    leaving: Vec<libc::pthread_t>,
}

impl Gate {
    /// Joins those of the leaving threads that are gone.
    fn reap(&mut self) {
        // SAFETY: each thread in the list is joinable and was not joined yet; 0 means that it is now.
        self.leaving
            .retain(|thread| unsafe { libc::pthread_tryjoin_np(*thread, ptr::null_mut()) } != 0);
    }

    /// Joins all leaving threads. They need no lock that this thread holds, so they end at once.
    fn join(&mut self) {
        for thread in self.leaving.drain(..) {
            // SAFETY: as above.
            unsafe { libc::pthread_join(thread, ptr::null_mut()) };
        }
    }

    fn forget(&mut self, ticket: u64) {
        self.inside.retain(|(inside, _)| *inside != ticket);
        if self.forks > 0 {
            CHANGED.notify_all();
        }
    }
}

static GATE: Mutex<Gate> = Mutex::new(Gate {
    forks: 0,
    next_ticket: 0,
    inside: Vec::new(),
    leaving: Vec::new(),
});
static CHANGED: Condvar = Condvar::new();
static GENERATION: AtomicU64 = AtomicU64::new(0);
static INSTALLED: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// The gate's lock while this thread forks. A futex lock belongs to no thread in particular, so the child's copy
    /// of the guard unlocks the child's copy of the lock.
    static FORKING: RefCell<Option<MutexGuard<'static, Gate>>> = const { RefCell::new(None) };
}

fn lock() -> MutexGuard<'static, Gate> {
    GATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How many forks lie between the first process and this one, from [`install`] on.
pub(super) fn generation() -> u64 {
    GENERATION.load(Ordering::Relaxed)
}

/// Puts the fork handlers in place, once.
pub(super) fn install() {
    if INSTALLED.load(Ordering::Acquire) {
        return;
    }
    // Two threads may both register, which the handlers allow for. A `Once` would be one more lock that a fork could
    // copy in its locked state.
    // SAFETY: the handlers are functions of the program, which is never unloaded. Failure (ENOMEM) leaves the process as
    // it is without a gate.
    unsafe {
        pthread_atfork(
            Some(before_fork),
            Some(after_in_parent),
            Some(after_in_child),
        )
    };
    INSTALLED.store(true, Ordering::Release);
}

unsafe extern "C" {
    fn pthread_atfork(
        prepare: Option<unsafe extern "C" fn()>,
        parent: Option<unsafe extern "C" fn()>,
        child: Option<unsafe extern "C" fn()>,
    ) -> libc::c_int;
}

/// A call into the resolver, until dropped.
pub(super) struct Inside {
    ticket: u64,
}

/// Passes the gate. Waits only while another thread forks.
pub(super) fn enter() -> Inside {
    install();
    let mut gate = lock();
    while gate.forks > 0 {
        gate = CHANGED.wait(gate).unwrap_or_else(PoisonError::into_inner);
    }
    let ticket = gate.next_ticket;
    gate.next_ticket += 1;
    gate.inside.push((ticket, Instant::now()));
    Inside { ticket }
}

impl Inside {
    /// Leaves together with the calling thread: a fork waits for the very end of it. To be the last act of a joinable
    /// thread, which must not be joined elsewhere.
    pub(super) fn leave_with_thread(self) {
        // SAFETY: no preconditions.
        let thread = unsafe { libc::pthread_self() };
        let mut gate = lock();
        gate.reap();
        gate.leaving.push(thread);
        gate.forget(self.ticket);
        drop(gate);
        mem::forget(self);
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        lock().forget(self.ticket);
    }
}

unsafe extern "C" fn before_fork() {
    // A thread that is being torn down has no thread-locals left: it forks without the gate.
    let _ = FORKING.try_with(|forking| {
        let mut forking = forking.borrow_mut();
        if forking.is_none() {
            *forking = Some(settled());
        }
    });
}

/// The gate, locked, once no look-up inside is young.
fn settled() -> MutexGuard<'static, Gate> {
    let mut gate = lock();
    gate.forks += 1;
    loop {
        let now = Instant::now();
        let youngest = gate.inside.iter().map(|(_, since)| *since).max();
        let rest = match youngest {
            Some(since) => SETTLED.saturating_sub(now.saturating_duration_since(since)),
            None => Duration::ZERO,
        };
        if rest.is_zero() {
            break;
        }
        gate = match CHANGED.wait_timeout(gate, rest) {
            Ok((gate, _)) => gate,
            Err(poisoned) => poisoned.into_inner().0,
        };
    }
    gate.forks -= 1;
    gate.join();
    gate
}

unsafe extern "C" fn after_in_parent() {
    if let Ok(Some(gate)) = FORKING.try_with(RefCell::take) {
        drop(gate);
        CHANGED.notify_all();
    }
}

unsafe extern "C" fn after_in_child() {
    if let Ok(Some(mut gate)) = FORKING.try_with(RefCell::take) {
        gate.inside.clear();
        gate.forks = 0;
        drop(gate);
        GENERATION.fetch_add(1, Ordering::Relaxed);
    }
}

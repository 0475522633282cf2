//! Which process this is: a number that changes in every forked child.
//!
//! A child inherits the memory of threads that do not exist in it and descriptors of epoll sets that it must not touch.
//! It learns so from [`generation`], and whatever belongs to an older generation is void.

use std::{
    cell::UnsafeCell,
    hint, mem,
    os::fd::RawFd,
    sync::{
        Weak,
        atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering},
    },
    thread,
};

use super::driver::Core;

static GENERATION: AtomicU32 = AtomicU32::new(1);

/// The generation of this process: never 0, and different in a child forked by `fork(3)`.
///
/// A child made by a bare `clone` or `vfork` system call is not seen; such a child may only `exec`.
pub(crate) fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

/// The epoll set to poke when a signal handler has run: see [`super::driver::poke_signal_target`].
pub(super) static SIGNAL_TARGET: AtomicI32 = AtomicI32::new(-1);

/// The process's open drivers: what a child has to close, and what may be reclaimed when descriptors run out.
struct Registry {
    locked: AtomicBool,
    drivers: UnsafeCell<Vec<(RawFd, Weak<Core>)>>,
}

// SAFETY: `drivers` is touched only between `lock` and `unlock`.
unsafe impl Sync for Registry {}

static REGISTRY: Registry = Registry {
    locked: AtomicBool::new(false),
    drivers: UnsafeCell::new(Vec::new()),
};

impl Registry {
    fn lock(&self) {
        let mut spins = 0;
        while self.locked.swap(true, Ordering::Acquire) {
            spins += 1;
            if spins < 64 {
                hint::spin_loop()
            } else {
                thread::yield_now()
            }
        }
    }

    fn unlock(&self) {
        self.locked.store(false, Ordering::Release);
    }
}

/// Runs `f` on the list of this process's drivers, while no thread can fork. `f` must not create or drop a driver.
pub(super) fn with_drivers<R>(f: impl FnOnce(&mut Vec<(RawFd, Weak<Core>)>) -> R) -> R {
    struct Unlock;
    impl Drop for Unlock {
        fn drop(&mut self) {
            REGISTRY.unlock();
        }
    }
    REGISTRY.lock();
    let _unlock = Unlock;
    // SAFETY: the lock is held until `_unlock` drops.
    f(unsafe { &mut *REGISTRY.drivers.get() })
}

extern "C" fn before_fork() {
    REGISTRY.lock();
}

extern "C" fn after_fork_in_parent() {
    REGISTRY.unlock();
}

/// Only calls that POSIX allows in a forked child of a threaded process: atomics and `close`.
extern "C" fn after_fork_in_child() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
    SIGNAL_TARGET.store(-1, Ordering::Relaxed);
    // SAFETY: `before_fork` took the lock, so the list is whole, and no other thread exists here.
    let drivers = mem::take(unsafe { &mut *REGISTRY.drivers.get() });
    for &(epoll, _) in &drivers {
        // SAFETY: the number is this process's copy of a parent's epoll set. No code of the child has run yet, so it
        // cannot mean anything else, and everything that remembers it belongs to the older generation and is void.
        unsafe { libc::close(epoll) };
    }
    mem::forget(drivers);
    super::driver::close_wake_descriptor_in_child();
    REGISTRY.unlock();
}

/// Makes sure that forks are noticed from now on.
pub(crate) fn watch_forks() {
    // Not a `Once`, which a fork could copy while it is being run, for ever.
    static WATCHED: AtomicBool = AtomicBool::new(false);
    if WATCHED.swap(true, Ordering::AcqRel) {
        return;
    }
    // SAFETY: three handlers with C linkage that do not unwind. ENOMEM, the one possible error, leaves forks unnoticed, as
    // in a process that never forks.
    unsafe {
        libc::pthread_atfork(
            Some(before_fork),
            Some(after_fork_in_parent),
            Some(after_fork_in_child),
        );
    }
}

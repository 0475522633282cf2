//! A lock for short critical sections that a forked child can always take.
//!
//! A thread may fork while another holds such a lock; in the child that other thread does not exist. The lock word
//! carries the generation of the process whose thread holds it, so a child takes over a lock that its parent's
//! thread holds, and in any case starts with fresh contents: what the parent kept there (waiting threads, epoll sets) has
//! no meaning in the child.

use std::{
    mem,
    ops::{Deref, DerefMut},
};

use super::sync::{AtomicU32, Ordering, UnsafeCell, spin_loop, yield_now};

pub(crate) struct ForkMutex<T> {
    /// 0 when free, else the generation of the process whose thread holds the lock.
    holder: AtomicU32,
    /// That of the process which the value is of. (Beside the value, not in one cell with it: there are many locks, and the two
    /// numbers fit in one word.)
    generation: UnsafeCell<u32>,
    value: UnsafeCell<T>,
}

// SAFETY: the cells are reached only through a guard, and `holder` admits one guard at a time. In a forked child, where a
// lock is taken over, the previous guard's thread does not exist.
unsafe impl<T: Send> Send for ForkMutex<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for ForkMutex<T> {}

impl<T: Default> ForkMutex<T> {
    #[cfg(not(loom))]
    pub(crate) const fn new(value: T) -> Self {
        Self {
            holder: AtomicU32::new(0),
            generation: UnsafeCell::new(0),
            value: UnsafeCell::new(value),
        }
    }

    #[cfg(loom)]
    pub(super) fn new(value: T) -> Self {
        Self {
            holder: AtomicU32::new(0),
            generation: UnsafeCell::new(0),
            value: UnsafeCell::new(value),
        }
    }

    /// Takes the lock, spinning: the sections it guards are a few instructions and at most one `epoll_ctl`.
    #[cfg(not(loom))]
    pub(crate) fn lock(&self) -> ForkGuard<'_, T> {
        self.lock_in(super::process::generation())
    }

    /// [`Self::lock`] in the process of this generation.
    pub(super) fn lock_in(&self, generation: u32) -> ForkGuard<'_, T> {
        let mut spins = 0;
        loop {
            match self.holder.compare_exchange_weak(
                0,
                generation,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => break,
                Err(holder) if holder != 0 && holder != generation => {
                    if self
                        .holder
                        .compare_exchange(holder, generation, Ordering::Acquire, Ordering::Relaxed)
                        .is_ok()
                    {
                        break;
                    }
                }
                Err(_) => {
                    spins += 1;
                    if spins < 64 { spin_loop() } else { yield_now() }
                }
            }
        }
        // SAFETY: the lock is held.
        let inherited = self
            .generation
            .with_mut(|of| mem::replace(unsafe { &mut *of }, generation));
        // A fresh lock (generation 0) holds the value it was made with; an inherited one holds the parent's, maybe half-written,
        // and its destructors would act on the parent's threads and descriptors.
        if inherited != generation && inherited != 0 {
            // SAFETY: as above.
            mem::forget(
                self.value
                    .with_mut(|value| mem::take(unsafe { &mut *value })),
            );
        }
        ForkGuard { mutex: self }
    }
}

pub(crate) struct ForkGuard<'a, T> {
    mutex: &'a ForkMutex<T>,
}

impl<T> Deref for ForkGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the guard holds the lock for as long as the borrow of itself.
        self.mutex.value.with(|value| unsafe { &*value })
    }
}

impl<T> DerefMut for ForkGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard holds the lock, and is borrowed exclusively.
        self.mutex.value.with_mut(|value| unsafe { &mut *value })
    }
}

impl<T> Drop for ForkGuard<'_, T> {
    fn drop(&mut self) {
        self.mutex.holder.store(0, Ordering::Release);
    }
}

//! Whose turn it is: what only one thread at a time may do, and may take long over.

use std::sync::Arc;

use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::{
    blocking_bridge::{Call, Failure},
    reactor::fork_mutex::ForkMutex,
};

/// A lock that is waited for as a socket is: under the call's deadline, and with signal handlers run. In a forked child it
/// is free, whichever thread of the parent has it.
pub(super) struct Turn {
    current: ForkMutex<Option<Arc<Mutex<()>>>>,
}

/// Ends the turn when dropped.
pub(super) struct Taken {
    _guard: OwnedMutexGuard<()>,
}

impl Turn {
    pub(super) fn new() -> Self {
        Self {
            current: ForkMutex::new(None),
        }
    }

    /// Takes it if it is free.
    pub(super) fn try_take(&self) -> Option<Taken> {
        let lock = self.current.lock().get_or_insert_default().clone();
        let guard = lock.try_lock_owned().ok()?;
        Some(Taken { _guard: guard })
    }

    /// # Errors
    ///
    /// `EAGAIN` in non-blocking mode, where another thread has it; else as those of [`Call::wait`].
    pub(super) fn take(&self, call: &mut Call<'_>) -> Result<Taken, Failure> {
        let lock = self.current.lock().get_or_insert_default().clone();
        let guard = match lock.clone().try_lock_owned() {
            Ok(guard) => guard,
            Err(_) => call.wait_for(lock.lock_owned())?,
        };
        Ok(Taken { _guard: guard })
    }
}

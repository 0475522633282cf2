//! The driver of readiness futures that a foreign executor polls: one thread, started when first needed.

use std::{io, sync::Arc, thread};

use super::{driver::Core, fork_mutex::ForkMutex, system};

/// A forked child finds `None` here, and starts its own.
static BACKGROUND: ForkMutex<Option<Arc<Core>>> = ForkMutex::new(None);

/// In bytes, of address space. Any executor's wakers run on it, and thread-local data is taken from it.
const STACK_SIZE: usize = 256 * 1024;

/// The background driver.
///
/// # Errors
///
/// No descriptor, memory or thread for it.
pub(super) fn core() -> io::Result<Arc<Core>> {
    let mut background = BACKGROUND.lock();
    if let Some(core) = &*background {
        return Ok(Arc::clone(core));
    }
    let core = Core::new()?;
    let turned = Arc::clone(&core);
    let spawned = system::with_signals_blocked(|| {
        thread::Builder::new()
            .name("reactor-background".into())
            .stack_size(STACK_SIZE)
            .spawn(move || turn(&turned))
    });
    if let Err(error) = spawned {
        core.abandon();
        return Err(error);
    }
    *background = Some(Arc::clone(&core));
    Ok(core)
}

/// Gives up a background driver whose epoll set is gone.
///
/// Its thread may sleep in it for ever: the kernel keeps the set for it, and nobody else has a number for it.
pub(super) fn renew(lost: &Arc<Core>) {
    BACKGROUND
        .lock()
        .take_if(|current| Arc::ptr_eq(current, lost));
    lost.close();
}

fn turn(core: &Arc<Core>) {
    while core.turn_for_others().is_ok() {}
    // The program closed the epoll set's number. Who waits there polls again, and gets a new one.
    BACKGROUND
        .lock()
        .take_if(|current| Arc::ptr_eq(current, core));
    core.abandon();
}

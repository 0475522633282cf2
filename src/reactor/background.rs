//! The driver of readiness futures that a foreign executor polls: one thread, started when first needed.

use std::{io, sync::Arc, thread};

use super::{driver::Core, fork_mutex::ForkMutex, system};

/// A forked child finds `None` here, and starts its own.
static BACKGROUND: ForkMutex<Option<Arc<Core>>> = ForkMutex::new(None);

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
    core.begin_use();
    let turned = Arc::clone(&core);
    let spawned = system::with_signals_blocked(|| {
        thread::Builder::new().name("reactor-background".into()).stack_size(64 * 1024).spawn(move || turn(&turned))
    });
    if let Err(error) = spawned {
        core.abandon();
        return Err(error);
    }
    *background = Some(Arc::clone(&core));
    Ok(core)
}

fn turn(core: &Arc<Core>) {
    while core.turn(None).is_ok() {}
    // The program closed the epoll set's number. Who waits there polls again, and gets a new one.
    BACKGROUND.lock().take_if(|current| Arc::ptr_eq(current, core));
    core.abandon();
}

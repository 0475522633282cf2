//! Ctrl-C and SIGTERM, which end a run early and with a report.

use std::{sync::LazyLock, thread};

use tokio::{
    runtime,
    signal::unix::{SignalKind, signal},
    sync::watch,
};

/// Of the whole process, as signals are: one that comes between two runs ends the next one too.
static CAME: LazyLock<watch::Sender<bool>> = LazyLock::new(|| watch::Sender::new(false));

/// From now on the two end nothing by themselves.
///
/// # Errors
///
/// If the signals, or a thread that waits for them, cannot be had.
pub fn listen() -> Result<(), String> {
    let failed = |error| format!("signals: {error}");
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failed)?;
    let inside = runtime.enter();
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    drop(inside);
    let wait = move || {
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        });
        CAME.send_replace(true);
    };
    let thread = thread::Builder::new().name("signals".into());
    thread.spawn(wait).map(drop).map_err(failed)
}

/// Whether one has come since [`listen`].
pub fn has_come() -> bool {
    *CAME.borrow()
}

/// Ends when one has come.
pub async fn come() {
    // Cannot fail: the sender is never dropped.
    let _ = CAME.subscribe().wait_for(|came| *came).await;
}

//! The timer of look-ups: the thread that blocks in one keeps the time itself; elsewhere the runtime does.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};

use crate::reactor::Alarm;

/// Completes at a time, never early. Polled by a thread that does not block in it, it needs the runtime's context.
pub(super) struct Timer {
    alarm: Alarm,
    /// While the runtime keeps the time.
    sleep: Option<Pin<Box<tokio::time::Sleep>>>,
}

impl Timer {
    pub(super) fn until(at: Instant) -> Self {
        Self {
            alarm: Alarm::new(at),
            sleep: None,
        }
    }
}

impl Future for Timer {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Self { alarm, sleep } = &mut *self;
        if let Some(polled) = alarm.poll_here(context) {
            *sleep = None;
            return polled;
        }
        let at = alarm.at();
        sleep
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at.into())))
            .as_mut()
            .poll(context)
    }
}

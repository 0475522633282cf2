//! How many questions this process has under way at once: each holds a descriptor.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::reactor::fork_mutex::ForkMutex;

/// Questions; a look-up of both families has two.
const MOST: usize = 256;

/// A forked child starts with a semaphore of its own: the parent's look-ups are not its.
static LIMIT: ForkMutex<Option<Arc<Semaphore>>> = ForkMutex::new(None);

/// Waits for room for `questions`, first come, first served. `None` would mean that the semaphore was closed, which nobody
/// does.
pub(super) async fn acquire(questions: usize) -> Option<OwnedSemaphorePermit> {
    let semaphore = LIMIT
        .lock()
        .get_or_insert_with(|| Arc::new(Semaphore::new(MOST)))
        .clone();
    let questions = u32::try_from(questions.min(MOST)).unwrap_or(1);
    semaphore.acquire_many_owned(questions).await.ok()
}

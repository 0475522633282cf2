//! How many questions this process has under way at once: each holds a descriptor.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::reactor::fork_mutex::ForkMutex;

/// One look-up of both families, and another.
const FEWEST: usize = 4;
const MOST: usize = 2048;

/// Questions; a look-up of both families has two. A quarter of the descriptors that the process may have, so that names whose
/// servers are silent do not keep others waiting on a machine with room, and leave room on one without.
fn most() -> usize {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: fills in a valid structure. A failure leaves it as it is.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) };
    usize::try_from(limit.rlim_cur / 4).map_or(MOST, |quarter| quarter.clamp(FEWEST, MOST))
}

struct Limit {
    semaphore: Arc<Semaphore>,
    questions: usize,
}

/// A forked child starts with a limit of its own: the parent's look-ups are not its.
static LIMIT: ForkMutex<Option<Limit>> = ForkMutex::new(None);

/// Room for some questions, given back when dropped.
pub(super) struct Room {
    permit: OwnedSemaphorePermit,
    questions: usize,
}

impl Room {
    /// Whether questions of others are under way, whose end will give descriptors back.
    pub(super) fn has_others(&self) -> bool {
        self.permit.semaphore().available_permits() + self.permit.num_permits() < self.questions
    }
}

/// Waits for room for `questions`, first come, first served. `None` would mean that the semaphore was closed, which nobody
/// does.
pub(super) async fn acquire(questions: usize) -> Option<Room> {
    let (semaphore, most) = {
        let mut limit = LIMIT.lock();
        let limit = limit.get_or_insert_with(|| {
            let questions = most();
            Limit {
                semaphore: Arc::new(Semaphore::new(questions)),
                questions,
            }
        });
        (limit.semaphore.clone(), limit.questions)
    };
    let wanted = u32::try_from(questions.min(FEWEST)).unwrap_or(1);
    let permit = semaphore.acquire_many_owned(wanted).await.ok()?;
    Some(Room {
        permit,
        questions: most,
    })
}

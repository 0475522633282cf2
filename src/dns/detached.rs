//! A blocking call of the C library as a future: it runs on a thread of its own, and dropping the future abandons it.

use std::{
    ffi::c_void,
    future::Future,
    io,
    panic::{self, AssertUnwindSafe},
    pin::Pin,
    ptr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use super::fork_gate;

/// glibc keeps its answers on the heap and about 10 KiB on the stack; NSS modules of other makers are less careful.
/// Only touched pages cost memory.
const STACK_BYTES: usize = 256 * 1024;

/// A call under way. Created by [`detached`].
pub struct Detached<T> {
    call: Arc<dyn Fn() -> T + Send + Sync>,
    started: Option<Started<T>>,
}

struct Started<T> {
    /// The process that the thread lives in, counted in forks.
    generation: u64,
    outcome: Arc<Outcome<T>>,
}

struct Outcome<T>(Mutex<Slot<T>>);

enum Slot<T> {
    Waiting(Option<Waker>),
    Ready(T),
    /// Taken, or never coming.
    Gone,
}

impl<T> Outcome<T> {
    fn lock(&self) -> MutexGuard<'_, Slot<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, slot: Slot<T>) {
        let before = std::mem::replace(&mut *self.lock(), slot);
        // Outside the lock: a waker may run anything, even a poll of this very future.
        if let Slot::Waiting(Some(waker)) = before {
            waker.wake();
        }
    }
}

/// Runs `call` on a thread of its own at the first poll.
///
/// The future may be dropped at any time: the thread ends when the call does, and its answer goes nowhere. All signals
/// are blocked in the thread, so that they reach the threads that have handlers to run. An error means that the
/// thread could not be started, or that `call` panicked.
///
/// `call` may run again: the thread does not exist in a forked child, so there the next poll starts it afresh.
pub fn detached<T: Send + 'static>(call: impl Fn() -> T + Send + Sync + 'static) -> Detached<T> {
    Detached {
        call: Arc::new(call),
        started: None,
    }
}

impl<T: Send + 'static> Future for Detached<T> {
    type Output = io::Result<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // Before the generation is read: it counts only once the handlers are in place.
        fork_gate::install();
        let generation = fork_gate::generation();
        let outcome = match &self.started {
            Some(started) if started.generation == generation => started.outcome.clone(),
            // The parent's outcome is left alone: its lock may have been held by a thread that is not here.
            _ => match start(self.call.clone()) {
                Ok(outcome) => {
                    self.started = Some(Started {
                        generation,
                        outcome: outcome.clone(),
                    });
                    outcome
                }
                Err(error) => return Poll::Ready(Err(error)),
            },
        };
        let mut slot = outcome.lock();
        match std::mem::replace(&mut *slot, Slot::Gone) {
            Slot::Ready(value) => Poll::Ready(Ok(value)),
            Slot::Gone => Poll::Ready(Err(io::Error::other("the look-up ended without an answer"))),
            Slot::Waiting(before) => {
                let waker = match before {
                    Some(waker) if waker.will_wake(context.waker()) => waker,
                    _ => context.waker().clone(),
                };
                *slot = Slot::Waiting(Some(waker));
                Poll::Pending
            }
        }
    }
}

/// Tells the waiter even if the call panics.
struct Promise<T>(Arc<Outcome<T>>);

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        let unanswered = matches!(*self.0.lock(), Slot::Waiting(_));
        if unanswered {
            self.0.set(Slot::Gone);
        }
    }
}

fn start<T: Send + 'static>(call: Arc<dyn Fn() -> T + Send + Sync>) -> io::Result<Arc<Outcome<T>>> {
    let outcome = Arc::new(Outcome(Mutex::new(Slot::Waiting(None))));
    let promise = Promise(outcome.clone());
    let body = move || promise.0.set(Slot::Ready(call()));
    start_thread(Box::new(body))?;
    Ok(outcome)
}

type Body = Box<dyn FnOnce() + Send>;

/// Runs `body` on a new thread, inside the gate from its start to the end of the thread.
///
/// By `pthread_create(3)` and not by `std::thread`, whose threads take a global lock of the standard library at their
/// start and end. A fork while any thread of the program starts or ends leaves that lock held in the child for ever,
/// and with it every thread that the child starts in that way.
fn start_thread(body: Body) -> io::Result<()> {
    extern "C" fn run(argument: *mut c_void) -> *mut c_void {
        // SAFETY: `argument` is the box that was given to pthread_create(3), which hands it to one thread once.
        let body = unsafe { Box::from_raw(argument.cast::<Body>()) };
        // SAFETY: names this thread; the text ends in NUL and has fewer than 16 bytes.
        unsafe { libc::pthread_setname_np(libc::pthread_self(), c"reactor-dns".as_ptr()) };
        let inside = fork_gate::enter();
        // Unwinding into the C library is undefined. What the panic was is on standard error, and the waiter learns of
        // it from the promise that the unwinding dropped.
        let _ = panic::catch_unwind(AssertUnwindSafe(body));
        inside.leave_with_thread();
        ptr::null_mut()
    }

    let argument = Box::into_raw(Box::new(body));
    let blocked = SignalsBlocked::new();
    // SAFETY: pthread_attr_init(3) writes the attributes before they are read, and they are destroyed once. The size is
    // above PTHREAD_STACK_MIN and a multiple of the page size. The thread id may be written. The gate joins the thread.
    let code = unsafe {
        let mut attributes: libc::pthread_attr_t = std::mem::zeroed();
        libc::pthread_attr_init(&mut attributes);
        libc::pthread_attr_setstacksize(&mut attributes, STACK_BYTES);
        let mut thread: libc::pthread_t = std::mem::zeroed();
        let code = libc::pthread_create(&mut thread, &attributes, run, argument.cast());
        libc::pthread_attr_destroy(&mut attributes);
        code
    };
    drop(blocked);
    if code == 0 {
        return Ok(());
    }
    // SAFETY: no thread was started, so the box is still ours.
    drop(unsafe { Box::from_raw(argument) });
    Err(io::Error::from_raw_os_error(code))
}

/// All signals blocked on this thread until dropped. A thread inherits the mask of the one that starts it, so no signal
/// can reach the new thread even before its first instruction.
struct SignalsBlocked {
    before: libc::sigset_t,
}

impl SignalsBlocked {
    fn new() -> Self {
        // SAFETY: a sigset_t is plain old data; sigfillset(3) and pthread_sigmask(3) write both sets before they are
        // read, and cannot fail with these arguments.
        unsafe {
            let mut all: libc::sigset_t = std::mem::zeroed();
            let mut before: libc::sigset_t = std::mem::zeroed();
            libc::sigfillset(&mut all);
            libc::pthread_sigmask(libc::SIG_SETMASK, &all, &mut before);
            Self { before }
        }
    }
}

impl Drop for SignalsBlocked {
    fn drop(&mut self) {
        // SAFETY: `before` is the mask that pthread_sigmask(3) handed out.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.before, ptr::null_mut()) };
    }
}

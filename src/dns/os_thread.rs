//! Threads of the names floor's own.

use std::{
    ffi::c_void,
    io,
    panic::{self, AssertUnwindSafe},
    ptr,
};

pub(super) type Body = Box<dyn FnOnce() + Send>;

/// Runs `body` on a new thread with a stack of `stack_bytes`, above PTHREAD_STACK_MIN and a multiple of the page size. All
/// signals are blocked in it, so that they reach the threads that have handlers to run. The thread is joinable: nobody
/// joins one that never ends, and the fork gate those that leave with it.
///
/// By `pthread_create(3)` and not by `std::thread`, whose threads take a global lock of the standard library at their
/// start and end. A fork while any thread of the program starts or ends leaves that lock held in the child for ever,
/// and with it every thread that the child starts in that way.
pub(super) fn start(stack_bytes: usize, body: Body) -> io::Result<()> {
    extern "C" fn run(argument: *mut c_void) -> *mut c_void {
        // SAFETY: `argument` is the box that was given to pthread_create(3), which hands it to one thread once.
        let body = unsafe { Box::from_raw(argument.cast::<Body>()) };
        // SAFETY: names this thread; the text ends in NUL and has fewer than 16 bytes.
        unsafe { libc::pthread_setname_np(libc::pthread_self(), c"reactor-dns".as_ptr()) };
        // Unwinding into the C library is undefined. What the panic was is on standard error.
        let _ = panic::catch_unwind(AssertUnwindSafe(body));
        ptr::null_mut()
    }

    let argument = Box::into_raw(Box::new(body));
    let blocked = SignalsBlocked::new();
    // SAFETY: pthread_attr_init(3) writes the attributes before they are read, and they are destroyed once. The size is
    // the caller's promise. The thread id may be written.
    let code = unsafe {
        let mut attributes: libc::pthread_attr_t = std::mem::zeroed();
        libc::pthread_attr_init(&mut attributes);
        libc::pthread_attr_setstacksize(&mut attributes, stack_bytes);
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

//! `reactor-python`: a Python 3.14 interpreter whose sockets stand on the reactor.

use std::{
    ffi::c_int,
    process::ExitCode,
    ptr,
    sync::atomic::{AtomicPtr, AtomicUsize, Ordering},
};

use libc::{c_void, pthread_attr_t, pthread_t};
use rustpython::{InterpreterBuilder, InterpreterBuilderExt};
use rustpython_reactor::ReactorSockets;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How much memory the interpreter fills at its start, with `http.client` and the like imported. Were it more, the first threads would have
/// the rest of it, by whole huge pages.
const START: usize = 48 << 20;

/// The size of a transparent huge page, which the kernel's documentation gives for all 64-bit machines with pages of 4 kB.
const HUGE_PAGE: usize = 2 << 20;

/// Asks for huge pages where start-up is about to allocate, which saves thousands of page faults.
///
/// Nowhere else: the allocator is built without (`no_thp`), as each thread would take most of one.
fn advise_huge_pages() {
    let first = Box::new(0_u64);
    let address = std::ptr::from_ref(&*first) as usize & !(HUGE_PAGE - 1);
    // SAFETY: an advice, which changes no memory's contents, whatever is mapped there.
    let _ = unsafe { libc::madvise(address as *mut _, START, libc::MADV_HUGEPAGE) };
}

/// The thread that runs [`main`]. One that another thread has forked is not it, and is not slow either.
static MAIN_THREAD: AtomicUsize = AtomicUsize::new(0);

/// Its stack, once somebody has asked for it.
static STACK: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());
static STACK_SIZE: AtomicUsize = AtomicUsize::new(0);

/// Stands before the C library's own, and keeps what that says of the main thread's stack.
///
/// The C library reads all of `/proc/self/maps` for it, which has lines for each thread, and the VM asks whenever a thread is started,
/// for a limit that the new thread replaces at once: the thousandth thread took ten times as long to start as the first.
///
/// # Safety
///
/// pthread_getattr_np(3): `attributes` is room for an object, which the caller destroys.
#[cfg(target_env = "gnu")]
#[unsafe(no_mangle)]
unsafe extern "C" fn pthread_getattr_np(
    thread: pthread_t,
    attributes: *mut pthread_attr_t,
) -> c_int {
    let is_main = thread as usize == MAIN_THREAD.load(Ordering::Relaxed);
    let stack = STACK.load(Ordering::Acquire);
    if is_main && !stack.is_null() {
        // SAFETY: the caller's room; a stack that the C library has described so itself.
        return unsafe {
            match libc::pthread_attr_init(attributes) {
                0 => libc::pthread_attr_setstack(
                    attributes,
                    stack,
                    STACK_SIZE.load(Ordering::Relaxed),
                ),
                error => error,
            }
        };
    }
    type Function = unsafe extern "C" fn(pthread_t, *mut pthread_attr_t) -> c_int;
    // SAFETY: the name is a C string.
    let own = unsafe { libc::dlsym(libc::RTLD_NEXT, c"pthread_getattr_np".as_ptr()) };
    if own.is_null() {
        return libc::ENOSYS;
    }
    // SAFETY: the C library's function of this name and type, with this caller's arguments.
    let result = unsafe { std::mem::transmute::<*mut c_void, Function>(own)(thread, attributes) };
    if is_main && result == 0 {
        let (mut stack, mut size) = (ptr::null_mut(), 0);
        // SAFETY: attributes that have just been filled in.
        if unsafe { libc::pthread_attr_getstack(attributes, &mut stack, &mut size) } == 0 {
            STACK_SIZE.store(size, Ordering::Relaxed);
            STACK.store(stack, Ordering::Release);
        }
    }
    result
}

fn main() -> ExitCode {
    // SAFETY: always successful: pthread_self(3).
    MAIN_THREAD.store(unsafe { libc::pthread_self() } as usize, Ordering::Relaxed);
    advise_huge_pages();
    // A descriptor a connection and one a waiting thread: take what the system allows. A failure leaves the limit as it is.
    let _ = rustpython_reactor::raise_descriptor_limit();
    rustpython::run(
        InterpreterBuilder::new()
            .init_stdlib()
            .with_reactor_sockets(),
    )
}

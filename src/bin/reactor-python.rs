//! `reactor-python`: a Python 3.14 interpreter whose sockets stand on the reactor.

use std::process::ExitCode;

use rustpython::{InterpreterBuilder, InterpreterBuilderExt};
use rustpython_reactor::ReactorSockets;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How much memory the interpreter fills at its start, with `socket` and the like imported. Were it more, the first threads would have
/// the rest of it, by whole huge pages.
const START: usize = 32 << 20;

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

fn main() -> ExitCode {
    advise_huge_pages();
    // A descriptor a connection and one a waiting thread: take what the system allows. A failure leaves the limit as it is.
    let _ = rustpython_reactor::raise_descriptor_limit();
    rustpython::run(
        InterpreterBuilder::new()
            .init_stdlib()
            .with_reactor_sockets(),
    )
}

//! Python's signal handlers while a thread waits.
//!
//! The VM's handler of an operating-system signal sets a flag that Python's main thread looks at. A thread asleep in its
//! driver must be woken to look, whichever thread the kernel gave the signal to, and also when it comes between the
//! look and the sleep. Blocking signals around the look would not do: the kernel would hand them to another thread, and the
//! main one would sleep on. So the VM's handler is wrapped in one that, after it, pokes the main thread's driver;
//! a poke before the sleep ends the sleep at once.

use std::{
    future::Future,
    mem,
    pin::Pin,
    ptr,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Instant,
};

use rustpython_vm::{
    AsObject, PyObjectRef, PyResult, VirtualMachine,
    function::{FuncArgs, ItemDoc, PyMethodFlags},
};

use crate::reactor::{self, Step};

/// The VM's own handler, called first. One function serves all signals.
static VM_HANDLER: AtomicUsize = AtomicUsize::new(0);

/// The text of our `_signal.signal`; its first line is the signature that `inspect` shows.
const SIGNAL_DOC: &str = "signal(signalnum, handler, /)\n--\n\n\
Set the action for the given signal; return the previous one. Only the main thread may call this.";

/// Whether a signal has come since [`take_seen`].
static SEEN: AtomicBool = AtomicBool::new(false);

/// How many signals have come, modulo its size.
static ARRIVED: AtomicUsize = AtomicUsize::new(0);

extern "C" fn wake_after_vm_handler(signal: libc::c_int) {
    // SAFETY: errno is this thread's; a handler must leave it as it was.
    let errno = unsafe { *libc::__errno_location() };
    let handler = VM_HANDLER.load(Ordering::Acquire);
    if handler != 0 {
        // SAFETY: set once, to the address of a handler that was installed without SA_SIGINFO, before this one was.
        let handler: extern "C" fn(libc::c_int) = unsafe { mem::transmute(handler) };
        handler(signal);
    }
    SEEN.store(true, Ordering::Release);
    ARRIVED.fetch_add(1, Ordering::AcqRel);
    reactor::poke_signal_target();
    // SAFETY: as above.
    unsafe { *libc::__errno_location() = errno };
}

/// Puts our handler around the VM's, if the signal has it.
fn wrap(signal: libc::c_int) {
    // SAFETY: a plain C structure, filled in by the call below.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    // SAFETY: reads the action of a signal; an invalid number is refused.
    if unsafe { libc::sigaction(signal, ptr::null(), &mut action) } != 0 {
        return;
    }
    let ours = wake_after_vm_handler as *const () as usize;
    let current = action.sa_sigaction;
    let plain = ![libc::SIG_DFL, libc::SIG_IGN, ours].contains(&current)
        && action.sa_flags & libc::SA_SIGINFO == 0;
    if !plain {
        return;
    }
    let known = VM_HANDLER.compare_exchange(0, current, Ordering::AcqRel, Ordering::Acquire);
    if known.is_err_and(|known| known != current) {
        return;
    }
    action.sa_sigaction = ours;
    // SAFETY: the same mask and flags, and a handler that calls only what signal-safety(7) allows: atomics and epoll_ctl(2).
    unsafe { libc::sigaction(signal, &action, ptr::null_mut()) };
}

/// Wraps the handlers that Python has installed, and those that it installs from now on.
///
/// `_signal.signal` is replaced by a function that calls it and then wraps: the VM offers no hook.
pub(crate) fn install(vm: &VirtualMachine) -> PyResult<()> {
    let module = vm.import("_signal", 0)?;
    let original = module.get_attr("signal", vm)?;
    let marker = vm.ctx.intern_str("_reactor_wrapped");
    if module.get_attr(marker, vm).is_ok() {
        return Ok(());
    }
    // SIGINT first, which shows which function the VM's handler is: with this setting, the VM has put its own there.
    if vm.state.config.settings.install_signal_handlers {
        wrap(libc::SIGINT);
    }
    if VM_HANDLER.load(Ordering::Acquire) != 0 {
        (1..64).for_each(wrap);
    }
    let wrapped = vm.ctx.new_method_def(
        "signal",
        move |args: FuncArgs, vm: &VirtualMachine| -> PyResult<PyObjectRef> {
            let number = args
                .args
                .first()
                .and_then(|number| number.try_index(vm).ok()?.try_to_primitive::<i32>(vm).ok());
            let previous = original.call(args, vm)?;
            if let Some(number) = number {
                wrap(number);
            }
            Ok(previous)
        },
        PyMethodFlags::empty(),
        ItemDoc {
            text: Some(SIGNAL_DOC),
            ..ItemDoc::NONE
        },
    );
    let wrapped = wrapped.build_function(vm, None);
    wrapped
        .as_object()
        .set_attr("__module__", vm.ctx.intern_str("_signal").to_owned(), vm)?;
    module.set_attr("signal", wrapped, vm)?;
    module.set_attr(marker, vm.ctx.new_bool(true), vm)
}

/// Whether a signal that Python handles has come since the last call, on the thread that runs the handlers; false elsewhere.
pub(super) fn take_seen(vm: &VirtualMachine) -> bool {
    handles_signals(vm) && SEEN.swap(false, Ordering::AcqRel)
}

/// Runs the Python handlers of the signals that have come.
///
/// The VM puts off a signal that comes while a handler runs. A socket call in that handler may have used up the poke that came
/// with it, so there is a new one: the next [`park`] returns and its caller comes here again. (To loop here instead
/// would keep the call from its work for as long as signals come faster than their handlers end.)
pub(crate) fn run_handlers(vm: &VirtualMachine) -> PyResult<()> {
    let before = ARRIVED.load(Ordering::Acquire);
    vm.check_signals()?;
    if ARRIVED.load(Ordering::Acquire) != before && handles_signals(vm) {
        reactor::poke_signal_target();
    }
    Ok(())
}

/// Whether this thread is the one that runs Python's signal handlers.
fn handles_signals(vm: &VirtualMachine) -> bool {
    // SAFETY: has no preconditions.
    let this = unsafe { libc::pthread_self() };
    vm.state.main_thread_ident.load() == this as u64
}

/// One step of a wait, such that a signal ends it on the thread whose Python handlers it concerns.
pub(super) fn park<F: Future>(
    vm: &VirtualMachine,
    future: Pin<&mut F>,
    deadline: Option<Instant>,
) -> Step<F::Output> {
    if handles_signals(vm) {
        reactor::poll_or_park_for_signals(future, deadline)
    } else {
        reactor::poll_or_park(future, deadline)
    }
}

//! A signal ends a sleep, and one that comes just before it is not lost.

use std::{
    pin::pin,
    sync::atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering},
};

use super::*;
use crate::reactor::{
    Step, driver::poke_signal_target, has_events, park::poll_or_park_for_signals, poll_or_park,
};

static HANDLED: AtomicU32 = AtomicU32::new(0);

extern "C" fn count(_: libc::c_int) {
    HANDLED.fetch_add(1, Ordering::SeqCst);
}

extern "C" fn count_and_poke(_: libc::c_int) {
    HANDLED.fetch_add(1, Ordering::SeqCst);
    // SAFETY: errno is this thread's.
    unsafe { *libc::__errno_location() = 4242 };
    poke_signal_target();
    // SAFETY: as above.
    ERRNO.store(unsafe { *libc::__errno_location() }, Ordering::SeqCst);
}

static ERRNO: AtomicI32 = AtomicI32::new(0);

fn handle(signal: i32, handler: extern "C" fn(libc::c_int)) {
    // SAFETY: a plain C structure; zero is no flags and an empty mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler as *const () as usize;
    // SAFETY: the handlers above are async-signal-safe.
    let set = unsafe { libc::sigaction(signal, &action, std::ptr::null_mut()) };
    assert_eq!(set, 0);
}

fn signal_thread(thread: libc::pid_t) {
    // SAFETY: takes numbers only.
    let sent = unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), thread, libc::SIGUSR1) };
    assert_eq!(sent, 0);
}

#[test]
fn ends_a_sleep() {
    alone(module_path!(), "ends_a_sleep", || {
        handle(libc::SIGUSR1, count);
        let (source, _peer) = pair();
        let waiting = Arc::clone(&source);
        let (tell, told) = mpsc::channel();
        let thread = thread::spawn(move || {
            tell.send(thread_id()).expect("told");
            poll_or_park(pin!(waiting.readable()), None)
        });
        let watched = Watched::new(told.recv().expect("the thread's id"));
        watched.until_in(libc::SYS_epoll_pwait2);
        signal_thread(watched.id);
        assert!(matches!(thread.join().expect("thread"), Step::Woken));
    });
}

#[test]
fn none_is_lost_before_a_sleep() {
    alone(module_path!(), "none_is_lost_before_a_sleep", || {
        handle(libc::SIGUSR1, count_and_poke);
        let (source, _peer) = pair();
        let waiting = Arc::clone(&source);
        let (tell, told) = mpsc::channel();
        let thread = thread::spawn(move || {
            tell.send(thread_id()).expect("told");
            // Comes back for each signal, or hangs.
            let mut heard = 0;
            while heard < 10_000 {
                let now = HANDLED.load(Ordering::SeqCst);
                if now != heard {
                    heard = now;
                    continue;
                }
                assert!(!matches!(
                    poll_or_park_for_signals(pin!(waiting.readable()), None),
                    Step::Ready(_)
                ));
            }
        });
        let id = told.recv().expect("the thread's id");
        for sent in 1..=10_000_u32 {
            // Handled on another thread, on the sleeping one, or before it sleeps: it is told of each.
            signal_thread(if sent % 2 == 0 { id } else { thread_id() });
            while HANDLED.load(Ordering::SeqCst) < sent {
                thread::yield_now();
            }
        }
        thread.join().expect("thread");
        assert_eq!(ERRNO.load(Ordering::SeqCst), 4242, "the handler's errno");
    });
}

#[test]
fn the_target_ends_with_its_driver() {
    alone(module_path!(), "the_target_ends_with_its_driver", || {
        let (source, _peer) = pair();
        let deadline = Some(Instant::now());
        // New to signals: it comes back without a sleep, so that the caller looks.
        assert!(matches!(
            poll_or_park_for_signals(pin!(source.readable()), None),
            Step::Woken
        ));
        assert!(matches!(
            poll_or_park_for_signals(pin!(source.readable()), deadline),
            Step::TimedOut
        ));
        crate::reactor::reclaim_idle_drivers(Duration::ZERO);
        // Another epoll set gets the number.
        // SAFETY: takes a flag only.
        let other = unsafe { OwnedFd::from_raw_fd(libc::epoll_create1(libc::EPOLL_CLOEXEC)) };
        poke_signal_target();
        let info =
            fs::read_to_string(format!("/proc/self/fdinfo/{}", other.as_raw_fd())).expect("fdinfo");
        assert!(!info.contains("tfd"), "{info}");
        assert!(matches!(
            poll_or_park_for_signals(pin!(source.readable()), None),
            Step::Woken
        ));
        // And where the next driver gets the number of the one before.
        crate::reactor::reclaim_idle_drivers(Duration::ZERO);
        assert!(matches!(
            poll_or_park_for_signals(pin!(source.readable()), deadline),
            Step::Woken
        ));
    });
}

/// ppoll(2) without a timeout ends with `EINTR` all the same, where a signal is pending.
#[test]
fn a_signal_is_no_event_of_a_descriptor() {
    alone(
        module_path!(),
        "a_signal_is_no_event_of_a_descriptor",
        || {
            handle(libc::SIGUSR1, count);
            let (source, _peer) = pair();
            let (thread, over) = (thread_id(), Arc::new(AtomicBool::new(false)));
            let sender = thread::spawn({
                let over = Arc::clone(&over);
                move || {
                    while !over.load(Ordering::SeqCst) {
                        signal_thread(thread);
                    }
                }
            });
            // Most of so many meet the call where it was begun and nothing was found yet.
            while HANDLED.load(Ordering::SeqCst) < 50_000 {
                let event = source.with_fd(|fd| has_events(fd, libc::POLLIN));
                assert_eq!(event, Some(false));
            }
            over.store(true, Ordering::SeqCst);
            sender.join().expect("the sender");
        },
    );
}

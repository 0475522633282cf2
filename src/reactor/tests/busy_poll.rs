//! A thread that polls before it sleeps hears all that ends a sleep, and polls only where it may.
//!
//! In processes of their own: how long to poll, and how many may, is the process's.

use std::{io::Write, pin::pin};

use super::*;
use crate::reactor::{
    Step,
    busy_poll::{self, let_others_run, needs_others, poll_before_sleep},
    driver::poke_signal_target,
    park::poll_or_park_for_signals,
    poll_or_park, set_busy_poll,
};

/// How many threads may poll.
fn limit() -> usize {
    match thread::available_parallelism().map_or(1, usize::from) {
        1 => 0,
        processors => (processors / 2).max(1),
    }
}

/// Runs `test` where polls last longer than it does, if there are processors for that.
fn alone_polling(test_name: &str, test: impl FnOnce()) {
    if limit() == 0 {
        eprintln!("SKIPPED: {test_name}: polls need two processors");
        return;
    }
    alone(module_path!(), test_name, || {
        busy_poll::endless();
        test();
    });
}

/// Spins until this many threads poll.
fn until_polling(count: usize) {
    while busy_poll::polling() != count {
        thread::yield_now();
    }
}

/// Whether this thread polls before the next sleep.
fn polls() -> bool {
    busy_poll::eager();
    let mut polled = false;
    let _ = poll_before_sleep(None, || {
        polled = true;
        Some(())
    });
    polled
}

/// Whether this thread lets others run before the next sleep.
fn yields() -> bool {
    busy_poll::eager();
    let mut yielded = false;
    let worth_it = let_others_run(|| yielded = true);
    assert_eq!(worth_it.is_some(), yielded);
    yielded
}

/// A wait on a thread of its own, which polls from the beginning.
fn polling_wait<R: Send + 'static>(
    wait: impl FnOnce() -> R + Send + 'static,
) -> thread::JoinHandle<R> {
    let thread = thread::spawn(|| {
        busy_poll::eager();
        wait()
    });
    until_polling(1);
    thread
}

#[test]
fn data_ends_it() {
    alone_polling("data_ends_it", || {
        let (source, mut peer) = pair();
        let reader = polling_wait(move || receive(&source, None));
        peer.write_all(b"x").expect("write");
        assert_eq!(reader.join().expect("reader").expect("received"), b'x');
        assert_eq!(busy_poll::polling(), 0);
    });
}

#[test]
fn close_ends_it() {
    alone_polling("close_ends_it", || {
        let (source, _peer) = pair();
        let waiting = Arc::clone(&source);
        let reader = polling_wait(move || receive(&waiting, None));
        source.close().expect("close");
        let error = reader.join().expect("reader").expect_err("closed");
        assert_eq!(error.raw_os_error(), Some(libc::EBADF));
    });
}

#[test]
fn a_changed_timeout_ends_it() {
    alone_polling("a_changed_timeout_ends_it", || {
        let (source, _peer) = pair();
        let waiting = Arc::clone(&source);
        let thread = polling_wait(move || poll_or_park(pin!(waiting.readable()), None));
        source.wake_waiters();
        assert!(matches!(
            thread.join().expect("thread"),
            Step::Ready(Ok(()))
        ));
    });
}

#[test]
fn a_signal_ends_it() {
    alone_polling("a_signal_ends_it", || {
        let (source, _peer) = pair();
        let thread = thread::spawn(move || {
            busy_poll::eager();
            // The first comes back without a wait, as the driver is new to signals.
            [0, 1].map(|_| {
                matches!(
                    poll_or_park_for_signals(pin!(source.readable()), None),
                    Step::Woken
                )
            })
        });
        until_polling(1);
        poke_signal_target();
        assert_eq!(thread.join().expect("thread"), [true, true]);
    });
}

#[test]
fn the_deadline_ends_it_and_never_early() {
    alone_polling("the_deadline_ends_it_and_never_early", || {
        let (source, _peer) = pair();
        for microseconds in [0, 1, 10, 100, 1_000, 10_000] {
            busy_poll::eager();
            let deadline = Instant::now() + Duration::from_micros(microseconds);
            assert!(block_on(source.readable(), Some(deadline)).is_err());
            assert!(Instant::now() >= deadline);
        }
    });
}

#[test]
fn the_budget_ends_it() {
    alone_polling("the_budget_ends_it", || {
        set_busy_poll(Duration::from_micros(100));
        let (source, mut peer) = pair();
        let (tell, told) = mpsc::channel();
        let reader = thread::spawn(move || {
            tell.send(thread_id()).expect("told");
            busy_poll::eager();
            receive(&source, None)
        });
        Watched::new(told.recv().expect("the thread's id")).until_in(libc::SYS_epoll_pwait2);
        assert_eq!(busy_poll::polling(), 0);
        peer.write_all(b"x").expect("write");
        assert_eq!(reader.join().expect("reader").expect("received"), b'x');
    });
}

#[test]
fn not_with_a_budget_of_zero() {
    alone_polling("not_with_a_budget_of_zero", || {
        assert!(polls());
        set_busy_poll(Duration::ZERO);
        assert!(!polls());
    });
}

#[test]
fn on_a_single_processor_others_run_instead() {
    alone_polling("on_a_single_processor_others_run_instead", || {
        assert!(polls() && !yields());
        // SAFETY: a plain C structure of bits.
        let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
        // SAFETY: reads the thread's set, leaves its first processor in it and gives it back.
        let pinned = unsafe {
            libc::sched_getaffinity(0, size_of_val(&set), &mut set);
            let first = (0..libc::CPU_SETSIZE as usize).find(|cpu| libc::CPU_ISSET(*cpu, &set));
            libc::CPU_ZERO(&mut set);
            libc::CPU_SET(first.expect("a processor"), &mut set);
            libc::sched_setaffinity(0, size_of_val(&set), &set)
        };
        assert_eq!(pinned, 0);
        // Noticed after a while.
        while polls() {}
        assert!(yields());
        let (source, _peer) = pair();
        let yielded = let_others_run(|| thread::sleep(Duration::from_millis(1)));
        yielded.expect("others").has_answered(&source, true);
        assert!(needs_others(&source));
        // In vain, a few times.
        busy_poll::eager();
        for _ in 0..3 {
            let yielded = let_others_run(|| ()).expect("worth another try");
            yielded.has_answered(&source, false);
        }
        assert!(let_others_run(|| ()).is_none());
        set_busy_poll(Duration::ZERO);
        assert!(!yields());
    });
}

#[test]
fn not_more_threads_than_half_the_processors() {
    alone_polling("not_more_threads_than_half_the_processors", || {
        let limit = limit();
        let (source, mut peer) = pair();
        let threads: Vec<_> = (0..limit)
            .map(|_| {
                let source = Arc::clone(&source);
                thread::spawn(move || {
                    busy_poll::eager();
                    receive(&source, None)
                })
            })
            .collect();
        until_polling(limit);
        assert!(!polls());
        peer.write_all(&vec![b'x'; limit]).expect("write");
        for thread in threads {
            thread.join().expect("thread").expect("received");
        }
        assert!(polls());
    });
}

#[test]
fn a_child_does_not_count_its_parents_threads() {
    alone_polling("a_child_does_not_count_its_parents_threads", || {
        let (source, mut peer) = pair();
        let limit = limit();
        let threads: Vec<_> = (0..limit)
            .map(|_| {
                let source = Arc::clone(&source);
                thread::spawn(move || {
                    busy_poll::eager();
                    receive(&source, None)
                })
            })
            .collect();
        until_polling(limit);
        child(|| {
            assert_eq!(busy_poll::polling(), 0);
            assert!(polls());
            assert!(polls(), "and counts its own out again");
        });
        peer.write_all(&vec![b'x'; limit]).expect("write");
        for thread in threads {
            thread.join().expect("thread").expect("received");
        }
    });
}

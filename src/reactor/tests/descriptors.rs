//! Descriptors of the reactor itself: scarce, reclaimed, and closed behind its back.

use std::{
    fs::File,
    future::{Future, poll_fn},
    io::Write,
    time::Duration,
};

use super::*;
use crate::reactor::reclaim_idle_drivers;

#[test]
fn an_idle_driver_is_reclaimed_and_made_again() {
    alone(
        module_path!(),
        "an_idle_driver_is_reclaimed_and_made_again",
        || {
            let (source, mut peer) = pair();
            for _ in 0..100 {
                peer.write_all(b"xy").expect("write");
                block_on(source.readable(), None)
                    .expect("no deadline")
                    .expect("ready");
                assert_eq!(receive(&source, None).expect("received"), b'x');
                assert_eq!(receive(&source, None).expect("received"), b'y');
                assert_eq!(epoll_sets(), 1);
                assert_eq!(reclaim_idle_drivers(Duration::ZERO), 1);
                assert_eq!(epoll_sets(), 0);
            }
        },
    );
}

#[test]
fn a_driver_in_use_is_not_reclaimed() {
    alone(module_path!(), "a_driver_in_use_is_not_reclaimed", || {
        let (source, mut peer) = pair();
        let waiting = Arc::clone(&source);
        let reader = thread::spawn(move || receive(&waiting, None));
        until_waiting(&source, 1);
        assert_eq!(reclaim_idle_drivers(Duration::ZERO), 0);
        peer.write_all(b"x").expect("write");
        assert_eq!(reader.join().expect("reader").expect("received"), b'x');
    });
}

#[test]
fn reclaiming_while_others_wait() {
    alone(module_path!(), "reclaiming_while_others_wait", || {
        let threads: Vec<_> = (0..4).map(|_| thread::spawn(|| ping_pong(2_000))).collect();
        while !threads.iter().all(thread::JoinHandle::is_finished) {
            reclaim_idle_drivers(Duration::ZERO);
        }
        assert!(threads.into_iter().all(|thread| thread.join().is_ok()));
        assert_eq!(
            epoll_sets(),
            0,
            "the threads are gone, and their drivers with them"
        );
    });
}

/// Fills the descriptor table up to the limit.
fn use_up() -> Vec<File> {
    limit_descriptors(descriptors().len() as u64 + 20);
    let mut taken = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        taken.push(file);
    }
    taken
}

#[test]
fn without_descriptors_it_waits_plainly() {
    alone(
        module_path!(),
        "without_descriptors_it_waits_plainly",
        || {
            let (source, mut peer) = pair();
            let waiting = Arc::clone(&source);
            let (tell, told) = mpsc::channel();
            let (start, started) = mpsc::channel::<()>();
            let reader = thread::spawn(move || {
                tell.send(thread_id()).expect("told");
                let _ = started.recv();
                (receive(&waiting, None), receive(&waiting, None))
            });
            let watched = Watched::new(told.recv().expect("the reader's id"));
            let taken = use_up();
            drop(start);
            watched.until_in(libc::SYS_ppoll);
            assert_eq!(source.waiting(), 0);
            peer.write_all(b"x").expect("write");
            block_on(source.writable(), None)
                .expect("no deadline")
                .expect("ready");
            watched.until_in(libc::SYS_ppoll);
            // `close` is put off by a time slice of the wait at most.
            source.close().expect("close");
            let (first, second) = reader.join().expect("reader");
            assert_eq!(first.expect("received"), b'x');
            assert_eq!(
                second.expect_err("closed").raw_os_error(),
                Some(libc::EBADF)
            );
            drop(taken);
            assert_eq!(epoll_sets(), 0);
            let (source, peer) = sources();
            transmit(&peer, 3).expect("sent");
            block_on(source.readable(), None)
                .expect("no deadline")
                .expect("ready");
            assert_eq!(epoll_sets(), 1, "with descriptors there is a driver again");
        },
    );
}

#[test]
fn plain_waits_keep_deadlines_and_leave_nothing() {
    alone(
        module_path!(),
        "plain_waits_keep_deadlines_and_leave_nothing",
        || {
            let (source, mut peer) = pair();
            let mut taken = use_up();
            for milliseconds in [0, 1, 5, 15, 25] {
                let deadline = Instant::now() + Duration::from_millis(milliseconds);
                assert!(
                    receive(&source, Some(deadline))
                        .is_err_and(|error| error.kind() == io::ErrorKind::TimedOut)
                );
                assert!(Instant::now() >= deadline);
            }
            assert!(super::super::source::take_plain_waits().is_empty());
            // Only the background driver cannot wait without a descriptor: an error, not a wait without an end.
            let polled = tokio::runtime::Builder::new_current_thread().build();
            if let Ok(runtime) = polled {
                assert!(runtime.block_on(source.readable()).is_err());
            }
            taken.clear();
            peer.write_all(b"x").expect("write");
            assert_eq!(receive(&source, None).expect("received"), b'x');
        },
    );
}

#[test]
fn a_plain_wait_beside_an_armed_one_holds_neither_up() {
    finish(|| {
        let (source, mut peer) = pair();
        let (twin, _twin_peer) = pair();
        assert!(block_on(twin.readable(), Some(Instant::now())).is_err());
        // Two sources of one descriptor, as `socket(fileno=s.fileno())` makes: the kernel refuses the second one.
        // SAFETY: the number is open, and `shadow` gives it up before it is closed.
        let shadow = Source::new(unsafe { OwnedFd::from_raw_fd(twin.fd().expect("open")) });
        let (mut plain, mut armed) = (Box::pin(shadow.readable()), Box::pin(source.readable()));
        let mut both = poll_fn(move |cx| {
            assert!(plain.as_mut().poll(cx).is_pending());
            armed.as_mut().poll(cx)
        });
        assert!(block_on(&mut both, Some(Instant::now())).is_err());
        peer.write_all(b"x").expect("write");
        block_on(both, None).expect("no deadline").expect("ready");
        std::mem::forget(shadow.detach());
    });
}

/// Takes the descriptors away that the reactor has made for itself, and everything else but the standard three.
fn close_everything() {
    // SAFETY: takes numbers only; whatever they mean in this process, it goes on without.
    assert_eq!(unsafe { libc::close_range(3, u32::MAX, 0) }, 0);
}

#[test]
fn all_closed_behind_our_back() {
    alone(module_path!(), "all_closed_behind_our_back", || {
        child(|| {
            for _ in 0..5 {
                ping_pong(10);
                let (source, peer) = sources();
                transmit(&peer, 1).expect("sent");
                block_on(source.readable(), None)
                    .expect("no deadline")
                    .expect("ready");
                // Their numbers are somebody else's soon.
                std::mem::forget((source, peer));
                close_everything();
            }
            ping_pong(10);
            // Other drivers wake by the new always readable descriptor.
            let (source, _peer) = pair();
            let waiting = Arc::clone(&source);
            let reader = thread::spawn(move || receive(&waiting, None));
            until_waiting(&source, 1);
            source.close().expect("close");
            assert!(reader.join().expect("reader").is_err());
        });
    });
}

#[test]
fn numbers_reused_behind_our_back_stay_their_owners() {
    alone(
        module_path!(),
        "numbers_reused_behind_our_back_stay_their_owners",
        || {
            child(|| {
                let owners = thread::spawn(|| {
                    let (source, peer) = sources();
                    transmit(&peer, 1).expect("sent");
                    block_on(source.readable(), None)
                        .expect("no deadline")
                        .expect("ready");
                    std::mem::forget((source, peer));
                    close_everything();
                    // Files, with all the numbers that the reactor has had.
                    (0..20)
                        .map(|_| File::open("/dev/null").expect("open"))
                        .collect::<Vec<_>>()
                })
                .join()
                .expect("thread");
                // That thread's driver has gone with it.
                assert!(owners.iter().all(|file| file.metadata().is_ok()));
                ping_pong(10);
                assert!(owners.iter().all(|file| file.metadata().is_ok()));
            });
        },
    );
}

#[test]
fn the_wake_descriptor_closed_behind_our_back() {
    alone(
        module_path!(),
        "the_wake_descriptor_closed_behind_our_back",
        || {
            child(|| {
                let (source, _peer) = pair();
                for _ in 0..3 {
                    let waiting = Arc::clone(&source);
                    let reader = thread::spawn(move || block_on(waiting.readable(), None));
                    until_waiting(&source, 1);
                    for (number, target) in descriptors() {
                        if target.contains("eventfd") {
                            // SAFETY: takes a number only.
                            unsafe { libc::close(number) };
                        }
                    }
                    source.wake_waiters();
                    reader
                        .join()
                        .expect("reader")
                        .expect("no deadline")
                        .expect("open");
                }
            });
        },
    );
}

#[test]
fn the_background_epoll_set_closed_behind_our_back() {
    alone(
        module_path!(),
        "the_background_epoll_set_closed_behind_our_back",
        || {
            child(|| {
                for _ in 0..3 {
                    // Without a driver of its own, which would be closed as well.
                    let runtime = tokio::runtime::Builder::new_current_thread()
                        .build()
                        .expect("a runtime");
                    let (source, peer) = sources();
                    transmit(&peer, 1).expect("sent");
                    runtime.block_on(source.readable()).expect("ready");
                    std::mem::forget((source, peer));
                    close_everything();
                }
            });
        },
    );
}

#[test]
fn a_number_that_dup2_made_another_socket() {
    finish(|| {
        let (source, _gone) = pair();
        assert!(block_on(source.readable(), Some(Instant::now())).is_err());
        let (other, mut peer) = UnixStream::pair().expect("pair");
        // SAFETY: both numbers are this test's.
        assert!(unsafe { libc::dup2(other.as_raw_fd(), source.fd().expect("open")) } >= 0);
        // A direction that is not armed yet: the kernel has to be told of the new file.
        block_on(source.writable(), None)
            .expect("no deadline")
            .expect("ready");
        peer.write_all(b"x").expect("write");
        assert_eq!(receive(&source, None).expect("received"), b'x');
    });
}

#[test]
fn a_thousand_threads_on_a_thousand_sources() {
    alone(
        module_path!(),
        "a_thousand_threads_on_a_thousand_sources",
        || {
            limit_descriptors(10_000);
            let pairs: Vec<_> = (0..1_000).map(|_| pair()).collect();
            let threads: Vec<_> = pairs
                .iter()
                .map(|(source, _)| {
                    let source = Arc::clone(source);
                    thread::Builder::new()
                        .stack_size(64 * 1024)
                        .spawn(move || (receive(&source, None), receive(&source, None)))
                        .expect("a thread")
                })
                .collect();
            for (source, mut peer) in pairs.iter().map(|(source, peer)| (source, peer)) {
                until_waiting(source, 1);
                peer.write_all(b"x").expect("write");
            }
            for (source, _) in &pairs {
                // Some have not gone back to wait: for these it is a close before the wait.
                source.close().expect("close");
            }
            for thread in threads {
                let (first, second) = thread.join().expect("thread");
                assert!(matches!(first, Ok(b'x') | Err(_)));
                assert_eq!(
                    second.expect_err("closed").raw_os_error(),
                    Some(libc::EBADF)
                );
            }
            assert_eq!(epoll_sets(), 0);
        },
    );
}

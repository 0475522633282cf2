//! A forked child goes on with inherited and with new sources, and its parent notices nothing.

use std::{
    io::Write,
    sync::atomic::{AtomicBool, Ordering},
};

use super::*;

/// The interest list of every epoll set of this process, as `/proc` shows it.
fn interests() -> Vec<(i32, Vec<String>)> {
    let mut sets: Vec<_> = descriptors()
        .into_iter()
        .filter(|(_, target)| target.contains("eventpoll"))
        .map(|(number, _)| {
            let text = fs::read_to_string(format!("/proc/self/fdinfo/{number}")).expect("fdinfo");
            let mut entries: Vec<_> = text
                .lines()
                .filter(|line| line.starts_with("tfd"))
                .map(String::from)
                .collect();
            entries.sort_unstable();
            (number, entries)
        })
        .collect();
    sets.sort_unstable();
    sets
}

#[test]
fn child_and_parent_go_on() {
    alone(module_path!(), "child_and_parent_go_on", || {
        // This thread has a driver, and another one is blocked in its own.
        ping_pong(3);
        let (blocked, mut blocked_peer) = pair();
        let (inherited, inherited_peer) = sources();
        assert!(block_on(inherited.readable(), Some(Instant::now())).is_err());
        let waiting = Arc::clone(&blocked);
        let reader = thread::spawn(move || receive(&waiting, None));
        until_waiting(&blocked, 1);
        let before = interests();
        assert_eq!(before.len(), 2);
        child(|| {
            assert_eq!(
                epoll_sets(),
                0,
                "the child has closed its copies of the parent's epoll sets"
            );
            ping_pong(100);
            // Inherited sources, one of them with a waiter of the parent's in its list.
            transmit(&inherited_peer, 5).expect("sent");
            assert_eq!(receive(&inherited, None).expect("received"), 5);
            assert_eq!(blocked.waiting(), 0);
            let deadline = Instant::now() + Duration::from_millis(5);
            assert!(
                receive(&blocked, Some(deadline))
                    .is_err_and(|error| error.kind() == io::ErrorKind::TimedOut)
            );
            let waiting = Arc::clone(&blocked);
            let reader = thread::spawn(move || receive(&waiting, None));
            until_waiting(&blocked, 1);
            blocked.close().expect("close");
            assert!(reader.join().expect("reader").is_err());
            inherited.close().expect("close");
            assert_eq!(epoll_sets(), 1);
        });
        assert_eq!(
            interests(),
            before,
            "the child has touched its parent's epoll sets"
        );
        blocked_peer.write_all(b"x").expect("write");
        assert_eq!(reader.join().expect("reader").expect("received"), b'x');
        transmit(&inherited_peer, 6).expect("sent");
        assert_eq!(receive(&inherited, None).expect("received"), 6);
    });
}

#[test]
fn the_background_driver_in_a_child() {
    alone(module_path!(), "the_background_driver_in_a_child", || {
        let runtime = || {
            tokio::runtime::Builder::new_current_thread()
                .build()
                .expect("a runtime")
        };
        let (source, peer) = sources();
        transmit(&peer, 1).expect("sent");
        runtime().block_on(source.readable()).expect("ready");
        child(|| {
            let (new, new_peer) = sources();
            transmit(&new_peer, 1).expect("sent");
            runtime().block_on(new.readable()).expect("ready");
            runtime().block_on(source.readable()).expect("ready");
        });
    });
}

#[test]
fn a_wait_that_began_before_the_fork_ends_in_the_child() {
    alone(
        module_path!(),
        "a_wait_that_began_before_the_fork_ends_in_the_child",
        || {
            let (source, peer) = sources();
            let mut wait = source.readable();
            assert!(block_on(&mut wait, Some(Instant::now())).is_err());
            child(|| {
                transmit(&peer, 1).expect("sent");
                block_on(&mut wait, None)
                    .expect("no deadline")
                    .expect("ready");
                assert_eq!(receive(&source, None).expect("received"), 1);
            });
        },
    );
}

#[test]
fn a_child_of_a_child() {
    alone(module_path!(), "a_child_of_a_child", || {
        child(|| {
            ping_pong(3);
            child(|| {
                ping_pong(3);
                child(|| ping_pong(3));
                ping_pong(3);
            });
            ping_pong(3);
        });
    });
}

#[test]
fn references_of_the_parents_threads_do_not_count_in_the_child() {
    alone(
        module_path!(),
        "references_of_the_parents_threads_do_not_count_in_the_child",
        || {
            let (source, mut peer) = pair();
            let (holding, held) = mpsc::channel();
            let (release, released) = mpsc::channel::<()>();
            let holder = Arc::clone(&source);
            let thread = thread::spawn(move || {
                holder.with_fd(|_| {
                    holding.send(()).expect("told");
                    let _ = released.recv();
                })
            });
            held.recv().expect("held");
            child(|| {
                let number = source.fd().expect("open");
                source.close().expect("close");
                assert!(
                    crate::reactor::system::identity(number).is_none(),
                    "the descriptor is still open"
                );
            });
            release.send(()).expect("released");
            assert!(thread.join().expect("thread").is_some());
            peer.write_all(b"x").expect("write");
            assert_eq!(receive(&source, None).expect("received"), b'x');
        },
    );
}

#[test]
fn storm() {
    alone(module_path!(), "storm", || {
        let stop = Arc::new(AtomicBool::new(false));
        let threads: Vec<_> = (0..4)
            .map(|index| {
                let stop = Arc::clone(&stop);
                thread::spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        // Two of them keep making and dropping drivers.
                        if index < 2 {
                            ping_pong(50)
                        } else {
                            drop(thread::spawn(|| ping_pong(2)).join())
                        }
                    }
                })
            })
            .collect();
        let (inherited, peer) = sources();
        for _ in 0..200 {
            child(|| {
                assert_eq!(epoll_sets(), 0);
                transmit(&peer, 1).expect("sent");
                block_on(inherited.readable(), None)
                    .expect("no deadline")
                    .expect("ready");
                assert_eq!(receive(&inherited, None).expect("received"), 1);
                // Not two threads: std starts none in a child that was forked while another thread was being started.
                let (new, new_peer) = sources();
                transmit(&new_peer, 2).expect("sent");
                block_on(new.readable(), None)
                    .expect("no deadline")
                    .expect("ready");
                assert_eq!(receive(&new, None).expect("received"), 2);
                new.wake_waiters();
                inherited.close().expect("close");
            });
        }
        stop.store(true, Ordering::Relaxed);
        assert!(threads.into_iter().all(|thread| thread.join().is_ok()));
    });
}

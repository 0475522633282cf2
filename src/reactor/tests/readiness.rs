//! Who waits is woken, once there is a reason, and for no other.

use std::{
    future::{Future, poll_fn},
    io::{Read, Write},
    pin::{Pin, pin},
    sync::{Arc, Mutex},
    task::{Context, Poll, Wake, Waker},
    thread,
    time::{Duration, Instant},
};

use super::*;
use crate::reactor::{Step, poll_or_park};

fn soon() -> Option<Instant> {
    Some(Instant::now() + Duration::from_millis(20))
}

#[test]
fn ready_before_the_wait() {
    finish(|| {
        let (source, mut peer) = pair();
        peer.write_all(b"x").expect("write");
        // Awaited without a try: the first arming reports what is there already.
        block_on(source.readable(), None)
            .expect("no deadline")
            .expect("ready");
        assert_eq!(receive(&source, None).expect("received"), b'x');
    });
}

#[test]
fn ready_during_the_wait() {
    finish(|| {
        let (source, mut peer) = pair();
        let waiting = Arc::clone(&source);
        let reader = thread::spawn(move || receive(&waiting, None));
        until_waiting(&source, 1);
        peer.write_all(b"x").expect("write");
        assert_eq!(reader.join().expect("reader").expect("received"), b'x');
    });
}

#[test]
fn an_event_between_the_try_and_the_wait_is_seen() {
    finish(|| {
        let (source, mut peer) = pair();
        ping_once(&source, &mut peer);
        for _ in 0..1_000 {
            let seen = source.tick(Direction::Read);
            assert!(
                source
                    .with_fd(|fd| recv(fd, &mut [0], 0))
                    .expect("open")
                    .is_err()
            );
            peer.write_all(b"x").expect("write");
            block_on(source.ready_since(Direction::Read, seen), None)
                .expect("no deadline")
                .expect("ready");
            assert_eq!(receive(&source, None).expect("received"), b'x');
        }
    });
}

fn ping_once(source: &Source, peer: &mut UnixStream) {
    peer.write_all(b"!").expect("write");
    block_on(source.readable(), None)
        .expect("no deadline")
        .expect("ready");
    assert_eq!(receive(source, None).expect("received"), b'!');
}

#[test]
fn a_reader_and_a_writer_of_one_source() {
    finish(|| {
        let (source, mut peer) = pair();
        let mut filled = 0;
        while let Ok(count) = source.with_fd(|fd| send(fd, &[7; 4096])).expect("open") {
            filled += count;
        }
        let (reading, writing) = (Arc::clone(&source), Arc::clone(&source));
        let reader = thread::spawn(move || receive(&reading, None));
        let writer = thread::spawn(move || transmit(&writing, 8));
        until_waiting(&source, 2);
        peer.write_all(b"r").expect("write");
        assert_eq!(reader.join().expect("reader").expect("received"), b'r');
        until_waiting(&source, 1);
        let mut all = vec![0; filled + 1];
        peer.read_exact(&mut all).expect("read");
        writer.join().expect("writer").expect("sent");
        assert_eq!(all.last(), Some(&8));
    });
}

#[test]
fn two_directions_on_one_thread() {
    finish(|| {
        let (source, mut peer) = pair();
        ping_once(&source, &mut peer);
        // Armed for reading only so far: the driver has to change what it asks for.
        block_on(source.writable(), None)
            .expect("no deadline")
            .expect("writable");
        ping_once(&source, &mut peer);
    });
}

#[test]
fn every_thread_that_reads_one_source_is_woken() {
    finish(|| {
        let (source, mut peer) = pair();
        let readers: Vec<_> = (0..8)
            .map(|_| {
                let source = Arc::clone(&source);
                thread::spawn(move || receive(&source, None).expect("received"))
            })
            .collect();
        until_waiting(&source, 8);
        peer.write_all(b"abcdefgh").expect("write");
        let mut got: Vec<u8> = readers
            .into_iter()
            .map(|reader| reader.join().expect("reader"))
            .collect();
        got.sort_unstable();
        assert_eq!(got, b"abcdefgh");
    });
}

#[test]
fn every_future_that_reads_one_source_is_woken() {
    finish(|| {
        let (source, mut peer) = pair();
        let mut waits: Vec<_> = (0..3).map(|_| Some(Box::pin(source.readable()))).collect();
        let waiting = Arc::clone(&source);
        let writer = thread::spawn(move || {
            until_waiting(&waiting, 3);
            peer.write_all(b"x").expect("write");
            peer
        });
        let all = poll_fn(|cx| {
            for wait in &mut waits {
                if wait
                    .as_mut()
                    .is_some_and(|future| future.as_mut().poll(cx).is_ready())
                {
                    *wait = None;
                }
            }
            if waits.iter().all(Option::is_none) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        });
        block_on(all, None).expect("no deadline");
        writer.join().expect("writer");
    });
}

#[test]
fn a_finished_wait_leaves_no_wake_up_for_the_next() {
    finish(|| {
        let (source, mut peer) = pair();
        for _ in 0..3 {
            ping_once(&source, &mut peer);
            peer.write_all(b"x").expect("write");
            let seen = source.tick(Direction::Read);
            block_on(source.ready_since(Direction::Read, seen), None)
                .expect("no deadline")
                .expect("ready");
            receive(&source, None).expect("received");
            let quiet = pin!(source.readable());
            assert!(
                matches!(poll_or_park(quiet, soon()), Step::TimedOut),
                "woken by what was before"
            );
        }
    });
}

#[test]
fn a_thread_is_not_woken_for_ever_by_what_it_no_longer_waits_for() {
    finish(|| {
        let (left, mut left_peer) = pair();
        let (waited_for, mut peer) = pair();
        ping_once(&left, &mut left_peer);
        let mut woken = 0;
        loop {
            left_peer.write_all(b"x").expect("write");
            match poll_or_park(pin!(waited_for.readable()), soon()) {
                Step::TimedOut => break,
                _ => woken += 1,
            }
            assert!(woken < 10, "still armed");
        }
        // Whoever waits for it again is told of what has come meanwhile, and of what comes then.
        block_on(left.readable(), None)
            .expect("no deadline")
            .expect("ready");
        for _ in 0..=woken {
            assert_eq!(receive(&left, None).expect("received"), b'x');
        }
        let waiting = Arc::clone(&left);
        let writer = thread::spawn(move || {
            until_waiting(&waiting, 1);
            left_peer.write_all(b"y").expect("write");
            left_peer
        });
        assert_eq!(receive(&left, None).expect("received"), b'y');
        writer.join().expect("writer");
        peer.write_all(b"z").expect("write");
        assert_eq!(receive(&waited_for, None).expect("received"), b'z');
    });
}

#[test]
fn a_relinquished_source_wakes_nobody_until_it_is_waited_for() {
    finish(|| {
        let (left, mut left_peer) = pair();
        let (waited_for, _peer) = pair();
        ping_once(&left, &mut left_peer);
        left.relinquish();
        left_peer.write_all(b"x").expect("write");
        let step = poll_or_park(pin!(waited_for.readable()), soon());
        assert!(matches!(step, Step::TimedOut), "still armed");
        block_on(left.readable(), None)
            .expect("no deadline")
            .expect("ready");
        assert_eq!(receive(&left, None).expect("received"), b'x');
        // A wait that has begun is left alone.
        let waiting = Arc::clone(&left);
        let writer = thread::spawn(move || {
            until_waiting(&waiting, 1);
            waiting.relinquish();
            left_peer.write_all(b"y").expect("write");
        });
        assert_eq!(receive(&left, None).expect("received"), b'y');
        writer.join().expect("writer");
    });
}

#[test]
fn who_waits_to_write_is_not_woken_for_ever_by_what_others_read() {
    finish(|| {
        let (source, mut peer) = pair();
        ping_once(&source, &mut peer);
        while source
            .with_fd(|fd| send(fd, &[7; 4096]))
            .expect("open")
            .is_ok()
        {}
        // Its edge, from when it was writable.
        let _ = block_on(source.writable(), soon());
        let mut woken = 0;
        loop {
            peer.write_all(b"x").expect("write");
            match poll_or_park(pin!(source.writable()), soon()) {
                Step::TimedOut => break,
                _ => woken += 1,
            }
            assert!(woken < 10, "still armed for reading");
        }
        let waiting = Arc::clone(&source);
        let drain = thread::spawn(move || {
            until_waiting(&waiting, 1);
            let mut some = [0; 1 << 20];
            assert!(peer.read(&mut some).expect("read") > 0);
            peer
        });
        block_on(source.writable(), None)
            .expect("no deadline")
            .expect("writable");
        let mut peer = drain.join().expect("drain");
        // And who waits to read again is told.
        while source
            .with_fd(|fd| recv(fd, &mut [0; 64], 0))
            .expect("open")
            .is_ok()
        {}
        let waiting = Arc::clone(&source);
        let writer = thread::spawn(move || {
            until_waiting(&waiting, 1);
            peer.write_all(b"y").expect("write");
            peer
        });
        assert_eq!(receive(&source, None).expect("received"), b'y');
        writer.join().expect("writer");
    });
}

#[test]
fn wake_waiters_brings_every_waiter_back() {
    finish(|| {
        let (source, _peer) = pair();
        let threads: Vec<_> = [Direction::Read, Direction::Read]
            .map(|direction| {
                let source = Arc::clone(&source);
                thread::spawn(move || {
                    block_on(source.ready_since(direction, source.tick(direction)), None)
                })
            })
            .into();
        until_waiting(&source, 2);
        source.wake_waiters();
        for thread in threads {
            thread
                .join()
                .expect("thread")
                .expect("no deadline")
                .expect("open");
        }
    });
}

#[test]
fn wake_waiters_reaches_who_is_about_to_wait() {
    finish(|| {
        let (source, _peer) = pair();
        let seen = source.tick(Direction::Read);
        // As when a timeout is changed after the caller has read it.
        source.wake_waiters();
        block_on(source.ready_since(Direction::Read, seen), None)
            .expect("no deadline")
            .expect("open");
    });
}

#[test]
fn dropped_waits_are_withdrawn() {
    let (source, _peer) = pair();
    for _ in 0..100 {
        assert_eq!(
            block_on(source.readable(), Some(Instant::now())).err(),
            Some(TimedOut)
        );
    }
    assert_eq!(source.waiting(), 0);
}

#[test]
fn block_on_within_a_future_of_block_on() {
    finish(|| {
        let (outer, mut outer_peer) = pair();
        let (inner, mut inner_peer) = pair();
        let mut wait = Box::pin(outer.readable());
        let mut nested = false;
        let both = poll_fn(|cx| {
            let poll = wait.as_mut().poll(cx);
            if !nested {
                nested = true;
                outer_peer.write_all(b"o").expect("write");
                inner_peer.write_all(b"i").expect("write");
                // This turns the driver, and takes the outer wait's event out of it.
                block_on(inner.readable(), None)
                    .expect("no deadline")
                    .expect("ready");
            }
            poll
        });
        block_on(both, None).expect("no deadline").expect("ready");
    });
}

/// An executor whose only handle of a waiting task is the waker.
struct Task {
    future: Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>,
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        let mut slot = self.future.lock().expect("not poisoned");
        let Some(mut future) = slot.take() else {
            return;
        };
        let waker = Waker::from(Arc::clone(&self));
        if future
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
        {
            *slot = Some(future);
        }
    }
}

#[test]
fn dropping_a_waker_may_drop_another_wait_of_the_same_source() {
    finish(|| {
        let (source, _peer) = pair();
        let moved = Arc::new(Mutex::new(Box::pin(source.readable())));
        let (other, taken) = (source.writable(), Arc::clone(&moved));
        let mut other = Some(Box::pin(async move {
            // Keeps a wait of its own entered for as long as the task lives.
            let mut held = pin!(other);
            poll_fn(|cx| held.as_mut().poll(cx).map(drop)).await;
        }));
        // Use the writable edge up, so that `other` stays pending.
        while source
            .with_fd(|fd| send(fd, &[0; 4096]))
            .expect("open")
            .is_ok()
        {}
        let task = Arc::new(Task {
            future: Mutex::new(Some(Box::pin(poll_fn(move |cx| {
                if let Some(other) = &mut other {
                    // Not by the task's waker: the moved wait has the only one.
                    let _ = other.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                }
                let _ = taken.lock().expect("not poisoned").as_mut().poll(cx);
                Poll::Pending
            })))),
        });
        task.wake();
        // The task lives in the moved wait's waker only, and goes with it here.
        let mut future = moved.lock().expect("not poisoned");
        let _ = future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        drop(future);
        assert_eq!(source.waiting(), 1, "the task's own wait is gone");
        source.close().expect("close");
    });
}

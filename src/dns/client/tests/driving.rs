//! Who turns a look-up: the thread that blocks in it, or the runtime.

use std::{
    fs::File,
    future::{Future, poll_fn},
    pin::Pin,
    sync::atomic::{AtomicBool, Ordering},
    task::Poll,
    thread,
    time::Instant,
};

use super::{
    forks::in_child,
    server::{Server, closed, until},
    *,
};

const BOTH: [&str; 2] = ["192.0.2.1", "2001:db8::1"];

/// A server that answers from the moment on that the switch is on.
fn switched() -> (Server, Arc<AtomicBool>) {
    let on = Arc::new(AtomicBool::new(false));
    let answers = on.clone();
    let server = Server::start(move |question| {
        while !answers.load(Ordering::SeqCst) {
            thread::yield_now();
        }
        question.address(1)
    });
    (server, on)
}

/// One poll.
async fn begin<F: Future + ?Sized>(look_up: &mut Pin<Box<F>>) -> bool {
    poll_fn(|context| Poll::Ready(look_up.as_mut().poll(context).is_pending())).await
}

#[test]
fn a_blocking_thread_needs_no_runtime() {
    let server = Server::start(|question| question.address(1));
    let config = config(&[server.address]);
    // A child has no runtime to begin with.
    let verdict = in_child(|| {
        let found = look_up(&client(0), &config, "a.test", Families::Both).is_ok();
        let none = !crate::dns::runtime::is_started();
        let spared = found && none;
        let found = elsewhere(client(0).addresses(&config, "b.test", Families::Both)).is_ok();
        u8::from(spared) + 2 * u8::from(found && crate::dns::runtime::is_started())
    });
    assert_eq!(verdict, Some(3));
}

#[test]
fn begun_by_a_thread_that_blocks_and_ended_elsewhere() {
    for by_another_that_blocks in [false, true] {
        let (server, on) = switched();
        let client = client(0);
        // Nothing but the reply ends the wait.
        let mut resolv = resolv(&[server.address], &[], 1);
        resolv.timeout = Duration::from_secs(1000);
        let config = reading(resolv, 1);
        let mut moving = Box::pin(client.addresses(&config, "a.test", Families::Both));
        assert_eq!(block_on(begin(&mut moving), None), Ok(true));
        until("asked", || server.asked().len() == 1);
        let answer = thread::scope(|scope| {
            let there = scope.spawn(|| {
                // Not the first poll there is the one that finds the reply.
                if by_another_that_blocks {
                    assert_eq!(block_on(begin(&mut moving), None), Ok(true));
                    on.store(true, Ordering::SeqCst);
                    block_on(&mut moving, None).unwrap()
                } else {
                    assert!(elsewhere(begin(&mut moving)));
                    on.store(true, Ordering::SeqCst);
                    elsewhere(&mut moving)
                }
            });
            until("answered", || there.is_finished());
            there.join().unwrap()
        });
        assert_eq!(answer, Ok(host("a.test", &[], &BOTH)));
        until("no socket is left", || server.clients() == 0);
    }
}

#[test]
fn begun_elsewhere_and_ended_by_a_thread_that_blocks() {
    let (server, on) = switched();
    let (client, config) = (client(0), config(&[server.address]));
    let mut moving = Box::pin(client.addresses(&config, "a.test", Families::Both));
    assert!(elsewhere(begin(&mut moving)));
    until("asked", || server.asked().len() == 1);
    on.store(true, Ordering::SeqCst);
    assert_eq!(block_on(moving, None), Ok(Ok(host("a.test", &[], &BOTH))));
    assert_eq!(server.asked().len(), 2);
}

/// What an event loop waits for does not come to depend on a thread that polls it too, and then leaves.
#[test]
fn a_thread_that_leaves_takes_nothing_along() {
    let silent = Server::start(|_| None);
    let client = client(0);
    let mut resolv = resolv(&[silent.address], &[], 1);
    resolv.attempts = 1;
    resolv.timeout = Duration::from_secs(2);
    let config = reading(resolv, 1);
    let start = Instant::now();
    let mut ours = Box::pin(client.addresses(&config, "a.test", Families::Both));
    let mut theirs = Box::pin(client.addresses(&config, "a.test", Families::Both));
    assert!(elsewhere(begin(&mut ours)));
    let answer = thread::scope(|scope| {
        let there = scope.spawn(|| elsewhere(&mut theirs));
        until("asked", || silent.asked().len() == 2);
        // Often, so that one poll is the last before the timeout, and later than any of the other's.
        for _ in 0..100 {
            assert_eq!(block_on(begin(&mut ours), None), Ok(true));
            thread::yield_now();
        }
        until("it ends", || there.is_finished());
        there.join().unwrap()
    });
    assert_eq!(answer, Err(LookupFailure::TryAgain));
    assert!(start.elapsed() >= Duration::from_secs(2), "early");
    assert_eq!(silent.asked().len(), 2);
    drop(ours);
}

#[test]
fn silence_and_refusal_elsewhere() {
    let silent = Server::start(|_| None);
    let client = client(0);
    let mut resolv = resolv(&[silent.address], &[], 1);
    resolv.attempts = 1;
    resolv.timeout = Duration::from_secs(1);
    let start = Instant::now();
    let answer = elsewhere(client.addresses(&reading(resolv, 1), "a.test", Families::V4));
    assert_eq!(answer, Err(LookupFailure::TryAgain));
    assert!(start.elapsed() >= Duration::from_secs(1), "early");
    // An ICMP error ends the wait long before its time, here and there.
    let nobody = || {
        let mut resolv = super::resolv(&[closed()], &[], 1);
        resolv.timeout = Duration::from_secs(1000);
        reading(resolv, 1)
    };
    let answer = elsewhere(client.addresses(&nobody(), "a.test", Families::Both));
    assert_eq!(answer, Err(LookupFailure::TryAgain));
    let answer = look_up(&client, &nobody(), "a.test", Families::Both);
    assert_eq!(answer, Err(LookupFailure::TryAgain));
}

/// Threads do not wait for each other, but share what is known.
#[test]
fn threads_ask_for_themselves_and_share_the_cache() {
    const THREADS: usize = 4;
    let (server, on) = switched();
    let (client, config) = (client(16), config(&[server.address]));
    thread::scope(|scope| {
        let all: Vec<_> = (0..THREADS)
            .map(|_| scope.spawn(|| look_up(&client, &config, "a.test", Families::Both)))
            .collect();
        until("every thread has its sockets", || {
            server.clients() == 2 * THREADS
        });
        on.store(true, Ordering::SeqCst);
        for one in all {
            assert_eq!(one.join().unwrap(), Ok(host("a.test", &[], &BOTH)));
        }
    });
    assert_eq!(server.asked().len(), 2 * THREADS);
    assert_eq!(
        look_up(&client, &config, "a.test", Families::Both),
        Ok(host("a.test", &[], &BOTH))
    );
    assert_eq!(server.asked().len(), 2 * THREADS, "from the cache");
}

/// Without a descriptor for a driver the sockets are looked at now and then, and the time is kept all the same.
#[test]
fn a_thread_without_a_driver() {
    let server = Server::start(|question| question.address(1));
    let silent = Server::start(|_| None);
    let mut quick = resolv(&[silent.address], &[], 1);
    quick.attempts = 1;
    quick.timeout = Duration::from_secs(1);
    let (config, quick) = (config(&[server.address]), reading(quick, 1));
    let verdict = in_child(|| {
        let limit = libc::rlimit {
            rlim_cur: 100,
            rlim_max: 100,
        };
        // SAFETY: reads a valid structure.
        unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) };
        let mut fillers: Vec<File> = Vec::new();
        fillers.extend(std::iter::from_fn(|| File::open("/dev/null").ok()));
        // Room for the sockets alone, once the thread has found none for a driver.
        let ask = |fillers: &mut Vec<File>, config| {
            let client = client(0);
            let mut asking = Box::pin(client.addresses(config, "a.test", Families::Both));
            let asking = poll_fn(|context| {
                fillers.truncate(fillers.len().saturating_sub(2));
                let polled = asking.as_mut().poll(context);
                fillers.extend(std::iter::from_fn(|| File::open("/dev/null").ok()));
                polled
            });
            block_on(asking, None).unwrap()
        };
        let start = Instant::now();
        let found = ask(&mut fillers, &config) == Ok(host("a.test", &[], &BOTH));
        let silence = ask(&mut fillers, &quick) == Err(LookupFailure::TryAgain);
        let late = start.elapsed() >= Duration::from_secs(1);
        u8::from(found) + 2 * u8::from(silence) + 4 * u8::from(late)
    });
    assert_eq!(verdict, Some(7));
}

use std::{
    future::{Future, poll_fn},
    io::Read,
    os::unix::net::UnixStream,
    sync::Barrier,
    task::Poll,
};

use super::{
    server::{Server, until},
    *,
};

/// Runs `body` in a forked child and returns what it writes. The child ends without unwinding or destructors.
pub(super) fn in_child(body: impl FnOnce() -> u8) -> Option<u8> {
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    // SAFETY: the child runs code that the crate promises to work after a fork, and leaves by _exit.
    match unsafe { libc::fork() } {
        0 => {
            let verdict = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body));
            let _ = std::io::Write::write_all(&mut &theirs, &[verdict.unwrap_or(0)]);
            // SAFETY: no preconditions.
            unsafe { libc::_exit(0) }
        }
        child => {
            assert!(child > 0);
            drop(theirs);
            ours.set_read_timeout(Some(Duration::from_secs(30)))
                .unwrap();
            let mut verdict = [0];
            let read = ours.read_exact(&mut verdict);
            // SAFETY: `child` is a child of ours that was not waited for.
            unsafe {
                libc::kill(child, libc::SIGKILL);
                libc::waitpid(child, std::ptr::null_mut(), 0);
            }
            read.ok().map(|()| verdict[0])
        }
    }
}

#[test]
fn a_child_goes_on_with_a_look_up() {
    // Silent until the child asks.
    let open = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let server = {
        let open = open.clone();
        Server::start(move |question| {
            let answers = open.load(std::sync::atomic::Ordering::SeqCst);
            answers.then(|| question.address(1)).flatten()
        })
    };
    let (client, config) = (client(16), config(&[server.address]));
    let expected = Ok(host("a.test", &[], &["192.0.2.1", "2001:db8::1"]));
    let mut look_up_there = Box::pin(client.addresses(&config, "a.test", Families::Both));
    let first = poll_fn(|context| Poll::Ready(look_up_there.as_mut().poll(context).is_pending()));
    assert_eq!(block_on(first, None), Ok(true));
    until("asked", || server.asked().len() == 2);
    open.store(true, std::sync::atomic::Ordering::SeqCst);
    let verdict = in_child(|| {
        // The parent's look-up polled on, and a new one.
        let went_on = block_on(&mut look_up_there, None).unwrap() == expected;
        let anew = look_up(&client, &config, "b.test", Families::Both).is_ok();
        let held = client
            .cached_addresses(&config, "b.test", Families::Both)
            .is_some();
        // Dropping what the parent left unfinished must not act on the parent.
        1 + u8::from(went_on) + 2 * u8::from(anew) + 4 * u8::from(held)
    });
    assert_eq!(verdict, Some(8));
    // The parent's own look-up still waits for a reply to its question; another one is answered.
    let answer = look_up(&client, &config, "c.test", Families::Both);
    assert_eq!(
        answer,
        Ok(host("c.test", &[], &["192.0.2.1", "2001:db8::1"]))
    );
    drop(look_up_there);
    until("the parent's sockets are closed", || server.clients() == 0);
}

/// What the parent left unfinished is not the child's to cancel.
#[test]
fn a_child_may_drop_a_look_up() {
    let gate = Arc::new(Barrier::new(2));
    let server = {
        let gate = gate.clone();
        Server::start(move |question| {
            gate.wait();
            question.address(1)
        })
    };
    let client = client(0);
    let mut resolv = resolv(&[server.address], &[], 1);
    resolv.timeout = Duration::from_secs(120);
    let config = reading(resolv, 1);
    let mut waiting = Some(Box::pin(client.addresses(&config, "a.test", Families::V4)));
    let first = poll_fn(|context| {
        let pending = waiting
            .as_mut()
            .unwrap()
            .as_mut()
            .poll(context)
            .is_pending();
        Poll::Ready(pending)
    });
    assert_eq!(block_on(first, None), Ok(true));
    let verdict = in_child(|| {
        drop(waiting.take());
        7
    });
    assert_eq!(verdict, Some(7));
    gate.wait();
    let deadline = Instant::now() + Duration::from_secs(20);
    let answer = block_on(waiting.unwrap(), Some(deadline));
    assert_eq!(answer, Ok(Ok(host("a.test", &[], &["192.0.2.1"]))));
}

/// Forks while other threads are in the middle of look-ups; each child looks up a name of its own.
#[test]
fn children_resolve_under_load() {
    use std::sync::atomic::{AtomicBool, Ordering};

    let server = Server::start(|question| question.address(1));
    let (client, config) = (Arc::new(client(0)), config(&[server.address]));
    let stop = Arc::new(AtomicBool::new(false));
    let load: Vec<_> = (0..3)
        .map(|_| {
            let (client, config, stop) = (client.clone(), config.clone(), stop.clone());
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    look_up(&client, &config, "load.test", Families::Both).unwrap();
                }
            })
        })
        .collect();
    for _ in 0..20 {
        let verdict = in_child(|| {
            let found = look_up(&client, &config, "child.test", Families::Both).is_ok();
            u8::from(found)
        });
        assert_eq!(verdict, Some(1));
    }
    stop.store(true, Ordering::Relaxed);
    for thread in load {
        thread.join().unwrap();
    }
}

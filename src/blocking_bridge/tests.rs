//! Calls in a VM.

use std::{
    io,
    os::unix::net::UnixDatagram,
    time::{Duration, Instant},
};

use super::{Call, Failure, Timeout, Wake};
use crate::{
    reactor::{Direction, Source},
    test_interpreter::with_vm,
};

const TIMEOUT: Duration = Duration::from_millis(50);
/// When a call has ignored its timeout: far above any delay of a busy machine.
const NEVER: Duration = Duration::from_secs(20);

/// A socket that becomes readable anew with each call of the function beside it.
fn restless() -> (Source, impl Fn()) {
    let (receiver, sender) = UnixDatagram::pair().expect("a pair of Unix sockets");
    let drain = receiver.try_clone().expect("a second descriptor");
    drain.set_nonblocking(true).expect("O_NONBLOCK");
    let again = move || {
        // What was sent last, so that the queue never fills.
        drain.recv(&mut [0; 1]).ok();
        sender.send(b"x").expect("room for one datagram");
    };
    (Source::new(receiver.into()), again)
}

#[test]
fn events_in_vain_do_not_keep_a_call_beyond_its_deadline() {
    let timeout = Timeout::new(TIMEOUT.as_nanos() as i64);
    with_vm(|vm| {
        let (source, again) = restless();
        let started = Instant::now();
        let mut call = Call::new(vm, &source, &timeout, 0);
        let outcome = call.run(Direction::Read, |_| {
            again();
            if started.elapsed() > NEVER {
                return Ok("ignored the timeout");
            }
            Err(io::Error::from_raw_os_error(libc::EAGAIN))
        });
        assert!(matches!(outcome, Err(Failure::TimedOut)), "{outcome:?}");
        assert!(started.elapsed() >= TIMEOUT);
    });
}

#[test]
fn nor_one_that_a_signal_may_end() {
    let timeout = Timeout::new(TIMEOUT.as_nanos() as i64);
    with_vm(|vm| {
        let (source, again) = restless();
        let started = Instant::now();
        let mut call = Call::new(vm, &source, &timeout, 0);
        call.begin_waiting(libc::EAGAIN)
            .expect("a timeout, so that the call waits");
        let outcome = loop {
            let seen = source.tick(Direction::Read);
            again();
            match call.wait_unless_signal(Direction::Read, seen) {
                Ok(Wake::Event) if started.elapsed() < NEVER => {}
                outcome => break outcome,
            }
        };
        assert!(matches!(outcome, Err(Failure::TimedOut)), "{outcome:?}");
        assert!(started.elapsed() >= TIMEOUT);
    });
}

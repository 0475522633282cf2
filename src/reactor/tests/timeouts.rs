//! Deadlines: never early, whatever their length, and in the past at once.

use std::{
    future::pending,
    pin::pin,
    time::{Duration, Instant},
};

use super::*;
use crate::reactor::{Step, poll_or_park};

#[test]
fn never_early() {
    let (source, _peer) = pair();
    let lengths = [1, 10, 100, 1_000, 10_000, 50_000, 100_000, 500_000, 999_999];
    let lengths = lengths
        .into_iter()
        .chain([1, 2, 3, 5, 10, 20, 50, 100].map(|milliseconds| milliseconds * 1_000_000));
    for nanoseconds in lengths {
        let deadline = Instant::now() + Duration::from_nanos(nanoseconds);
        assert!(
            receive(&source, Some(deadline))
                .is_err_and(|error| error.kind() == io::ErrorKind::TimedOut)
        );
        assert!(Instant::now() >= deadline, "{nanoseconds} ns");
    }
}

#[test]
fn in_the_past() {
    let (source, _peer) = pair();
    let past = Instant::now()
        .checked_sub(Duration::from_secs(1))
        .unwrap_or_else(Instant::now);
    assert!(
        receive(&source, Some(past)).is_err_and(|error| error.kind() == io::ErrorKind::TimedOut)
    );
}

#[test]
fn in_the_past_of_what_is_ready() {
    let (source, peer) = sources();
    transmit(&peer, 1).expect("sent");
    block_on(source.readable(), Some(Instant::now())).ok();
    // The future has the first word.
    assert_eq!(receive(&source, Some(Instant::now())).expect("received"), 1);
}

#[test]
fn a_century_ahead() {
    finish(|| {
        let (source, peer) = sources();
        let waiting = Arc::clone(&source);
        let far = Instant::now() + Duration::from_secs(100 * 365 * 24 * 3600);
        let reader = thread::spawn(move || receive(&waiting, Some(far)));
        until_waiting(&source, 1);
        transmit(&peer, 1).expect("sent");
        assert_eq!(reader.join().expect("reader").expect("received"), 1);
    });
}

#[test]
fn of_a_future_without_a_source() {
    let deadline = Instant::now() + Duration::from_millis(5);
    assert_eq!(block_on(pending::<()>(), Some(deadline)), Err(TimedOut));
    assert!(Instant::now() >= deadline);
    assert_eq!(
        poll_or_park(pin!(pending::<()>()), Some(deadline)),
        Step::TimedOut
    );
}

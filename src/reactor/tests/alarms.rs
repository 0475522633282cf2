//! Alarms: never early, always in the end, whatever lies between the future and the thread.

use std::{
    future::{Future, pending, poll_fn},
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use futures_util::{
    StreamExt,
    future::join_all,
    stream::{FuturesUnordered, once},
};

use super::*;
use crate::reactor::{Alarm, Step, alarm, not_polling, poll_or_park};

/// Completes when an alarm rings; fails where the polling thread does not block in it.
struct At(Alarm);

impl Future for At {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.poll_here(cx).expect("a thread blocks in it")
    }
}

fn after(duration: Duration) -> (Instant, At) {
    let at = Instant::now() + duration;
    (at, At(Alarm::new(at)))
}

fn milliseconds(count: u64) -> Duration {
    Duration::from_millis(count)
}

#[test]
fn never_early() {
    finish(|| {
        let lengths = [0, 1, 10, 100, 1_000, 10_000, 50_000, 100_000, 500_000];
        for microseconds in lengths {
            let (at, ringing) = after(Duration::from_micros(microseconds));
            assert_eq!(block_on(ringing, None), Ok(()));
            assert!(Instant::now() >= at, "{microseconds} µs");
        }
    });
}

#[test]
fn the_callers_deadline_stays_its_own() {
    finish(|| {
        let deadline = Instant::now() + milliseconds(40);
        let (at, mut ringing) = after(milliseconds(5));
        let both = async {
            (&mut ringing).await;
            assert!(Instant::now() >= at);
            pending::<()>().await;
        };
        assert_eq!(block_on(both, Some(deadline)), Err(TimedOut));
        assert!(Instant::now() >= deadline);
        // One that is later than the deadline does not put it off.
        let deadline = Instant::now() + milliseconds(5);
        let (_, far) = after(LIMIT * 10);
        assert_eq!(block_on(far, Some(deadline)), Err(TimedOut));
        assert!(Instant::now() >= deadline);
    });
}

#[test]
fn a_step_that_an_alarm_ended_is_not_a_timeout() {
    let (at, ringing) = after(milliseconds(5));
    let mut then_never = pin!(async {
        ringing.await;
        pending::<()>().await;
    });
    let deadline = Instant::now() + LIMIT;
    while Instant::now() < at {
        assert_eq!(
            poll_or_park(then_never.as_mut(), Some(deadline)),
            Step::Woken
        );
    }
}

/// Such a one polls only what has been woken.
#[test]
fn through_executors_within_the_future() {
    finish(|| {
        let mut many: FuturesUnordered<_> = (0..100)
            .map(|number| {
                let (at, ringing) = after(milliseconds(number % 10));
                async move {
                    ringing.await;
                    Instant::now() >= at
                }
            })
            .collect();
        let all = async {
            let mut rung = 0;
            while let Some(in_time) = many.next().await {
                assert!(in_time);
                rung += 1;
            }
            rung
        };
        assert_eq!(block_on(all, None), Ok(100));
    });
}

#[test]
fn within_each_other() {
    finish(|| {
        let (outer_at, outer) = after(milliseconds(10));
        let (inner_at, mut inner) = (Instant::now() + milliseconds(30), None);
        let both = join_all([
            Box::pin(outer) as Pin<Box<dyn Future<Output = ()>>>,
            Box::pin(poll_fn(|_| {
                // The outer alarm, set before, rings during this one's sleep.
                let ringing = inner.insert(At(Alarm::new(inner_at)));
                assert_eq!(block_on(ringing, None), Ok(()));
                assert!(Instant::now() >= inner_at);
                Poll::Ready(())
            })),
        ]);
        assert_eq!(block_on(both, None).map(|done| done.len()), Ok(2));
        assert!(Instant::now() >= outer_at);
        // And the other way round: the inner wait is over before.
        let (at, outer) = after(milliseconds(20));
        let short = once(poll_fn(|_| {
            let (_, short) = after(milliseconds(1));
            assert_eq!(block_on(short, None), Ok(()));
            Poll::Ready(())
        }));
        let mut short = pin!(short);
        let both = async {
            let mut outer = pin!(outer);
            let set = poll_fn(|cx| Poll::Ready(outer.as_mut().poll(cx).is_pending()));
            assert!(set.await);
            short.next().await;
            outer.await;
        };
        assert_eq!(block_on(both, None), Ok(()));
        assert!(Instant::now() >= at);
    });
}

#[test]
fn nobody_here_to_ring() {
    let mut cx = Context::from_waker(Waker::noop());
    let (_, mut at) = after(LIMIT);
    assert_eq!(at.0.poll_here(&cx), None);
    assert_eq!(not_polling(|| at.0.poll_here(&cx)), None);
    let within = poll_fn(|inner| {
        assert_eq!(at.0.poll_here(inner), Some(Poll::Pending));
        assert!(alarm::nearer(None).is_some());
        // A part of the future that others poll too.
        assert_eq!(not_polling(|| at.0.poll_here(inner)), None);
        assert_eq!(alarm::nearer(None), None, "withdrawn");
        Poll::Ready(())
    });
    assert_eq!(block_on(within, None), Ok(()));
    assert!(pin!(pending::<()>()).poll(&mut cx).is_pending());
}

#[test]
fn one_moves_to_another_thread() {
    finish(|| {
        let (at, mut ringing) = after(milliseconds(20));
        let deadline = Instant::now();
        assert_eq!(block_on(&mut ringing, Some(deadline)), Err(TimedOut));
        assert_eq!(alarm::nearer(None), Some(at));
        let ringing = thread::spawn(move || {
            assert_eq!(block_on(&mut ringing, None), Ok(()));
            assert!(Instant::now() >= at);
        });
        ringing.join().expect("it rang there");
        assert_eq!(alarm::nearer(None), None, "and is not set here any more");
    });
}

#[test]
fn a_dropped_one_leaves_nothing() {
    let (_, mut ringing) = after(LIMIT);
    assert_eq!(block_on(&mut ringing, Some(Instant::now())), Err(TimedOut));
    assert!(alarm::nearer(None).is_some());
    thread::spawn(move || drop(ringing))
        .join()
        .expect("dropped");
    assert_eq!(alarm::nearer(None), None);
}

#[test]
fn a_child_has_none_of_its_parents() {
    let (at, ringing) = after(LIMIT * 10);
    let mut ringing = Some(ringing);
    assert_eq!(
        block_on(ringing.as_mut().expect("there"), Some(Instant::now())),
        Err(TimedOut)
    );
    child(|| {
        assert_eq!(alarm::nearer(None), None);
        let (soon, own) = after(milliseconds(2));
        assert_eq!(block_on(own, None), Ok(()));
        assert!(Instant::now() >= soon);
        drop(ringing.take());
    });
    assert_eq!(alarm::nearer(None), Some(at));
}

#[test]
fn without_a_driver() {
    alone(module_path!(), "without_a_driver", || {
        limit_descriptors(descriptors().len() as u64 + 1);
        let fillers: Vec<_> = std::iter::from_fn(|| fs::File::open("/dev/null").ok()).collect();
        let (at, ringing) = after(milliseconds(30));
        assert_eq!(block_on(ringing, None), Ok(()));
        assert!(Instant::now() >= at);
        assert!(fs::File::open("/dev/null").is_err());
        drop(fillers);
    });
}

/// Waits without a driver are looked at even behind an executor that polls only what has been woken.
#[test]
fn plain_waits_through_executors_within_the_future() {
    alone(
        module_path!(),
        "plain_waits_through_executors_within_the_future",
        || {
            let pairs: Vec<_> = (0..40).map(|_| sources()).collect();
            limit_descriptors(descriptors().len() as u64 + 1);
            let fillers: Vec<_> = std::iter::from_fn(|| fs::File::open("/dev/null").ok()).collect();
            let waits: FuturesUnordered<_> =
                pairs.iter().map(|(ours, _)| ours.readable()).collect();
            let mut peers = pairs.iter().map(|(_, theirs)| theirs);
            let mut waits = waits;
            let all = async {
                let mut set = poll_fn(|cx| Poll::Ready(waits.poll_next_unpin(cx).is_pending()));
                assert!((&mut set).await);
                for peer in &mut peers {
                    transmit(peer, 1).expect("sent");
                    waits.next().await.expect("one more").expect("ready");
                }
            };
            assert_eq!(block_on(all, None), Ok(()));
            drop(fillers);
        },
    );
}

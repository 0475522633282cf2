//! When operations are due.

use std::{
    rc::Rc,
    time::{Duration, Instant},
};

use crate::workers::Worker;

/// The event loop's timers end at a whole millisecond after their time.
const TICK: Duration = Duration::from_millis(1);

/// What decides when the next operation begins.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// The answer to the one before.
    Closed,
    /// The clock. What is late is still due at its time, so that a server that stalls is seen by all operations that it delays, not by
    /// one only ("coordinated omission").
    Open { per_second: f64, connections: u32 },
}

impl Pace {
    pub fn new(rate: Option<f64>, connections: u32) -> Self {
        match rate {
            None => Self::Closed,
            Some(per_second) => Self::Open {
                per_second,
                connections,
            },
        }
    }

    /// Whether an operation waits for the answer to the one before.
    pub fn is_closed(self) -> bool {
        matches!(self, Self::Closed)
    }

    /// The times of one connection. All of them together have the rate, evenly.
    pub fn of(self, worker: &Rc<Worker>, number: u32) -> Due {
        let times = match self {
            Self::Closed => None,
            Self::Open {
                per_second,
                connections,
            } => {
                let connections = f64::from(connections.max(1));
                let period = Duration::try_from_secs_f64(connections / per_second)
                    .unwrap_or(Duration::MAX)
                    .max(Duration::from_nanos(1));
                let schedule = &worker.schedule;
                let offset = period.mul_f64(f64::from(number) / connections);
                (schedule.begin + schedule.ramp)
                    .checked_add(offset)
                    .map(|first| Times {
                        next: first,
                        period,
                    })
            }
        };
        Due {
            times,
            worker: Rc::clone(worker),
        }
    }
}

/// When an operation was due whose timer was late by a tick: that is no latency of the server. What is more than a tick is counted,
/// and no operation crosses an edge of the measured time.
fn without_tick(due: Instant, now: Instant, edges: [Instant; 2]) -> Instant {
    let shifted = now.clamp(due, due + TICK);
    let crosses = |edge: Instant| due < edge && edge <= shifted;
    if edges.into_iter().any(crosses) {
        due
    } else {
        shifted
    }
}

struct Times {
    next: Instant,
    period: Duration,
}

/// When one connection's operations are due. Those that were due and never taken are counted at its end.
pub struct Due {
    /// `None`: at once.
    times: Option<Times>,
    worker: Rc<Worker>,
}

impl Due {
    /// Waits for the next operation; when that was due. `None` when the run is over.
    pub async fn next(&mut self) -> Option<Instant> {
        match &mut self.times {
            None => self.worker.now(),
            Some(times) => {
                let due = times.next;
                let waits = due > Instant::now();
                if !self.worker.sleep_until(due).await {
                    return None;
                }
                times.next = due.checked_add(times.period)?;
                Some(if waits {
                    let schedule = &self.worker.schedule;
                    let edges = [schedule.measured_from, schedule.until];
                    without_tick(due, Instant::now(), edges)
                } else {
                    due
                })
            }
        }
    }
}

impl Due {
    /// From `first` on, at every `period`, which is not nothing.
    pub fn every(worker: &Rc<Worker>, first: Instant, period: Duration) -> Self {
        Self {
            times: Some(Times {
                next: first,
                period: period.max(Duration::from_nanos(1)),
            }),
            worker: Rc::clone(worker),
        }
    }
}

impl Drop for Due {
    fn drop(&mut self) {
        let Some(Times { next, period }) = self.times else {
            return;
        };
        let schedule = &self.worker.schedule;
        let end = schedule.until.min(Instant::now());
        // The first that is in the measured time.
        let skipped = schedule.measured_from.saturating_duration_since(next);
        let skipped = skipped.as_nanos().div_ceil(period.as_nanos());
        let missed = end.saturating_duration_since(next).as_nanos();
        let missed = missed.div_ceil(period.as_nanos()).saturating_sub(skipped);
        if missed > 0 {
            self.worker
                .shard
                .not_sent(u64::try_from(missed).unwrap_or(u64::MAX));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_of_the_timer_is_no_latency() {
        let due = Instant::now();
        let after = |microseconds| due + Duration::from_micros(microseconds);
        for (now, edges, expected) in [
            (0, [0, 9000], 0),
            (400, [0, 9000], 400),
            (1000, [0, 9000], 1000),
            (5000, [0, 9000], 1000),
            // The begin and the end of the measured time.
            (400, [300, 9000], 0),
            (400, [0, 400], 0),
            (400, [0, 401], 400),
        ] {
            let found = without_tick(due, after(now), edges.map(after));
            assert_eq!(found, after(expected), "{now} {edges:?}");
        }
    }
}

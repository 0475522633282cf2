//! What the server's processes use, from procfs(5).

use std::{collections::HashMap, time::Instant};

use procfs::{page_size, ticks_per_second};

use crate::{report::Sample, server::Member};

/// Below this, what else grows weighs more than the connections.
const CONNECTIONS_TO_JUDGE: u64 = 10;

/// Follows a set of processes that come and go.
pub struct Sampler {
    at: Instant,
    before: Usage,
    samples: Vec<Sample>,
}

impl Sampler {
    /// Processor time counts from now on.
    pub fn new() -> Self {
        Self {
            at: Instant::now(),
            before: Usage::default(),
            samples: Vec::new(),
        }
    }

    /// One more sample, unless there is nothing to look at. What is unreadable (another user's) counts as nothing.
    pub fn sample(&mut self, members: &[Member], at: f64, open: u64) {
        if members.iter().all(Member::is_zombie) {
            return;
        }
        let now = Instant::now();
        let usage = Usage::of(members);
        let length = (now - self.at).as_secs_f64();
        let used = usage.since(&self.before) as f64 / ticks_per_second() as f64;
        let mut sample = Sample {
            at,
            processors: if length > 0.0 { used / length } else { 0.0 },
            rss: 0,
            threads: 0,
            descriptors: 0,
            open,
        };
        for member in members.iter().filter(|member| !member.is_zombie()) {
            // Not that of `stat`, which kernels round to what each processor has not yet reported.
            let resident = member.process.statm().map_or(0, |memory| memory.resident);
            sample.rss += resident * page_size();
            sample.threads += u64::try_from(member.stat.num_threads).unwrap_or_default();
            sample.descriptors += member.process.fd_count().unwrap_or_default() as u64;
        }
        self.at = now;
        self.before = usage;
        self.samples.push(sample);
    }

    pub fn into_samples(self) -> Vec<Sample> {
        self.samples
    }
}

/// A process; its number alone is another one's later.
type Identity = (i32, u64);

/// Processor time up to now, in ticks.
#[derive(Debug, Default)]
struct Usage {
    /// Of each process that is there, without its children.
    own: HashMap<Identity, u64>,
    /// Of all, with the children that they waited for. A child's time goes from its own entry to its parent's when it is waited
    /// for, so that it is in the sum once.
    total: u64,
}

impl Usage {
    fn of(members: &[Member]) -> Self {
        let mut usage = Self::default();
        for Member { stat, .. } in members {
            let children = stat.cutime.saturating_add(stat.cstime);
            usage.add(
                (stat.pid, stat.starttime),
                stat.utime + stat.stime,
                u64::try_from(children).unwrap_or_default(),
            );
        }
        usage
    }

    fn add(&mut self, process: Identity, own: u64, children: u64) {
        self.own.insert(process, own);
        self.total += own + children;
    }

    fn since(&self, before: &Self) -> u64 {
        let of_all = self.total.saturating_sub(before.total);
        // The time of a process that nobody waited for is lost with it: no reason to count less than the others have used.
        let own = self.own.iter();
        let of_those_left = own
            .map(|(process, own)| own.saturating_sub(before.own.get(process).copied().unwrap_or(0)))
            .sum();
        of_all.max(of_those_left)
    }
}

/// By how much the resident memory is larger with the most connections than it was before the first, divided by their number. It
/// includes whatever else has grown meanwhile, such as code that ran for the first time.
pub fn memory_a_connection(samples: &[Sample]) -> Option<f64> {
    let without = samples
        .iter()
        .take_while(|sample| sample.open == 0)
        .last()?;
    // The last of those with the most: `max_by_key` says so.
    let most = samples.iter().max_by_key(|sample| sample.open)?;
    if most.open < CONNECTIONS_TO_JUDGE {
        return None;
    }
    Some(most.rss.saturating_sub(without.rss) as f64 / most.open as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(open: u64, rss: u64) -> Sample {
        Sample {
            at: 0.0,
            processors: 0.0,
            rss,
            threads: 1,
            descriptors: 1,
            open,
        }
    }

    #[test]
    fn memory_is_judged_from_the_most_connections() {
        let samples = [
            sample(0, 900),
            sample(0, 1000),
            sample(10, 2000),
            sample(20, 4500),
            sample(20, 5000),
            sample(1, 9000),
        ];
        assert_eq!(memory_a_connection(&samples), Some(200.0));
        // Too few, none without any, less than before, nothing.
        assert_eq!(memory_a_connection(&[sample(0, 1), sample(9, 100)]), None);
        assert_eq!(memory_a_connection(&[sample(10, 1), sample(20, 100)]), None);
        assert_eq!(
            memory_a_connection(&[sample(0, 100), sample(10, 50)]),
            Some(0.0)
        );
        assert_eq!(memory_a_connection(&[]), None);
    }

    fn usage(processes: &[(i32, u64, u64)]) -> Usage {
        let mut usage = Usage::default();
        for (process, own, children) in processes {
            usage.add((*process, 0), *own, *children);
        }
        usage
    }

    #[test]
    fn a_child_that_was_waited_for_counts_once() {
        let before = usage(&[(1, 100, 0), (2, 50, 0)]);
        // The child has used 5 more, and its parent 10.
        let after = usage(&[(1, 110, 55)]);
        assert_eq!(after.since(&before), 15);
    }

    #[test]
    fn a_child_that_is_lost_takes_nothing_from_others() {
        let before = usage(&[(1, 100, 0), (2, 50, 0)]);
        let after = usage(&[(1, 110, 0)]);
        assert_eq!(after.since(&before), 10);
        let replaced = usage(&[(1, 110, 0), (3, 7, 0)]);
        assert_eq!(replaced.since(&before), 17);
    }
}

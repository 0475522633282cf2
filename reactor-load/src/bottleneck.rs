//! Whether the figures are the server's, or this program was the limit.

use crate::{
    record::{Counts, Failure},
    report::{Report, Second},
};

/// A thread that uses this share of a processor had nothing left for more.
const BUSY: f64 = 0.9;

/// Processors with less idle time than this share had none left.
const IDLE: f64 = 0.03;

/// With less than this share of the machine's processors, this program takes little from a server on the same one.
const OUR_SHARE: f64 = 0.2;

/// Microseconds. Timers have milliseconds, and other programs run too: below this, lateness says nothing.
const LATE: f64 = 5_000.0;

/// Seconds shorter than this are the rest of a run: too short for shares.
const SHORTEST: f64 = 0.5;

/// Sentences; none where the server was the limit.
pub fn limits(report: &Report) -> Vec<String> {
    let seconds: Vec<&Second> = report
        .intervals
        .iter()
        .filter(|second| second.length >= SHORTEST)
        .collect();
    [
        busy_thread(&seconds),
        busy_machine(&seconds),
        late_timers(&seconds),
        not_sent(report),
        no_ports(report),
        no_descriptors(report),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// `K of N seconds`, if that is a tenth of them at least: one of many is an accident.
fn often(seconds: &[&Second], is: impl Fn(&Second) -> bool) -> Option<String> {
    let (count, all) = (
        seconds.iter().filter(|second| is(second)).count(),
        seconds.len(),
    );
    (count > 0 && count * 10 >= all).then(|| format!("{count} of {all} seconds"))
}

fn busy_thread(seconds: &[&Second]) -> Option<String> {
    let often = often(seconds, |second| second.busiest_thread >= BUSY)?;
    Some(format!(
        "in {often}, a thread of reactor-load used {:.0} % of a processor or more: more --threads or another machine would tell \
         whether the server can do more",
        BUSY * 100.0
    ))
}

fn busy_machine(seconds: &[&Second]) -> Option<String> {
    let ours = |second: &Second| second.our_share;
    let often = often(seconds, |second| {
        second.machine_idle.is_some_and(|idle| idle < IDLE) && ours(second) >= OUR_SHARE
    })?;
    let most = seconds
        .iter()
        .map(|second| ours(second))
        .fold(0.0, f64::max);
    Some(format!(
        "in {often}, the processors of this machine were never idle, and reactor-load used up to {:.0} % of them: a server on the \
         same machine had the rest only",
        most * 100.0
    ))
}

fn late_timers(seconds: &[&Second]) -> Option<String> {
    let late = |second: &Second| {
        let p99 = second.latency.map(|latency| latency.p99);
        p99.is_some_and(|p99| second.lateness > LATE.max(p99 / 2.0))
    };
    let often = often(seconds, late)?;
    let most = seconds
        .iter()
        .filter(|second| late(second))
        .map(|second| second.lateness)
        .fold(0.0, f64::max);
    Some(format!(
        "in {often}, reactor-load came to run too late, by {:.0} ms at most: the highest latencies may be its own",
        most / 1e3
    ))
}

fn not_sent(report: &Report) -> Option<String> {
    let (rate, count) = (report.settings.rate, report.operations.not_sent);
    if count == 0 {
        return None;
    }
    let rate = match rate {
        Some(rate) => format!("the rate of {rate}/s"),
        None => "the rate".into(),
    };
    let connections = report.settings.connections;
    Some(if report.connections.failures() > 0 {
        format!("{rate} was not reached: {count} operations were never sent, as connections failed")
    } else {
        format!(
            "{rate} was not reached: {count} operations were never sent, as connections waited for answers (more than \
             {connections} --connections or more --pipeline would tell whether the server can do more)"
        )
    })
}

/// Of operations or connections, whichever it hit.
fn failed(report: &Report, failure: &Failure) -> u64 {
    let reason = failure.to_string();
    let of = |counts: &Counts| counts.failed.get(&reason).copied().unwrap_or_default();
    of(&report.operations) + of(&report.connections)
}

fn no_ports(report: &Report) -> Option<String> {
    let count = failed(report, &Failure::NoPorts);
    let advice = if report.settings.target.starts_with("[::1]") {
        "::1 is the only loopback address of IPv6, 127.0.0.1 has more"
    } else {
        "more --source addresses have more"
    };
    (count > 0).then(|| {
        format!("{count} times there was no local port left, which is no failure of the server: {advice}")
    })
}

fn no_descriptors(report: &Report) -> Option<String> {
    let count = failed(report, &Failure::NoDescriptors);
    (count > 0).then(|| {
        format!(
            "{count} times reactor-load had no descriptor left, which is no failure of the server: `ulimit -n` shows its limit"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{FORMAT, Latency, Settings};

    fn second() -> Second {
        Second {
            at: 0.0,
            length: 1.0,
            operations: Counts::default(),
            connections: Counts::default(),
            open: 1,
            latency: Some(Latency {
                count: 1,
                mean: 1000.0,
                deviation: 0.0,
                min: 1000.0,
                p50: 1000.0,
                p90: 1000.0,
                p99: 1000.0,
                p99_9: 1000.0,
                max: 1000.0,
            }),
            lateness: 1000.0,
            busiest_thread: 0.5,
            machine_idle: Some(0.5),
            our_share: 0.3,
        }
    }

    fn report(intervals: Vec<Second>) -> Report {
        Report {
            format: FORMAT,
            settings: Settings {
                load: "echo".into(),
                target: "127.0.0.1:80".into(),
                tls: false,
                connections: 7,
                duration: 10.0,
                warmup: 0.0,
                ramp: 0.0,
                size: 64,
                pipeline: 1,
                rate: None,
                timeout: 1.0,
                threads: 1,
            },
            started_at: 0.0,
            measured: 10.0,
            interrupted: false,
            operations: Counts::default(),
            connections: Counts::default(),
            latency: None,
            intervals,
            limits: Vec::new(),
            server: None,
            notes: Vec::new(),
        }
    }

    /// Its only limit.
    fn limit(report: &Report) -> String {
        let limits = limits(report);
        assert_eq!(limits.len(), 1, "{limits:?}");
        limits.concat()
    }

    #[test]
    fn a_server_is_the_limit_of_itself() {
        assert_eq!(limits(&report(vec![second(); 10])), Vec::<String>::new());
        assert_eq!(limits(&report(Vec::new())), Vec::<String>::new());
    }

    #[test]
    fn a_busy_thread() {
        let mut seconds = vec![second(); 10];
        seconds[3].busiest_thread = 0.95;
        let text = limit(&report(seconds.clone()));
        assert!(text.contains("1 of 10 seconds"), "{text}");
        // One of very many, and what is too short to tell, are accidents.
        seconds.extend(vec![second(); 10]);
        seconds[4].busiest_thread = 2.0;
        seconds[4].length = 0.01;
        assert!(limits(&report(seconds)).is_empty());
    }

    #[test]
    fn a_busy_machine() {
        let mut busy = second();
        busy.machine_idle = Some(0.0);
        let text = limit(&report(vec![busy.clone(); 2]));
        assert!(
            text.contains("2 of 2 seconds") && text.contains("30 %"),
            "{text}"
        );
        busy.our_share = 0.1;
        assert!(limits(&report(vec![busy.clone()])).is_empty());
        busy.our_share = 0.3;
        busy.machine_idle = None;
        assert!(limits(&report(vec![busy])).is_empty());
    }

    #[test]
    fn late_timers() {
        let mut late = second();
        late.lateness = 12_000.0;
        assert!(limit(&report(vec![late.clone()])).contains("12 ms"));
        // The server is later still.
        if let Some(latency) = &mut late.latency {
            latency.p99 = 30_000.0;
        }
        assert!(limits(&report(vec![late.clone()])).is_empty());
        late.latency = None;
        assert!(limits(&report(vec![late])).is_empty());
    }

    #[test]
    fn a_rate_that_is_not_reached() {
        let mut report = report(Vec::new());
        report.settings.rate = Some(500.0);
        report.operations.not_sent = 3;
        let text = limit(&report);
        for part in ["500/s", "3 operations", "7 --connections"] {
            assert!(text.contains(part), "{text}");
        }
        report
            .connections
            .failed
            .insert(Failure::Refused.to_string(), 1);
        assert!(limit(&report).ends_with("as connections failed"));
    }

    #[test]
    fn what_ran_out_here() {
        for (failure, target, part) in [
            (Failure::NoPorts, "127.0.0.1:80", "--source"),
            (Failure::NoPorts, "[::1]:80", "127.0.0.1 has more"),
            (Failure::NoDescriptors, "[::1]:80", "ulimit"),
        ] {
            let mut report = report(Vec::new());
            report.settings.target = target.into();
            report.operations.failed.insert(failure.to_string(), 2);
            report.connections.failed.insert(failure.to_string(), 3);
            let text = limit(&report);
            assert!(text.starts_with("5 times") && text.contains(part), "{text}");
        }
    }
}

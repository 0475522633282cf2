//! `--hdr-log`: the latencies of each second, in the log format of HdrHistogram, which many tools read.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hdrhistogram::{
    Histogram,
    serialization::{V2DeflateSerializer, interval_log::IntervalLogWriterBuilder},
};
use serde::{Deserialize, Serialize};

use crate::{record::Counts, report::Report, run::Finished};

/// Begins the comment that has what a histogram cannot say; other tools take it for any comment.
pub const SUMMARY: &str = "reactor-load: ";

/// The maximum of each line is shown in milliseconds, as is usual; the histograms are in nanoseconds.
const MAX_DIVISOR: f64 = 1e6;

/// What the histograms of a log do not say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// [`crate::report::FORMAT`].
    pub format: u32,
    pub load: String,
    pub target: String,
    /// Seconds.
    pub measured: f64,
    pub interrupted: bool,
    pub operations: Counts,
    pub connections: Counts,
}

/// One line: what was recorded from `at` on.
pub struct Line<'a> {
    /// Since the log's begin.
    pub at: Duration,
    pub length: Duration,
    pub latency: &'a Histogram<u64>,
}

/// Of one run.
///
/// # Errors
///
/// If a histogram cannot be written, which is not to be.
pub fn of_run(report: &Report, finished: &Finished) -> Result<String, String> {
    let settings = &report.settings;
    let summary = Summary {
        format: report.format,
        load: settings.load.clone(),
        target: settings.target.clone(),
        measured: report.measured,
        interrupted: report.interrupted,
        operations: report.operations.clone(),
        connections: report.connections.clone(),
    };
    let (last, late) = match finished.intervals.split_last() {
        Some((last, _)) => (last, late(finished)),
        None => return log(&summary, report.started_at, &[]),
    };
    let mut last_latency = last.record.latency.clone();
    // Cannot fail: it grows by itself.
    let _ = last_latency.add(&late);
    let mut lines: Vec<Line<'_>> = finished
        .intervals
        .iter()
        .map(|interval| Line {
            at: interval.from,
            length: interval.length,
            latency: &interval.record.latency,
        })
        .collect();
    if let Some(line) = lines.last_mut() {
        line.latency = &last_latency;
    }
    log(&summary, report.started_at, &lines)
}

/// What was begun in the measured time and answered after it. It goes into the last second, so that a log has every operation.
fn late(finished: &Finished) -> Histogram<u64> {
    let mut in_time = crate::record::new_histogram();
    for interval in &finished.intervals {
        let _ = in_time.add(&interval.record.latency);
    }
    let mut late = crate::record::new_histogram();
    for step in finished.total.latency.iter_recorded() {
        let value = step.value_iterated_to();
        let before = in_time.count_at(value);
        let _ = late.record_n(value, step.count_at_value().saturating_sub(before));
    }
    late
}

/// A whole log; `started_at` is in seconds since the epoch.
///
/// # Errors
///
/// If a histogram cannot be written, which is not to be.
pub fn log(summary: &Summary, started_at: f64, lines: &[Line<'_>]) -> Result<String, String> {
    let begin = Duration::try_from_secs_f64(started_at)
        .ok()
        .and_then(|since| UNIX_EPOCH.checked_add(since))
        .unwrap_or(SystemTime::UNIX_EPOCH);
    let json = serde_json::to_string(summary).map_err(|error| error.to_string())?;
    let mut text = Vec::new();
    let mut serializer = V2DeflateSerializer::new();
    let mut writer = IntervalLogWriterBuilder::new()
        .add_comment("[Histogram log format version 1.3]")
        .add_comment("[Latencies in nanoseconds, maxima in milliseconds]")
        .add_comment(&format!("{SUMMARY}{json}"))
        .with_start_time(begin)
        .with_base_time(begin)
        .with_max_value_divisor(MAX_DIVISOR)
        .begin_log_with(&mut text, &mut serializer)
        .map_err(|error| error.to_string())?;
    for line in lines {
        writer
            .write_histogram(line.latency, line.at, line.length, None)
            .map_err(|error| error.to_string())?;
    }
    String::from_utf8(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{hdr_read::Log, sample};

    #[test]
    fn a_log_has_what_the_run_has() {
        let (report, finished) = sample::run(5);
        let text = of_run(&report, &finished).unwrap();
        let log = Log::parse("it", text.as_bytes()).unwrap();
        assert_eq!(log.entries.len(), 5);
        let summary = log.summary.unwrap();
        assert_eq!(summary.operations, report.operations);
        let all: u64 = log.entries.iter().map(|entry| entry.latency.len()).sum();
        // Those that were answered late are there too.
        assert_eq!(all, finished.total.latency.len());
        assert!(
            all > finished
                .intervals
                .iter()
                .map(|interval| interval.record.latency.len())
                .sum()
        );
        let first = &log.entries[0];
        assert!((first.from - report.started_at).abs() < 0.001);
        assert_eq!(
            first.latency.value_at_quantile(0.5),
            finished.intervals[0].record.latency.value_at_quantile(0.5)
        );
    }

    #[test]
    fn a_name_from_outside_stays_in_its_comment() {
        let (mut report, finished) = sample::run(1);
        report.settings.target = "a\n1.0,2.0,3.0,xx\n\"quoted\"".into();
        let text = of_run(&report, &finished).unwrap();
        let log = Log::parse("it", text.as_bytes()).unwrap();
        assert_eq!(log.summary.unwrap().target, report.settings.target);
    }
}

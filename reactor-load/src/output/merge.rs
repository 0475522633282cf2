//! `reactor-load merge`: the logs of many machines as one.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::{
    cli::Merge,
    output::{
        self,
        hdr_log::{self, Line, Summary},
        hdr_read::Log,
        table,
        units::{count, plain, quantile, rate, seconds},
    },
    record::{Counts, new_histogram},
    report::{FORMAT, Latency},
};

/// Starts that differ by more are worth a warning: clocks that are kept in step differ by less.
const IN_STEP: f64 = 1.0;

/// The sum of some logs, as `--json` writes it.
#[derive(Debug, Serialize)]
pub struct Merged {
    pub format: u32,
    pub files: Vec<OfFile>,
    /// Since the epoch.
    pub started_at: f64,
    /// Seconds in which any of them measured.
    pub measured: f64,
    pub operations: Counts,
    pub connections: Counts,
    /// A second, over the time in which any of them measured.
    pub throughput: f64,
    pub latency: Option<Latency>,
    pub intervals: Vec<Slot>,
    pub warnings: Vec<String>,
    #[serde(skip)]
    sums: Sums,
}

/// By the number of the second.
type Sums = BTreeMap<i64, (f64, Histogram<u64>)>;

/// One log's part.
#[derive(Debug, Serialize)]
pub struct OfFile {
    pub name: String,
    /// Since the epoch.
    pub from: f64,
    pub to: f64,
    pub operations: Counts,
    pub throughput: f64,
    pub latency: Option<Latency>,
}

/// One second of all logs.
#[derive(Debug, Serialize)]
pub struct Slot {
    /// Since the begin of the first log.
    pub at: f64,
    pub length: f64,
    pub completed: u64,
    pub latency: Option<Latency>,
}

/// Adds up the logs, and writes what is asked for. Whether all went well in all of them.
///
/// # Errors
///
/// What is wrong with which file, in a sentence.
pub fn merge(command: &Merge) -> Result<bool, String> {
    let outputs = [&command.hdr_log, &command.json];
    output::check(outputs.into_iter().flatten())?;
    let (logs, warnings) = read(&command.logs)?;
    let merged = Merged::of(&logs, warnings);
    if let Some(file) = &command.hdr_log {
        output::save(file, &merged.log()?)?;
    }
    if let Some(file) = &command.json {
        output::save(file, &output::json(&merged)?)?;
    }
    let to_stdout = outputs
        .into_iter()
        .flatten()
        .any(|file| output::is_stdout(file));
    output::show(&merged.table(), to_stdout);
    Ok(merged.operations.all_well() && merged.connections.all_well())
}

/// Each file once.
fn read(paths: &[PathBuf]) -> Result<(Vec<Log>, Vec<String>), String> {
    let (mut logs, mut warnings): (Vec<Log>, _) = (Vec::new(), Vec::new());
    let mut seen: BTreeMap<PathBuf, &Path> = BTreeMap::new();
    for path in paths {
        let name = path.display();
        // One that cannot be looked up cannot be read either: the sentence of that is better.
        let real = fs::canonicalize(path).unwrap_or_else(|_| path.clone());
        if let Some(first) = seen.insert(real, path) {
            warnings.push(format!(
                "{name} is {} again: it counts once",
                first.display()
            ));
            continue;
        }
        let log = Log::read(path)?;
        if let Some(same) = logs.iter().find(|other| is_copy(other, &log)) {
            warnings.push(format!(
                "{name} has the same as {}: is it a copy?",
                same.name
            ));
        }
        logs.push(log);
    }
    Ok((logs, warnings))
}

fn is_copy(one: &Log, other: &Log) -> bool {
    one.summary == other.summary
        && one.entries.len() == other.entries.len()
        && one.entries.iter().zip(&other.entries).all(|(one, other)| {
            (one.from, one.length) == (other.from, other.length) && one.latency == other.latency
        })
}

impl Merged {
    pub fn of(logs: &[Log], mut warnings: Vec<String>) -> Self {
        let spans: Vec<(f64, f64)> = logs
            .iter()
            .flat_map(|log| &log.entries)
            .map(|entry| (entry.from, entry.from + entry.length))
            .collect();
        let started_at = spans
            .iter()
            .map(|span| span.0)
            .reduce(f64::min)
            .unwrap_or_default();
        let measured = union(spans);
        let mut sums = Sums::new();
        let mut all = new_histogram();
        let (mut operations, mut connections) = (Counts::default(), Counts::default());
        let mut files = Vec::new();
        for log in logs {
            let mut latency = new_histogram();
            for entry in &log.entries {
                // Whole seconds: begins that differ by less are those of the same second.
                let second = (entry.from - started_at).round() as i64;
                let slot = sums.entry(second).or_insert_with(|| (0.0, new_histogram()));
                slot.0 = slot.0.max(entry.length);
                // These cannot fail: they grow by themselves.
                let _ = slot.1.add(&entry.latency);
                let _ = latency.add(&entry.latency);
            }
            let _ = all.add(&latency);
            let counts = counts(log, latency.len(), &mut warnings);
            operations.add(&counts);
            if let Some(summary) = &log.summary {
                connections.add(&summary.connections);
            }
            let (from, to) = log.span().unwrap_or((started_at, started_at));
            let time = union(
                log.entries
                    .iter()
                    .map(|entry| (entry.from, entry.from + entry.length))
                    .collect(),
            );
            files.push(OfFile {
                name: log.name.clone(),
                from,
                to,
                throughput: a_second(counts.completed, time),
                operations: counts,
                latency: Latency::of(&latency),
            });
        }
        warnings.extend(apart(&files));
        let intervals = sums
            .iter()
            .map(|(second, (length, latency))| Slot {
                at: *second as f64,
                length: *length,
                completed: latency.len(),
                latency: Latency::of(latency),
            })
            .collect();
        Self {
            format: FORMAT,
            files,
            started_at,
            measured,
            throughput: a_second(operations.completed, measured),
            operations,
            connections,
            latency: Latency::of(&all),
            intervals,
            warnings,
            sums,
        }
    }

    /// As one log of all.
    fn log(&self) -> Result<String, String> {
        let summary = Summary {
            format: FORMAT,
            load: "merge".into(),
            target: format!("{} logs", self.files.len()),
            measured: self.measured,
            interrupted: false,
            operations: self.operations.clone(),
            connections: self.connections.clone(),
        };
        let lines: Vec<Line<'_>> = self
            .sums
            .iter()
            .map(|(second, (length, latency))| Line {
                at: Duration::from_secs(u64::try_from(*second).unwrap_or_default()),
                length: Duration::try_from_secs_f64(*length).unwrap_or_default(),
                latency,
            })
            .collect();
        hdr_log::log(&summary, self.started_at, &lines)
    }

    fn table(&self) -> String {
        let mut text = format!(
            "{:>9}  {:>9}  {:>8}  {:>15}  file\n",
            "completed", "a second", "p99", "from - to"
        );
        for file in &self.files {
            let p99 = file
                .latency
                .map_or_else(|| "-".into(), |of| quantile(0.99, of.p99, of.count));
            let (from, to) = (file.from - self.started_at, file.to - self.started_at);
            text += &format!(
                "{:>9}  {:>9}  {p99:>8}  {:>15}  {}\n",
                count(file.operations.completed),
                rate(file.throughput),
                format!("{from:.1} - {to:.1} s"),
                plain(&file.name)
            );
        }
        text.push('\n');
        table::entry(
            &mut text,
            "Measured",
            &format!("{} in all", seconds(self.measured)),
        );
        table::counts(&mut text, "Operations", &self.operations);
        table::throughput(&mut text, &self.operations, self.measured);
        if self.connections != Counts::default() {
            table::counts(&mut text, "Connections", &self.connections);
        }
        text.push('\n');
        table::latencies(&mut text, self.latency.as_ref());
        table::sentences(&mut text, "Warning", &self.warnings);
        text
    }
}

/// Those of its summary, or of its histograms: other tools write no summary.
fn counts(log: &Log, recorded: u64, warnings: &mut Vec<String>) -> Counts {
    let name = &log.name;
    if log.tagged {
        warnings.push(format!("{name} has tags: what they tell apart is added up"));
    }
    match &log.summary {
        Some(summary) => {
            if summary.operations.completed != recorded {
                warnings.push(format!(
                    "{name} says that {} operations were completed, and has {}: are lines missing?",
                    count(summary.operations.completed),
                    count(recorded)
                ));
            }
            summary.operations.clone()
        }
        None => {
            warnings.push(format!(
                "{name} is of another program: it says nothing of failures, and is taken to be in nanoseconds"
            ));
            Counts {
                started: recorded,
                completed: recorded,
                ..Counts::default()
            }
        }
    }
}

fn a_second(number: u64, seconds: f64) -> f64 {
    if seconds > 0.0 {
        number as f64 / seconds
    } else {
        0.0
    }
}

/// The length of the time that any of them covers.
fn union(mut spans: Vec<(f64, f64)>) -> f64 {
    spans.sort_by(|one, other| one.0.total_cmp(&other.0));
    let mut length = 0.0;
    let mut covered = f64::NEG_INFINITY;
    for (from, to) in spans {
        length += (to - from.max(covered)).max(0.0);
        covered = covered.max(to);
    }
    length
}

/// Sentences on logs that are not of the same time: their sum is no load that there ever was.
fn apart(files: &[OfFile]) -> Vec<String> {
    let Some(first) = files.first() else {
        return Vec::new();
    };
    let mut warnings = Vec::new();
    for file in files.iter().skip(1) {
        let late = file.from - first.from;
        let side = if late > 0.0 { "after" } else { "before" };
        let late = seconds(late.abs());
        if file.from >= first.to || file.to <= first.from {
            warnings.push(format!(
                "{} does not overlap with {}: it begins {late} {side} it. Do clocks or starts differ? (--start-at)",
                file.name, first.name
            ));
        } else if (file.from - first.from).abs() > IN_STEP {
            warnings.push(format!("{} begins {late} {side} {}", file.name, first.name));
        }
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::sample;

    fn log(name: &str, begin: f64, run_seconds: u64) -> Log {
        let (mut report, finished) = sample::run(run_seconds);
        report.started_at = begin;
        let text = hdr_log::of_run(&report, &finished).unwrap();
        Log::parse(name, text.as_bytes()).unwrap()
    }

    #[test]
    fn the_sum_has_what_the_parts_have() {
        let logs = [log("a", 100.0, 3), log("b", 100.4, 5)];
        let merged = Merged::of(&logs, Vec::new());
        assert_eq!(merged.warnings, Vec::<String>::new());
        let completed: Vec<u64> = merged
            .files
            .iter()
            .map(|file| file.operations.completed)
            .collect();
        let completed: u64 = completed.iter().sum();
        assert_eq!(merged.operations.completed, completed);
        assert_eq!(merged.latency.unwrap().count, completed);
        assert_eq!(merged.connections.completed, 100);
        assert_eq!(merged.intervals.len(), 5);
        let first: u64 = logs.iter().map(|log| log.entries[0].latency.len()).sum();
        assert_eq!(merged.intervals[0].completed, first);
        assert!((merged.measured - 5.4).abs() < 1e-6, "{}", merged.measured);
        let slowest = merged
            .files
            .iter()
            .map(|file| file.latency.unwrap().max)
            .fold(0.0, f64::max);
        assert_eq!(merged.latency.unwrap().max, slowest);
    }

    #[test]
    fn a_sum_can_be_added_up_again() {
        let merged = Merged::of(&[log("a", 100.0, 3), log("b", 100.0, 3)], Vec::new());
        let again = Log::parse("sum", merged.log().unwrap().as_bytes()).unwrap();
        let again = Merged::of(&[again, log("c", 100.0, 3)], Vec::new());
        assert_eq!(again.warnings, Vec::<String>::new());
        assert_eq!(
            again.operations.completed,
            merged.operations.completed / 2 * 3
        );
        assert!((again.measured - 3.0).abs() < 1e-6);
    }

    #[test]
    fn logs_of_different_times_are_told() {
        let warnings =
            |begin| Merged::of(&[log("a", 100.0, 3), log("b", begin, 3)], Vec::new()).warnings;
        assert!(warnings(200.0)[0].contains("does not overlap"));
        assert!(warnings(3.0)[0].contains("97.0 s before it"));
        assert!(warnings(101.5)[0].contains("begins 1.50 s after a"));
        assert!(warnings(100.9).is_empty());
    }

    #[test]
    fn logs_of_other_programs_count_by_their_histograms() {
        let mut other = log("other", 100.0, 3);
        let recorded = other.summary.take().unwrap().operations.completed;
        let merged = Merged::of(&[other], Vec::new());
        assert_eq!(merged.operations.completed, recorded);
        assert!(merged.warnings[0].contains("another program"));
    }

    #[test]
    fn lines_that_are_missing_are_told() {
        let mut short = log("short", 100.0, 3);
        short.entries.pop();
        let merged = Merged::of(&[short], Vec::new());
        assert!(
            merged.warnings[0].contains("are lines missing?"),
            "{:?}",
            merged.warnings
        );
    }

    #[test]
    fn time_counts_once() {
        assert_eq!(
            union(vec![(5.0, 6.0), (0.0, 2.0), (1.0, 3.0), (1.0, 1.5)]),
            4.0
        );
        assert_eq!(union(Vec::new()), 0.0);
    }
}

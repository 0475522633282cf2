//! The figures for a terminal of 80 columns.

use std::fmt::Write;

use crate::{
    output::units::{
        binary_bytes, count, decimal_bytes, latency, plain, plural, quantile, rate, seconds,
        significant, tells,
    },
    record::Counts,
    report::{Latency, Report, ServerReport, Settings},
};

const WIDTH: usize = 80;

/// Of what a line is about.
const LABEL: usize = 14;

/// All of a run that a reader wants first; every figure is in the JSON.
pub fn table(report: &Report) -> String {
    let mut text = String::new();
    paragraph(&mut text, "", &what(&report.settings));
    entry(&mut text, "Measured", &measured(report));
    text.push('\n');
    counts(&mut text, "Operations", &report.operations);
    throughput(&mut text, &report.operations, report.measured);
    if report.connections != Counts::default() {
        text.push('\n');
        counts(&mut text, "Connections", &report.connections);
    }
    text.push('\n');
    latencies(&mut text, report.latency.as_ref());
    if let Some(server) = &report.server {
        text.push('\n');
        of_server(&mut text, server);
    }
    sentences(&mut text, "Limit", &report.limits);
    sentences(&mut text, "Note", &report.notes);
    text
}

/// What was run, as one sentence.
pub fn what(settings: &Settings) -> String {
    let tls = if settings.tls { " over TLS" } else { "" };
    let pace = match settings.rate {
        Some(per_second) => format!("open loop at {}/s", rate(per_second)),
        None => "closed loop".into(),
    };
    let pipeline = match settings.pipeline {
        0 | 1 => String::new(),
        many => format!(", {many} on their way each"),
    };
    format!(
        "{} to {}{tls}: {}{pipeline}, {}, {pace}, {}",
        settings.load,
        settings.target,
        plural(settings.connections.into(), "connection", "connections"),
        plural(settings.size.into(), "byte", "bytes"),
        plural(settings.threads as u64, "thread", "threads"),
    )
}

fn measured(report: &Report) -> String {
    let mut text = seconds(report.measured);
    if report.interrupted {
        let wanted = seconds(report.settings.duration);
        let _ = write!(text, " of {wanted}: ended early by Ctrl-C");
    }
    text
}

/// How operations ended; zeros only where they are good news.
pub fn counts(text: &mut String, label: &str, counts: &Counts) {
    let failed = counts.failures();
    let mut line = format!(
        "{} started, {} completed, {} failed",
        count(counts.started),
        count(counts.completed),
        count(failed)
    );
    for (number, words) in [
        (counts.unfinished, "unfinished"),
        (counts.not_sent, "not sent"),
    ] {
        if number > 0 {
            let _ = write!(line, ", {} {words}", count(number));
        }
    }
    entry(text, label, &line);
    for (reason, number) in &counts.failed {
        entry(text, "", &format!("failed: {} {reason}", count(*number)));
    }
}

/// Operations and bytes a second.
pub fn throughput(text: &mut String, counts: &Counts, measured: f64) {
    let measured = if measured > 0.0 {
        measured
    } else {
        f64::INFINITY
    };
    let a_second = |number: u64| number as f64 / measured;
    let mut line = format!("{}/s", rate(a_second(counts.completed)));
    if counts.bytes_sent + counts.bytes_received > 0 {
        let _ = write!(
            line,
            ", {}/s sent, {}/s received",
            decimal_bytes(a_second(counts.bytes_sent)),
            decimal_bytes(a_second(counts.bytes_received))
        );
    }
    entry(text, "Throughput", &line);
}

/// As a head and a row of figures. `-` where there were too few operations to tell.
pub fn latencies(text: &mut String, of: Option<&Latency>) {
    let Some(of) = of else {
        entry(text, "Latency", "- (nothing was completed)");
        return;
    };
    let columns = [
        ("mean", latency(of.mean)),
        ("p50", quantile(0.5, of.p50, of.count)),
        ("p90", quantile(0.9, of.p90, of.count)),
        ("p99", quantile(0.99, of.p99, of.count)),
        ("p99.9", quantile(0.999, of.p99_9, of.count)),
        ("max", latency(of.max)),
    ];
    let (mut head, mut row) = (String::new(), String::new());
    for (name, figure) in &columns {
        let _ = write!(head, "{name:>10}");
        let _ = write!(row, "{figure:>10}");
    }
    entry(text, "Latency", &head);
    let _ = writeln!(text, "{:LABEL$}{row}", "");
    if !tells(0.999, of.count) {
        entry(text, "", "(-: too few operations to tell)");
    }
}

fn of_server(text: &mut String, server: &ServerReport) {
    entry(text, "Server", &plain(&server.command));
    if !server.ended.is_empty() {
        entry(text, "", &plain(&server.ended));
    }
    let Some(usage) = Usage::of(server) else {
        entry(text, "", "no figures of its processes");
        return;
    };
    if let Some((mean, peak)) = usage.processors {
        let line = format!(
            "mean {}, peak {} processors",
            significant(mean),
            significant(peak)
        );
        entry(text, "  CPU", &line);
    }
    let [first, peak, last] = usage.rss.map(|bytes| binary_bytes(bytes as f64));
    entry(
        text,
        "  memory",
        &format!("{first} first, {peak} peak, {last} last (RSS)"),
    );
    if let Some(bytes) = server.memory_a_connection {
        let line = format!("{} a connection", binary_bytes(bytes));
        entry(text, "", &line);
    }
    let line = format!(
        "peak {}, descriptors peak {}",
        count(usage.threads),
        count(usage.descriptors)
    );
    entry(text, "  threads", &line);
}

/// What a server used, of its samples.
pub struct Usage {
    /// Mean and peak while it was measured; none if no sample was taken then.
    pub processors: Option<(f64, f64)>,
    /// First, peak and last.
    pub rss: [u64; 3],
    pub threads: u64,
    pub descriptors: u64,
}

impl Usage {
    /// Nothing without samples.
    pub fn of(server: &ServerReport) -> Option<Self> {
        let samples = &server.samples;
        let (first, last) = (samples.first()?, samples.last()?);
        let loaded: Vec<f64> = samples
            .iter()
            .filter(|sample| sample.at > 0.0)
            .map(|sample| sample.processors)
            .collect();
        let processors = (!loaded.is_empty()).then(|| {
            let mean = loaded.iter().sum::<f64>() / loaded.len() as f64;
            (mean, loaded.iter().copied().fold(0.0, f64::max))
        });
        let peak = |of: fn(&crate::report::Sample) -> u64| samples.iter().map(of).max();
        Some(Self {
            processors,
            rss: [
                first.rss,
                peak(|sample| sample.rss).unwrap_or_default(),
                last.rss,
            ],
            threads: peak(|sample| sample.threads).unwrap_or_default(),
            descriptors: peak(|sample| sample.descriptors).unwrap_or_default(),
        })
    }
}

/// One entry for each; an empty line before the first.
pub fn sentences(text: &mut String, label: &str, sentences: &[String]) {
    for (index, sentence) in sentences.iter().enumerate() {
        if index == 0 {
            text.push('\n');
        }
        entry(text, label, sentence);
    }
}

/// What it is about, and what there is to say.
pub fn entry(text: &mut String, label: &str, words: &str) {
    paragraph(text, &format!("{label:LABEL$}"), words);
}

/// Broken between words; what follows the first line is indented like it.
fn paragraph(text: &mut String, first: &str, words: &str) {
    let indent = first.chars().count();
    let mut line = first.to_owned();
    let mut used = indent;
    let mut fresh = true;
    // Spaces at the front are columns of figures.
    let words = plain(words);
    let front = words.len() - words.trim_start().len();
    line.push_str(&words[..front]);
    used += front;
    for (index, word) in words[front..].split(' ').enumerate() {
        let length = word.chars().count();
        if !fresh && used + 1 + length > WIDTH {
            text.push_str(line.trim_end());
            text.push('\n');
            line = " ".repeat(indent);
            used = indent;
        } else if index > 0 && used > indent {
            line.push(' ');
            used += 1;
        }
        line.push_str(word);
        used += length;
        fresh = false;
    }
    text.push_str(line.trim_end());
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::sample;

    #[test]
    fn no_line_is_wider_than_a_terminal() {
        let (mut report, _) = sample::run(3);
        sample::with_server(&mut report, 3);
        report.settings.rate = Some(1e9);
        report.settings.connections = 1_000_000;
        report.settings.pipeline = 1024;
        report.settings.tls = true;
        report.interrupted = true;
        let counts = &mut report.operations;
        counts
            .failed
            .insert("TLS: a reason of many words ".repeat(5), 1 << 40);
        counts.not_sent = u64::from(u32::MAX);
        counts.unfinished = u64::from(u32::MAX);
        report.limits.push("word ".repeat(50));
        report.notes.push("note ".repeat(50));
        let table = table(&report);
        for line in table.lines() {
            assert!(line.chars().count() <= WIDTH, "{line}");
            assert_eq!(line, line.trim_end());
        }
        assert!(table.contains("of 3.00 s: ended early by Ctrl-C"));
        assert!(table.contains("4,294,967,295 unfinished, 4,294,967,295 not"));
        assert!(table.contains("\nLimit         word word"));
        assert!(table.contains("\n              note note"));
        assert!(table.contains("12.1 KiB a connection"));
        assert!(table.contains("30.0 MiB first, 31.0 MiB peak, 31.0 MiB last (RSS)"));
    }

    #[test]
    fn figures_stand_below_their_names() {
        let (report, _) = sample::run(3);
        let table = table(&report);
        let mut lines = table
            .lines()
            .skip_while(|line| !line.starts_with("Latency"));
        let (head, row) = (lines.next().unwrap(), lines.next().unwrap());
        assert_eq!(head.len(), row.len());
        assert!(head.ends_with("p99.9       max"), "{head}");
    }

    #[test]
    fn what_few_operations_do_not_tell_is_not_shown() {
        let (mut report, _) = sample::run(3);
        if let Some(latency) = &mut report.latency {
            latency.count = 999;
        }
        let text = table(&report);
        assert!(text.contains("too few operations to tell"), "{text}");
        report.latency = None;
        assert!(table(&report).contains("nothing was completed"));
    }

    #[test]
    fn a_server_cannot_command_the_terminal() {
        let (mut report, _) = sample::run(1);
        report.operations.failed.insert("a\x1b[2Jb\r".into(), 1);
        assert!(!table(&report).contains(|char: char| char.is_control() && char != '\n'));
    }
}

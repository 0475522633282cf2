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

//! The figures of several servers next to each other.

use comfy_table::{CellAlignment, Table, TableComponent, presets};
use serde::Serialize;

use super::Compared;
use crate::report::{Latency, Report, ServerReport};

/// One figure, of all servers.
#[derive(Debug, PartialEq, Serialize)]
pub struct Summary {
    pub figure: &'static str,
    pub unit: &'static str,
    /// Of each server, in their order; nothing of one that never ran.
    pub servers: Vec<Option<Figure>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Figure {
    pub median: f64,
    /// To the first server; of the first itself there is none.
    pub ratio: Option<Ratio>,
}

/// Of the ratios of each round to the first server's run in the same round: what differs between rounds is the machine's.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Ratio {
    pub median: f64,
    pub min: f64,
    pub max: f64,
}

struct Metric {
    name: &'static str,
    unit: &'static str,
    of: fn(&Report) -> Option<f64>,
    shown: fn(f64) -> String,
}

const METRICS: [Metric; 8] = [
    Metric {
        name: "throughput",
        unit: "operations a second",
        of: |report| (report.measured > 0.0).then(|| report.throughput()),
        shown: |value| format!("{}/s", count(value)),
    },
    Metric {
        name: "p50",
        unit: "microseconds",
        of: |report| latency(report, |latency| latency.p50),
        shown: time,
    },
    Metric {
        name: "p99",
        unit: "microseconds",
        of: |report| latency(report, |latency| latency.p99),
        shown: time,
    },
    Metric {
        name: "p99.9",
        unit: "microseconds",
        of: |report| latency(report, |latency| latency.p99_9),
        shown: time,
    },
    Metric {
        name: "max",
        unit: "microseconds",
        of: |report| latency(report, |latency| latency.max),
        shown: time,
    },
    Metric {
        name: "server CPU an operation",
        unit: "microseconds",
        of: processor_time,
        shown: time,
    },
    Metric {
        name: "RSS at the end",
        unit: "bytes",
        of: |report| Some(server(report)?.samples.last()?.rss as f64),
        shown: bytes,
    },
    Metric {
        name: "memory a connection",
        unit: "bytes",
        of: |report| server(report)?.memory_a_connection,
        shown: bytes,
    },
];

fn latency(report: &Report, of: fn(&Latency) -> f64) -> Option<f64> {
    report.latency.as_ref().map(of)
}

fn server(report: &Report) -> Option<&ServerReport> {
    report.server.as_ref()
}

/// The processors that the server used on average in the measured time, divided by the operations a second.
fn processor_time(report: &Report) -> Option<f64> {
    let samples = &server(report)?.samples;
    let (mut used, mut length) = (0.0, 0.0);
    for (before, sample) in samples.iter().zip(samples.iter().skip(1)) {
        if sample.at > 0.0 {
            let since = sample.at - before.at;
            used += sample.processors * since;
            length += since;
        }
    }
    let throughput = report.throughput();
    (length > 0.0 && throughput > 0.0).then(|| used / length / throughput * 1e6)
}

/// What did not go well: failed, unfinished, and not even begun.
pub fn lost(report: &Report) -> u64 {
    let counts = [&report.operations, &report.connections];
    let lost = counts.map(|counts| counts.failures() + counts.unfinished + counts.not_sent);
    lost.iter().sum()
}

pub fn summarize(servers: &[Compared]) -> Vec<Summary> {
    let of_metric = |metric: &Metric| {
        let values: Vec<Values> = servers
            .iter()
            .map(|server| {
                let reports = server.reports();
                reports
                    .filter_map(|(round, report)| Some((round, (metric.of)(report)?)))
                    .collect()
            })
            .collect();
        Summary {
            figure: metric.name,
            unit: metric.unit,
            servers: figures(&values),
        }
    };
    METRICS.iter().map(of_metric).collect()
}

/// By round.
type Values = Vec<(u16, f64)>;

fn figures(servers: &[Values]) -> Vec<Option<Figure>> {
    let figure = |(index, values): (usize, &Values)| {
        let first = servers.first().filter(|_| index > 0);
        Some(Figure {
            median: median(values.iter().map(|(_, value)| *value))?,
            ratio: first.and_then(|first| ratio(values, first)),
        })
    };
    servers.iter().enumerate().map(figure).collect()
}

fn ratio(values: &Values, first: &Values) -> Option<Ratio> {
    let ratios: Vec<f64> = values
        .iter()
        .filter_map(|(round, value)| {
            let (_, first) = first.iter().find(|(other, _)| other == round)?;
            (*first > 0.0).then(|| value / first)
        })
        .collect();
    Some(Ratio {
        median: median(ratios.iter().copied())?,
        min: ratios.iter().copied().reduce(f64::min)?,
        max: ratios.iter().copied().reduce(f64::max)?,
    })
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    let lower = *values.get(values.len().checked_sub(1)? / 2)?;
    Some(f64::midpoint(lower, upper))
}

/// For a terminal; what the reader has to know of single runs follows below.
pub fn table(servers: &[Compared], summaries: &[Summary]) -> String {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_HORIZONTAL_ONLY);
    table.remove_style(TableComponent::HorizontalLines);
    table.remove_style(TableComponent::MiddleIntersections);
    let mut header = vec![String::new()];
    for (index, server) in servers.iter().enumerate() {
        header.push(server.label.clone());
        if index > 0 {
            header.push("ratio (min to max)".into());
        }
    }
    table.set_header(header);
    for (metric, summary) in METRICS.iter().zip(summaries) {
        let mut row = vec![metric.name.to_owned()];
        for (index, figure) in summary.servers.iter().enumerate() {
            row.push(figure.map_or_else(none, |figure| (metric.shown)(figure.median)));
            if index > 0 {
                let ratio = figure.and_then(|figure| figure.ratio);
                row.push(ratio.map_or_else(none, shown_ratio));
            }
        }
        table.add_row(row);
    }
    for (name, of) in [
        ("failed or lost", of_all_runs as fn(&Compared) -> String),
        ("runs", |server| server.reports().count().to_string()),
    ] {
        let mut row = vec![name.to_owned()];
        for (index, server) in servers.iter().enumerate() {
            row.push(of(server));
            if index > 0 {
                row.push(String::new());
            }
        }
        table.add_row(row);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let mut text = table.trim_fmt() + "\n";
    for remark in remarks(servers) {
        text += &(remark + "\n");
    }
    text
}

fn of_all_runs(server: &Compared) -> String {
    let lost = server.reports().map(|(_, report)| lost(report));
    lost.sum::<u64>().to_string()
}

fn none() -> String {
    "-".into()
}

fn shown_ratio(ratio: Ratio) -> String {
    format!("{:.2} ({:.2} to {:.2})", ratio.median, ratio.min, ratio.max)
}

/// Sentences of single runs.
fn remarks(servers: &[Compared]) -> Vec<String> {
    let mut remarks = Vec::new();
    for server in servers {
        for run in &server.runs {
            let (label, round) = (&server.label, run.round);
            let mut remark = |text: &str| remarks.push(format!("{label}, round {round}: {text}"));
            if let Some(failure) = &run.failure {
                remark(failure);
            }
            let Some(report) = &run.report else {
                continue;
            };
            if report.interrupted {
                remark("interrupted, after less time than the others had");
            }
            let sentences = report.limits.iter().chain(&report.notes);
            sentences.for_each(|sentence| remark(sentence));
        }
    }
    remarks
}

/// `12,345`, and some digits of what is small.
pub fn count(value: f64) -> String {
    if value < 100.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Of microseconds.
pub fn time(microseconds: f64) -> String {
    if microseconds < 1e3 {
        format!("{microseconds:.1} µs")
    } else if microseconds < 1e6 {
        format!("{:.2} ms", microseconds / 1e3)
    } else {
        format!("{:.2} s", microseconds / 1e6)
    }
}

fn bytes(bytes: f64) -> String {
    if bytes < 1024.0 {
        format!("{bytes:.0} B")
    } else if bytes < 1024.0 * 1024.0 {
        format!("{:.1} KiB", bytes / 1024.0)
    } else {
        format!("{:.1} MiB", bytes / 1024.0 / 1024.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_of_the_same_round() {
        let first = vec![(1, 100.0), (2, 50.0), (3, 200.0)];
        let second = vec![(1, 200.0), (2, 100.0), (4, 1.0)];
        let third = Vec::new();
        let figures = figures(&[first, second, third]);
        assert_eq!(
            figures,
            [
                Some(Figure {
                    median: 100.0,
                    ratio: None
                }),
                Some(Figure {
                    median: 100.0,
                    ratio: Some(Ratio {
                        median: 2.0,
                        min: 2.0,
                        max: 2.0
                    })
                }),
                None,
            ]
        );
    }

    #[test]
    fn the_spread_of_ratios_is_shown() {
        let first = vec![(1, 10.0), (2, 10.0), (3, 0.0)];
        let second = vec![(1, 15.0), (2, 5.0), (3, 1.0)];
        let found = ratio(&second, &first).expect("a ratio");
        assert_eq!(shown_ratio(found), "1.00 (0.50 to 1.50)");
    }

    #[test]
    fn medians() {
        let of = |values: &[f64]| median(values.iter().copied());
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[3.0]), Some(3.0));
        assert_eq!(of(&[3.0, 1.0]), Some(2.0));
        assert_eq!(of(&[9.0, 1.0, 2.0]), Some(2.0));
    }

    #[test]
    fn figures_are_readable() {
        assert_eq!(count(1_234_567.4), "1,234,567");
        assert_eq!(count(999.6), "1,000");
        assert_eq!(count(123.0), "123");
        assert_eq!(count(12.34), "12.3");
        assert_eq!(time(12.34), "12.3 µs");
        assert_eq!(time(12_340.0), "12.34 ms");
        assert_eq!(time(12_340_000.0), "12.34 s");
        assert_eq!(bytes(12.0), "12 B");
        assert_eq!(bytes(12.0 * 1024.0), "12.0 KiB");
        assert_eq!(bytes(12.5 * 1024.0 * 1024.0), "12.5 MiB");
    }
}

//! `--html`: one page with everything in it. It loads nothing and runs nothing, so it can be mailed and kept.

use std::fmt::Write;

use hdrhistogram::Histogram;

use crate::{
    output::{
        charts::{Across, Chart, Series},
        table::{Usage, what},
        units::{
            binary_bytes, count, decimal_bytes, latency, plain, quantile, rate, seconds,
            significant,
        },
    },
    record::{Counts, Record},
    report::{Latency, Report, ServerReport},
    run::{Finished, Interval},
};

const STYLE: &str = include_str!("report.css");

/// More points than this are closer together than a screen shows.
const MOST_POINTS: usize = 240;

/// A last interval that is shorter would show chance only: it goes to the one before.
const SHORTEST: f64 = 0.5;

/// A percentile plot ends here at the latest.
const MOST_NINES: f64 = 5.0;

/// Points of a percentile plot between 90 % and 99 %, and so on.
const POINTS_A_NINE: u32 = 40;

/// The page.
pub fn page(report: &Report, finished: &Finished) -> String {
    let title = format!(
        "Load test: {} to {}",
        report.settings.load, report.settings.target
    );
    let title = escape(&title);
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n"
    );
    let _ = writeln!(
        page,
        "<p class=\"soft\">{}. Begun {}, measured {}.</p>",
        escape(&what(&report.settings)),
        escape(&begun(report.started_at)),
        seconds(report.measured)
    );
    verdict(report, &mut page);
    tiles(report, &mut page);
    let points = points(finished);
    page.push_str("<section>\n<h2>Over time</h2>\n<div class=\"charts\">\n");
    over_time(&points, &mut page);
    page.push_str("</div>\n</section>\n");
    let distribution = distribution(&finished.total.latency);
    if !distribution.is_empty() {
        let _ = write!(
            page,
            "<section>\n<h2>Latency</h2>\n<div class=\"charts\">\n{distribution}"
        );
        page.push_str("<div>\n");
        latencies(report.latency.as_ref(), &mut page);
        page.push_str("</div>\n</div>\n</section>\n");
    }
    if let Some(server) = &report.server {
        of_server(server, &mut page);
    }
    figures(report, &points, &mut page);
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

/// Text from outside as text of a page, or in an attribute of it.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in plain(text).chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // In Unicode, and no character of XML.
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            char => escaped.push(char),
        }
    }
    escaped
}

fn begun(started_at: f64) -> String {
    let since = std::time::Duration::try_from_secs_f64(started_at).unwrap_or_default();
    match std::time::UNIX_EPOCH.checked_add(since) {
        // It refuses years of five digits.
        Some(time) if since.as_secs() < 250_000_000_000 => {
            humantime::format_rfc3339_seconds(time).to_string()
        }
        _ => "at an unknown time".into(),
    }
}

/// The sentence that most readers want, and what it rests on.
fn verdict(report: &Report, page: &mut String) {
    let (operations, connections) = (&report.operations, &report.connections);
    let server_ended = report.server.as_ref().filter(|server| server.ended_early);
    let (class, sentence) = if let Some(server) = server_ended {
        (
            "bad",
            format!("The server ended during the run: {}.", server.ended),
        )
    } else if operations.failures() + connections.failures() > 0 {
        ("bad", failures(operations, connections))
    } else if operations.completed == 0 && operations.started > 0 {
        (
            "bad",
            format!(
                "None of {} operations was completed.",
                count(operations.started)
            ),
        )
    } else if operations.not_sent > 0 {
        let due = operations.started.saturating_add(operations.not_sent);
        let sentence = format!(
            "The rate was not reached: {} of {} operations that were due were never sent.",
            count(operations.not_sent),
            count(due)
        );
        ("bad", sentence)
    } else if operations.unfinished + connections.unfinished > 0 {
        let sentence = format!(
            "{} of {} operations had no answer at the end.",
            count(operations.unfinished),
            count(operations.started)
        );
        ("bad", sentence)
    } else {
        let sentence = format!(
            "All went well: {} operations, none failed.",
            count(operations.completed)
        );
        let doubtful = report.interrupted || !report.limits.is_empty();
        (if doubtful { "warn" } else { "good" }, sentence)
    };
    let _ = writeln!(
        page,
        "<div class=\"verdict {class}\">\n<p><strong>{}</strong></p>",
        escape(&sentence)
    );
    if report.interrupted {
        let _ = writeln!(
            page,
            "<p>Ended early by Ctrl-C, after {} of {}.</p>",
            seconds(report.measured),
            seconds(report.settings.duration)
        );
    }
    if report.limits.is_empty() {
        page.push_str(
            "<p>Nothing shows that this program was the limit: the figures are the server's.</p>\n",
        );
    } else {
        page.push_str("<p>This program was the limit, not only the server:</p>\n");
    }
    for sentence in report.limits.iter().chain(&report.notes) {
        let _ = writeln!(page, "<p>{}</p>", escape(sentence));
    }
    page.push_str("</div>\n");
}

fn failures(operations: &Counts, connections: &Counts) -> String {
    let mut parts = Vec::new();
    for (counts, name) in [(operations, "operations"), (connections, "connections")] {
        if counts.failures() > 0 {
            let reasons: Vec<String> = counts
                .failed
                .iter()
                .map(|(reason, number)| format!("{reason} ({})", count(*number)))
                .collect();
            parts.push(format!(
                "{} of {} {name} failed: {}.",
                count(counts.failures()),
                count(counts.started),
                reasons.join(", ")
            ));
        }
    }
    parts.join(" ")
}

fn tiles(report: &Report, page: &mut String) {
    let of = report.latency.as_ref();
    let latency_of = |show: fn(&Latency) -> String| of.map_or_else(|| "-".into(), show);
    let failed = report.operations.failures() + report.connections.failures();
    page.push_str("<dl class=\"tiles\">\n");
    for (name, figure) in [
        ("Operations a second", rate(report.throughput())),
        (
            "Latency p50",
            latency_of(|of| quantile(0.5, of.p50, of.count)),
        ),
        (
            "Latency p99",
            latency_of(|of| quantile(0.99, of.p99, of.count)),
        ),
        ("Latency max", latency_of(|of| latency(of.max))),
        ("Failures", count(failed)),
    ] {
        let _ = writeln!(
            page,
            "<div class=\"tile\"><dt>{name}</dt><dd>{figure}</dd></div>"
        );
    }
    page.push_str("</dl>\n");
}

/// Some intervals together.
struct Point {
    at: f64,
    length: f64,
    open: u64,
    record: Record,
}

/// As many as a chart can show.
fn points(finished: &Finished) -> Vec<Point> {
    let intervals = &finished.intervals;
    let together = intervals.len().div_ceil(MOST_POINTS).max(1);
    let mut points: Vec<Point> = intervals.chunks(together).filter_map(Point::of).collect();
    if let [.., before, last] = points.as_mut_slice()
        && last.length < SHORTEST
    {
        before.length += last.length;
        before.open = last.open;
        before.record.add(&last.record);
        points.pop();
    }
    points
}

impl Point {
    fn of(intervals: &[Interval]) -> Option<Self> {
        let (first, last) = (intervals.first()?, intervals.last()?);
        let mut record = Record::new();
        for interval in intervals {
            record.add(&interval.record);
        }
        Some(Self {
            at: first.from.as_secs_f64(),
            length: intervals
                .iter()
                .map(|interval| interval.length.as_secs_f64())
                .sum(),
            open: last.open,
            record,
        })
    }

    fn a_second(&self, number: u64) -> f64 {
        number as f64 / self.length.max(1e-3)
    }

    /// Its figures are drawn at its end, when they were known.
    fn end(&self) -> f64 {
        self.at + self.length
    }
}

fn over_time(points: &[Point], page: &mut String) {
    let line = |value: &dyn Fn(&Point) -> Option<f64>| -> Vec<(f64, Option<f64>)> {
        points
            .iter()
            .map(|point| (point.end(), value(point)))
            .collect()
    };
    let mut throughput = vec![Series {
        name: "completed",
        points: line(&|point| Some(point.a_second(point.record.operations.completed))),
    }];
    if points
        .iter()
        .any(|point| point.record.operations.failures() > 0)
    {
        throughput.push(Series {
            name: "failed",
            points: line(&|point| Some(point.a_second(point.record.operations.failures()))),
        });
    }
    let at = |quantile: f64| {
        line(&|point| {
            let latency = &point.record.latency;
            (!latency.is_empty()).then(|| latency.value_at_quantile(quantile) as f64 / 1e3)
        })
    };
    let chart = Chart {
        id: "throughput",
        title: "Operations a second",
        description: "Completed operations a second over the measured time; all figures are in the table at the end.",
        across: Across::Seconds,
        unit: short,
        base: 10.0,
        may_be_logarithmic: false,
        mark: None,
        series: throughput,
    };
    page.push_str(&chart.figure());
    let chart = Chart {
        id: "latency",
        title: "Latency",
        description: "Median, 99th percentile and maximum of each second's latencies; all figures are in the table at the end.",
        unit: latency,
        may_be_logarithmic: true,
        series: vec![
            Series {
                name: "p50",
                points: at(0.5),
            },
            Series {
                name: "p99",
                points: at(0.99),
            },
            Series {
                name: "max",
                points: at(1.0),
            },
        ],
        ..chart
    };
    page.push_str(&chart.figure());
    let chart = Chart {
        id: "open",
        title: "Open connections",
        description: "Connections that were open at the end of each second.",
        unit: short,
        may_be_logarithmic: false,
        series: vec![Series {
            name: "open",
            points: line(&|point| Some(point.open as f64)),
        }],
        ..chart
    };
    page.push_str(&chart.figure());
}

/// A number on an axis.
fn short(number: f64) -> String {
    if number >= 10_000.0 {
        format!("{} k", significant(number / 1000.0).trim_end_matches(".0"))
    } else if number.fract() == 0.0 {
        count(number as u64)
    } else {
        significant(number)
    }
}

/// Latency by percentile, whose axis counts nines: what few operations had is as wide as what most had.
fn distribution(latencies: &Histogram<u64>) -> String {
    if latencies.is_empty() {
        return String::new();
    }
    // Above is nothing but the maximum.
    let nines = (latencies.len() as f64).log10().clamp(0.0, MOST_NINES);
    let last = (nines * f64::from(POINTS_A_NINE)).floor() as u32;
    let points = (0..=last)
        .map(|number| {
            let nines = f64::from(number) / f64::from(POINTS_A_NINE);
            let value = latencies.value_at_quantile(1.0 - 10f64.powf(-nines));
            (nines, Some(value as f64 / 1e3))
        })
        .collect();
    Chart {
        id: "distribution",
        title: "Latency by percentile",
        description: "The latency that so many percent of the operations did not exceed; the main percentiles are in a table.",
        across: Across::Nines,
        unit: latency,
        base: 10.0,
        may_be_logarithmic: true,
        mark: None,
        series: vec![Series { name: "latency", points }],
    }
    .figure()
}

fn latencies(of: Option<&Latency>, page: &mut String) {
    let Some(of) = of else { return };
    rows(
        page,
        "Latency of completed operations",
        &[
            ("Mean", latency(of.mean)),
            ("Standard deviation", latency(of.deviation)),
            ("Minimum", latency(of.min)),
            ("50 %", quantile(0.5, of.p50, of.count)),
            ("90 %", quantile(0.9, of.p90, of.count)),
            ("99 %", quantile(0.99, of.p99, of.count)),
            ("99.9 %", quantile(0.999, of.p99_9, of.count)),
            ("Maximum", latency(of.max)),
        ],
    );
    if of.count < 1000 {
        page.push_str("<p class=\"soft\">-: too few operations to tell.</p>\n");
    }
}

fn of_server(server: &ServerReport, page: &mut String) {
    page.push_str("<section>\n<h2>Server</h2>\n<div class=\"charts\">\n");
    let line = |value: fn(&crate::report::Sample) -> f64| -> Vec<(f64, Option<f64>)> {
        server
            .samples
            .iter()
            .map(|sample| (sample.at, Some(value(sample))))
            .collect()
    };
    let chart = Chart {
        id: "cpu",
        title: "CPU, in processors",
        description: "Processor time of the server's processes a second: 1 is one whole processor.",
        across: Across::Seconds,
        unit: significant,
        base: 10.0,
        may_be_logarithmic: false,
        mark: Some(0.0),
        series: vec![Series {
            name: "CPU",
            points: line(|sample| sample.processors),
        }],
    };
    page.push_str(&chart.figure());
    let chart = Chart {
        id: "memory",
        title: "Memory (RSS)",
        description: "Resident memory of the server's processes.",
        unit: binary_bytes,
        base: 2.0,
        series: vec![Series {
            name: "RSS",
            points: line(|sample| sample.rss as f64),
        }],
        ..chart
    };
    page.push_str(&chart.figure());
    let chart = Chart {
        id: "descriptors",
        title: "Threads and descriptors",
        description: "Threads and open descriptors of the server's processes, and our open connections.",
        unit: short,
        base: 10.0,
        may_be_logarithmic: true,
        series: vec![
            Series {
                name: "descriptors",
                points: line(|sample| sample.descriptors as f64),
            },
            Series {
                name: "threads",
                points: line(|sample| sample.threads as f64),
            },
            Series {
                name: "our connections",
                points: line(|sample| sample.open as f64),
            },
        ],
        ..chart
    };
    page.push_str(&chart.figure());
    page.push_str("<div>\n");
    let mut figures = vec![
        ("Command", escape(&server.command)),
        ("End", escape(&server.ended)),
    ];
    if let Some(usage) = Usage::of(server) {
        if let Some((mean, peak)) = usage.processors {
            let text = format!(
                "mean {}, peak {} processors",
                significant(mean),
                significant(peak)
            );
            figures.push(("CPU", text));
        }
        let [first, peak, last] = usage.rss.map(|bytes| binary_bytes(bytes as f64));
        figures.push((
            "Memory (RSS)",
            format!("first {first}, peak {peak}, last {last}"),
        ));
        figures.push(("Threads", format!("peak {}", count(usage.threads))));
        figures.push(("Descriptors", format!("peak {}", count(usage.descriptors))));
    }
    if let Some(bytes) = server.memory_a_connection {
        figures.push(("Memory a connection", binary_bytes(bytes)));
    }
    rows(page, "The server's processes", &figures);
    page.push_str("</div>\n</div>\n</section>\n");
}

/// A table of names and figures, which are HTML already.
fn rows(page: &mut String, caption: &str, rows: &[(&str, String)]) {
    let _ = writeln!(page, "<table>\n<caption>{caption}</caption>\n<tbody>");
    for (name, figure) in rows {
        let _ = writeln!(
            page,
            "<tr><th scope=\"row\">{name}</th><td>{figure}</td></tr>"
        );
    }
    page.push_str("</tbody>\n</table>\n");
}

fn figures(report: &Report, points: &[Point], page: &mut String) {
    page.push_str("<section>\n<h2>All figures</h2>\n");
    page.push_str("<div class=\"scroll\">\n<table class=\"figures\">\n<caption>How operations ended</caption>\n<thead><tr><th></th>");
    for head in [
        "started",
        "completed",
        "failed",
        "unfinished",
        "not sent",
        "sent",
        "received",
    ] {
        let _ = write!(page, "<th scope=\"col\">{head}</th>");
    }
    page.push_str("</tr></thead>\n<tbody>\n");
    for (name, counts) in [
        ("Operations", &report.operations),
        ("Connections", &report.connections),
    ] {
        let _ = write!(page, "<tr><th scope=\"row\">{name}</th>");
        for number in [
            counts.started,
            counts.completed,
            counts.failures(),
            counts.unfinished,
            counts.not_sent,
        ] {
            let _ = write!(page, "<td>{}</td>", count(number));
        }
        for bytes in [counts.bytes_sent, counts.bytes_received] {
            let _ = write!(page, "<td>{}</td>", decimal_bytes(bytes as f64));
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</tbody>\n</table>\n</div>\n<div class=\"pair\">\n");
    settings(report, page);
    reasons(report, page);
    page.push_str("</div>\n");
    seconds_table(points, page);
    page.push_str("</section>\n");
}

fn settings(report: &Report, page: &mut String) {
    let settings = &report.settings;
    page.push_str("<div>\n");
    rows(
        page,
        "Settings",
        &[
            ("Load", escape(&settings.load)),
            ("Target", escape(&settings.target)),
            ("TLS", if settings.tls { "yes" } else { "no" }.into()),
            ("Connections", count(settings.connections.into())),
            ("Duration", seconds(settings.duration)),
            ("Warm-up", seconds(settings.warmup)),
            ("Ramp", seconds(settings.ramp)),
            ("Size", format!("{} bytes", count(settings.size.into()))),
            ("Pipeline", count(settings.pipeline.into())),
            (
                "Rate",
                settings.rate.map_or_else(
                    || "closed loop".into(),
                    |rate_| format!("{}/s", rate(rate_)),
                ),
            ),
            ("Timeout", seconds(settings.timeout)),
            ("Threads", count(settings.threads as u64)),
        ],
    );
    page.push_str("</div>\n");
}

fn reasons(report: &Report, page: &mut String) {
    let failed: Vec<(&str, &String, u64)> = [
        ("operation", &report.operations),
        ("connection", &report.connections),
    ]
    .into_iter()
    .flat_map(|(kind, counts)| {
        counts
            .failed
            .iter()
            .map(move |(reason, number)| (kind, reason, *number))
    })
    .collect();
    if failed.is_empty() {
        return;
    }
    page.push_str("<div>\n<table>\n<caption>Failures by reason</caption>\n<thead><tr><th scope=\"col\">reason</th><th scope=\"col\">of</th><th scope=\"col\">number</th></tr></thead>\n<tbody>\n");
    for (kind, reason, number) in failed {
        let _ = writeln!(
            page,
            "<tr><td>{}</td><td>{kind}</td><td>{}</td></tr>",
            escape(reason),
            count(number)
        );
    }
    page.push_str("</tbody>\n</table>\n</div>\n");
}

/// What the charts over time show.
fn seconds_table(points: &[Point], page: &mut String) {
    page.push_str("<details>\n<summary>Figures over time</summary>\n<div class=\"scroll\">\n<table class=\"figures\">\n<thead><tr>");
    for head in [
        "until",
        "completed",
        "a second",
        "failed",
        "p50",
        "p99",
        "max",
        "open",
    ] {
        let _ = write!(page, "<th scope=\"col\">{head}</th>");
    }
    page.push_str("</tr></thead>\n<tbody>\n");
    for point in points {
        let counts = &point.record.operations;
        let of = Latency::of(&point.record.latency);
        let show = |show: fn(&Latency) -> String| of.as_ref().map_or_else(|| "-".into(), show);
        let _ = writeln!(
            page,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            seconds(point.end()),
            count(counts.completed),
            rate(point.a_second(counts.completed)),
            count(counts.failures()),
            show(|of| quantile(0.5, of.p50, of.count)),
            show(|of| quantile(0.99, of.p99, of.count)),
            show(|of| latency(of.max)),
            count(point.open),
        );
    }
    page.push_str("</tbody>\n</table>\n</div>\n</details>\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::sample;

    /// Read as XML, which is stricter than HTML: a tag that is not closed, or text that is not escaped, is an error.
    fn check(page: &str) {
        let options = roxmltree::ParsingOptions {
            allow_dtd: true,
            ..Default::default()
        };
        let document = roxmltree::Document::parse_with_options(page, options).unwrap();
        let mut ids = std::collections::HashSet::new();
        for node in document.descendants().filter(roxmltree::Node::is_element) {
            assert!(!["script", "link", "img", "iframe", "b"].contains(&node.tag_name().name()));
            if let Some(id) = node.attribute("id") {
                assert!(ids.insert(id), "{id} twice");
            }
            for attribute in node.attributes() {
                assert!(
                    !["src", "href", "style"].contains(&attribute.name()),
                    "{}",
                    attribute.name()
                );
                assert!(!attribute.value().contains("NaN") && !attribute.value().contains("inf"));
            }
        }
        for svg in document
            .descendants()
            .filter(|node| node.has_tag_name("svg"))
        {
            let titles = svg.attribute("aria-labelledby").unwrap();
            assert!(titles.split(' ').all(|id| ids.contains(id)), "{titles}");
        }
        assert!(!page.contains("url(") && !page.contains("@import"));
    }

    #[test]
    fn a_page_is_whole() {
        let (mut report, finished) = sample::run(12);
        sample::with_server(&mut report, 12);
        report.limits.push("a <b> limit".into());
        let page = page(&report, &finished);
        check(&page);
        assert_eq!(page.matches("<svg").count(), 7);
        assert!(page.contains("All went well: "));
        assert!(page.contains("&lt;b&gt;&amp;amp;&quot;&#39;"));
        if let Some(file) = std::env::var_os("C_SAMPLE") {
            std::fs::write(file, &page).unwrap();
        }
    }

    #[test]
    fn a_page_of_nothing_is_whole() {
        let (mut report, mut finished) = sample::run(1);
        finished.intervals.clear();
        finished.total = Record::new();
        report = Report::of(report.settings, 0.0, &finished);
        report.measured = 0.0;
        check(&page(&report, &finished));
    }

    #[test]
    fn text_from_outside_is_text() {
        let (mut report, finished) = sample::run(2);
        report.settings.target = "<script>alert('1')</script>\u{0}\u{ffff}\x1b]]>".into();
        report
            .operations
            .failed
            .insert("\"><svg onload=x>".into(), 3);
        let page = page(&report, &finished);
        check(&page);
        assert!(!page.contains("<script") && !page.contains("<svg onload"));
        assert!(page.contains("class=\"verdict bad\""));
        assert!(page.contains("3 of "));
    }

    #[test]
    fn an_hour_has_as_many_points_as_a_chart_shows() {
        let (_, finished) = sample::run(700);
        let points = points(&finished);
        assert!(points.len() <= MOST_POINTS);
        let all: u64 = points
            .iter()
            .map(|point| point.record.operations.completed)
            .sum();
        let intervals = finished
            .intervals
            .iter()
            .map(|interval| interval.record.operations.completed);
        assert_eq!(all, intervals.sum::<u64>());
    }
}

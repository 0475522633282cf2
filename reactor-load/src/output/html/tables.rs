//! The tables of a page.

use std::fmt::Write;

use crate::{
    output::{
        html::{escape, graphs::Point, latency, quantile},
        table::Usage,
        units::{self, binary_bytes, count, decimal_bytes, rate, seconds, significant},
    },
    report::{Latency, Report, ServerReport},
};

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

pub fn latencies(of: &Latency, page: &mut String) {
    page.push_str("<div class=\"scroll\">\n<table class=\"figures\">\n<caption>Latency of completed operations</caption>\n");
    let columns = [
        ("mean", latency(of.mean)),
        ("deviation", latency(of.deviation)),
        ("min", latency(of.min)),
        ("50 %", quantile(0.5, of.p50, of.count)),
        ("90 %", quantile(0.9, of.p90, of.count)),
        ("99 %", quantile(0.99, of.p99, of.count)),
        ("99.9 %", quantile(0.999, of.p99_9, of.count)),
        ("max", latency(of.max)),
    ];
    page.push_str("<thead><tr>");
    for (name, _) in &columns {
        let _ = write!(page, "<th scope=\"col\">{name}</th>");
    }
    page.push_str("</tr></thead>\n<tbody><tr>");
    for (_, figure) in &columns {
        let _ = write!(page, "<td>{figure}</td>");
    }
    page.push_str("</tr></tbody>\n</table>\n</div>\n");
    if !units::tells(0.999, of.count) {
        page.push_str("<p class=\"soft\">-: too few operations to tell.</p>\n");
    }
}

pub fn figures(report: &Report, points: &[Point], page: &mut String) {
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

/// What the server used, as figures.
pub fn server(server: &ServerReport, page: &mut String) {
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
}

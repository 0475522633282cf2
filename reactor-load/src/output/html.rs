//! `--html`: one page with everything in it. It loads nothing and runs nothing, so it can be mailed and kept.

mod graphs;
mod tables;

use std::fmt::Write;

use crate::{
    output::{
        table::what,
        units::{self, count, plain, rate, seconds},
    },
    record::Counts,
    report::{Latency, Report},
    run::Finished,
};

const STYLE: &str = include_str!("report.css");

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
    let points = graphs::points(finished);
    page.push_str("<section>\n<h2>Throughput</h2>\n<div class=\"charts\">\n");
    graphs::throughput(&points, &mut page);
    page.push_str("</div>\n</section>\n");
    if let Some(of) = &report.latency {
        page.push_str("<section>\n<h2>Latency</h2>\n<div class=\"charts\">\n");
        graphs::latency_over_time(&points, &mut page);
        graphs::distribution(&finished.total.latency, &mut page);
        page.push_str("</div>\n");
        tables::latencies(of, &mut page);
        page.push_str("</section>\n");
    }
    if let Some(server) = &report.server {
        page.push_str("<section>\n<h2>Server</h2>\n<div class=\"charts\">\n");
        graphs::server(server, &mut page);
        page.push_str("<div>\n");
        tables::server(server, &mut page);
        page.push_str("</div>\n</div>\n</section>\n");
    }
    tables::figures(report, &points, &mut page);
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

/// As on a terminal, in proper type.
fn latency(microseconds: f64) -> String {
    units::latency(microseconds).replace(" us", " \u{b5}s")
}

fn quantile(quantile: f64, microseconds: f64, count: u64) -> String {
    units::quantile(quantile, microseconds, count).replace(" us", " \u{b5}s")
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
        // Some loads only keep connections.
        let (number, name) = match operations.completed {
            0 => (connections.completed, "connections"),
            number => (number, "operations"),
        };
        let sentence = format!("All went well: {} {name}, none failed.", count(number));
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
        page.push_str("<p>Nothing shows that this program was the limit.</p>\n");
    } else {
        page.push_str(
            "<p>This program was a limit, so that the figures are not the server's alone:</p>\n",
        );
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{output::sample, record::Record};

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
}

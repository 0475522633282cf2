//! The line that shows a run while it goes on, on a terminal.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressStyle};

use crate::{
    cli::Load,
    output::units::{count, latency, rate},
    report::Latency,
    run::Interval,
    workers::Schedule,
};

pub struct Progress {
    line: ProgressBar,
    wanted: u32,
    schedule: Schedule,
    failed: u64,
    /// As it is shown: asked many times a second, drawn when it changes.
    shown: String,
}

impl Progress {
    /// Shows nothing where standard error is no terminal, or with `--quiet`.
    pub fn new(load: &Load, schedule: &Schedule) -> Self {
        let target = if load.quiet {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr()
        };
        // Cut to the terminal's width: a line that wraps would stay behind.
        let style = ProgressStyle::with_template("{wide_msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        // Also when a run ends by an error.
        let line = ProgressBar::with_draw_target(None, target)
            .with_style(style)
            .with_finish(ProgressFinish::AndClear);
        Self {
            line,
            wanted: load.connections,
            schedule: *schedule,
            failed: 0,
            shown: String::new(),
        }
    }

    pub fn warming(&mut self, open: u64) {
        if !self.line.is_hidden() {
            let connecting = Instant::now() < self.schedule.begin + self.schedule.ramp;
            let text = before(connecting, open, self.wanted);
            if text != self.shown {
                self.line.set_message(text.clone());
                self.shown = text;
            }
        }
    }

    pub fn second(&mut self, interval: &Interval) {
        self.failed +=
            interval.record.operations.failures() + interval.record.connections.failures();
        if !self.line.is_hidden() {
            let all = self.schedule.until - self.schedule.measured_from;
            self.line.set_message(during(interval, all, self.failed));
        }
    }

    /// Leaves nothing behind.
    pub fn finish(&mut self) {
        self.line.finish_and_clear();
    }
}

fn before(connecting: bool, open: u64, wanted: u32) -> String {
    let phase = if connecting {
        "connecting"
    } else {
        "warming up"
    };
    format!(
        "{phase}: {} of {} connections open",
        count(open),
        count(wanted.into())
    )
}

fn during(interval: &Interval, all: Duration, failed: u64) -> String {
    let done = (interval.from + interval.length).as_secs_f64();
    let seconds = interval.length.as_secs_f64().max(f64::EPSILON);
    let per_second = interval.record.operations.completed as f64 / seconds;
    let latency = match Latency::of(&interval.record.latency) {
        Some(of) => format!(
            "p50 {}  p99 {}  max {}",
            latency(of.p50),
            latency(of.p99),
            latency(of.max)
        ),
        None => "no answers".into(),
    };
    format!(
        "{done:.0} of {:.0} s  {}/s  {latency}  {} failed",
        all.as_secs_f64(),
        rate(per_second),
        count(failed)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Record;

    #[test]
    fn a_line_says_how_far_and_how_fast() {
        let mut record = Record::new();
        record.operations.completed = 3000;
        let mut interval = Interval {
            from: Duration::from_secs(3),
            length: Duration::from_secs(2),
            record,
            open: 10,
            processor: Vec::new(),
            processors: 2,
            idle: None,
        };
        let all = Duration::from_secs(10);
        assert_eq!(
            during(&interval, all, 1234),
            "5 of 10 s  1,500/s  no answers  1,234 failed"
        );
        interval.record.latency.record(1_000_000).unwrap();
        let line = during(&interval, all, 0);
        assert!(
            line.contains("p50 1.00 ms  p99 1.00 ms  max 1.00 ms  0 failed"),
            "{line}"
        );
    }

    #[test]
    fn before_it_measures_a_line_counts_connections() {
        assert_eq!(
            before(true, 12, 5000),
            "connecting: 12 of 5,000 connections open"
        );
        assert_eq!(before(false, 1, 1), "warming up: 1 of 1 connections open");
    }
}

//! The charts of a page.

use hdrhistogram::Histogram;

use crate::{
    output::{
        charts::{Across, Chart, Series},
        html::latency,
        units::{binary_bytes, count, significant},
    },
    record::Record,
    report::{Sample, ServerReport},
    run::{Finished, Interval},
};

/// More points than this are closer together than a screen shows.
const MOST_POINTS: usize = 240;

/// A last interval that is shorter would show chance only: it goes to the one before.
const SHORTEST: f64 = 0.5;

/// A percentile plot ends here at the latest.
const MOST_NINES: f64 = 5.0;

/// Points of a percentile plot between 90 % and 99 %, and so on.
const POINTS_A_NINE: u32 = 40;

/// Some intervals together.
pub struct Point {
    /// Since the begin of the measured time, in seconds.
    at: f64,
    length: f64,
    /// Connections at its end.
    pub open: u64,
    pub record: Record,
}

/// As many as a chart can show.
pub fn points(finished: &Finished) -> Vec<Point> {
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

    pub fn a_second(&self, number: u64) -> f64 {
        number as f64 / self.length.max(1e-3)
    }

    /// Its figures are drawn at its end, when they were known.
    pub fn end(&self) -> f64 {
        self.at + self.length
    }
}

/// A value of each point.
fn line(points: &[Point], value: impl Fn(&Point) -> Option<f64>) -> Vec<(f64, Option<f64>)> {
    points
        .iter()
        .map(|point| (point.end(), value(point)))
        .collect()
}

pub fn throughput(points: &[Point], page: &mut String) {
    let mut series = vec![Series {
        name: "completed",
        points: line(points, |point| {
            Some(point.a_second(point.record.operations.completed))
        }),
    }];
    let failed = |point: &Point| point.record.operations.failures();
    if points.iter().any(|point| failed(point) > 0) {
        series.push(Series {
            name: "failed",
            points: line(points, |point| Some(point.a_second(failed(point)))),
        });
    }
    let chart = Chart {
        id: "throughput",
        title: "Operations a second",
        description: "Completed operations a second over the measured time; the figures are in the last table.",
        across: Across::Seconds,
        unit: short,
        base: 10.0,
        may_be_logarithmic: false,
        mark: None,
        series,
    };
    page.push_str(&chart.figure());
    let chart = Chart {
        id: "open",
        title: "Open connections",
        description: "Connections that were open at the end of each second; the figures are in the last table.",
        series: vec![Series {
            name: "open",
            points: line(points, |point| Some(point.open as f64)),
        }],
        ..chart
    };
    page.push_str(&chart.figure());
}

pub fn latency_over_time(points: &[Point], page: &mut String) {
    let at = |quantile: f64| {
        line(points, |point| {
            let of = &point.record.latency;
            (!of.is_empty()).then(|| of.value_at_quantile(quantile) as f64 / 1e3)
        })
    };
    let chart = Chart {
        id: "latency",
        title: "Latency of each second",
        description: "Median, 99th percentile and maximum of each second's latencies; the figures are in the last table.",
        across: Across::Seconds,
        unit: latency,
        base: 10.0,
        may_be_logarithmic: true,
        mark: None,
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
    };
    page.push_str(&chart.figure());
}

/// A number on an axis.
pub fn short(number: f64) -> String {
    if number >= 10_000.0 {
        format!("{} k", significant(number / 1000.0).trim_end_matches(".0"))
    } else if number.fract() == 0.0 {
        count(number as u64)
    } else {
        significant(number)
    }
}

/// Latency by percentile, whose axis counts nines: what few operations had is as wide as what most had.
pub fn distribution(latencies: &Histogram<u64>, page: &mut String) {
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
    let chart = Chart {
        id: "distribution",
        title: "Latency by percentile",
        description: "The latency that so many percent of the operations did not exceed; the main percentiles are in a table.",
        across: Across::Nines,
        unit: latency,
        base: 10.0,
        may_be_logarithmic: true,
        mark: None,
        series: vec![Series {
            name: "latency",
            points,
        }],
    };
    page.push_str(&chart.figure());
}

/// What the server used, over the time in which it was looked at.
pub fn server(server: &ServerReport, page: &mut String) {
    let line = |value: fn(&Sample) -> f64| -> Vec<(f64, Option<f64>)> {
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::sample;

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

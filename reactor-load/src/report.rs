//! What a run has found, as `--json` writes it and every other output shows it. Times are seconds, unless they say otherwise.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::{
    record::Counts,
    run::{Finished, Interval},
};

/// Changes when a field gets another meaning or goes.
pub const FORMAT: u32 = 1;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    pub format: u32,
    pub settings: Settings,
    /// Begin of the measured time, since the Unix epoch.
    pub started_at: f64,
    /// The measured time, which Ctrl-C or a server's end may have made shorter than wanted.
    pub measured: f64,
    pub interrupted: bool,
    pub operations: Counts,
    /// Of connecting; empty where that is the operation itself.
    pub connections: Counts,
    pub latency: Option<Latency>,
    pub intervals: Vec<Second>,
    /// Where this program was the limit, not the server: sentences.
    pub limits: Vec<String>,
    /// Of `--server`.
    pub server: Option<ServerReport>,
    /// Sentences that a reader of the figures has to know.
    pub notes: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Settings {
    /// `echo`, `connect`, `hold`, `http` or `udp`.
    pub load: String,
    pub target: String,
    pub tls: bool,
    pub connections: u32,
    pub duration: f64,
    pub warmup: f64,
    pub ramp: f64,
    /// Bytes.
    pub size: u32,
    pub pipeline: u32,
    /// Operations a second of an open loop; a closed one without it.
    pub rate: Option<f64>,
    pub timeout: f64,
    pub threads: usize,
}

/// Microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    pub count: u64,
    pub mean: f64,
    pub deviation: f64,
    pub min: f64,
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub p99_9: f64,
    pub max: f64,
}

impl Latency {
    /// Of nanoseconds; nothing of nothing.
    pub fn of(histogram: &Histogram<u64>) -> Option<Self> {
        if histogram.is_empty() {
            return None;
        }
        let at = |quantile| histogram.value_at_quantile(quantile) as f64 / 1e3;
        Some(Self {
            count: histogram.len(),
            mean: histogram.mean() / 1e3,
            deviation: histogram.stdev() / 1e3,
            min: histogram.min() as f64 / 1e3,
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p99_9: at(0.999),
            max: histogram.max() as f64 / 1e3,
        })
    }
}

/// One second of the measured time; the last may be shorter.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Second {
    /// Since the begin of the measured time.
    pub at: f64,
    pub length: f64,
    pub operations: Counts,
    pub connections: Counts,
    /// Open connections at its end.
    pub open: u64,
    pub latency: Option<Latency>,
    /// By how much a timer of ours was late at most, in microseconds.
    pub lateness: f64,
    /// The share of a processor that our busiest thread used.
    pub busiest_thread: f64,
    /// The share of all processors of this machine that all our threads used.
    #[serde(default)]
    pub our_share: f64,
    /// The share of all processors of this machine that nobody used; nothing where the kernel does not tell.
    #[serde(default)]
    pub machine_idle: Option<f64>,
}

impl Second {
    pub fn of(interval: &Interval) -> Self {
        let length = interval.length.as_secs_f64();
        let busiest = interval.processor.iter().max().copied();
        let ours: Duration = interval.processor.iter().sum();
        Self {
            at: interval.from.as_secs_f64(),
            length,
            operations: interval.record.operations.clone(),
            connections: interval.record.connections.clone(),
            open: interval.open,
            latency: Latency::of(&interval.record.latency),
            lateness: microseconds(interval.record.lateness),
            busiest_thread: busiest.unwrap_or_default().as_secs_f64() / length,
            our_share: ours.as_secs_f64() / length / interval.processors as f64,
            machine_idle: interval.idle.map(|idle| {
                let all = length * interval.processors as f64;
                (idle.as_secs_f64() / all).min(1.0)
            }),
        }
    }
}

/// The server that was started and stopped, its descendants included.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ServerReport {
    pub command: String,
    /// How it ended, in words: `stopped (SIGTERM)`, `exit status 3 in the middle of the run`.
    pub ended: String,
    /// It ended before it was stopped.
    pub ended_early: bool,
    pub samples: Vec<Sample>,
    /// Resident memory without connections, and with the most of them, divided by their number; bytes.
    pub memory_a_connection: Option<f64>,
}

/// The server's processes at one moment, all together.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Sample {
    /// Since the begin of the measured time; negative before.
    pub at: f64,
    /// Processor time since the sample before, as a share of one processor; 2.0 is two whole ones.
    pub processors: f64,
    /// Resident set, bytes.
    pub rss: u64,
    pub threads: u64,
    pub descriptors: u64,
    /// Our open connections then.
    pub open: u64,
}

impl Report {
    /// A second's operations that were completed, over the whole measured time.
    pub fn throughput(&self) -> f64 {
        if self.measured > 0.0 {
            self.operations.completed as f64 / self.measured
        } else {
            0.0
        }
    }

    pub fn of(settings: Settings, started_at: f64, finished: &Finished) -> Self {
        Self {
            format: FORMAT,
            settings,
            started_at,
            measured: finished.measured.as_secs_f64(),
            interrupted: finished.interrupted,
            operations: finished.total.operations.clone(),
            connections: finished.total.connections.clone(),
            latency: Latency::of(&finished.total.latency),
            intervals: finished.intervals.iter().map(Second::of).collect(),
            limits: Vec::new(),
            server: None,
            notes: Vec::new(),
        }
    }

    /// Whether nothing failed, was lost or wrong.
    pub fn all_well(&self) -> bool {
        let server_well = self
            .server
            .as_ref()
            .is_none_or(|server| !server.ended_early);
        self.operations.all_well() && self.connections.all_well() && server_well
    }
}

pub fn microseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

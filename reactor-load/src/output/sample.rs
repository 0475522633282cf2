//! Made-up runs for the tests of what is written.

use std::time::Duration;

use crate::{
    record::Record,
    report::{Report, Sample, ServerReport, Settings},
    run::{Finished, Interval},
};

/// Numbers that look random, and are the same every time: xorshift.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound.max(1)
    }
}

/// One whose last answers came after its last second; its fifth second has none at all.
pub fn run(seconds: u64) -> (Report, Finished) {
    let mut random = Random::new(seconds);
    let mut total = Record::new();
    let intervals: Vec<Interval> = (0..seconds)
        .map(|second| {
            let mut record = Record::new();
            let operations = if second == 4 {
                0
            } else {
                1500 + random.below(500) as u64
            };
            some(&mut record, operations, &mut random);
            total.add(&record);
            Interval {
                from: Duration::from_secs(second),
                length: Duration::from_secs(1),
                record,
                open: 50,
                processor: vec![Duration::from_millis(300)],
                processors: 2,
                idle: None,
            }
        })
        .collect();
    let mut late = Record::new();
    some(&mut late, 20, &mut random);
    total.add(&late);
    total.connections.started = 50;
    total.connections.completed = 50;
    let finished = Finished {
        intervals,
        total,
        measured: Duration::from_secs(seconds),
        interrupted: false,
    };
    let settings = Settings {
        load: "echo".into(),
        target: "127.0.0.1:9000".into(),
        tls: false,
        connections: 50,
        duration: seconds as f64,
        warmup: 1.0,
        ramp: 0.0,
        size: 64,
        pipeline: 1,
        rate: None,
        timeout: 10.0,
        threads: 2,
    };
    (Report::of(settings, 1_700_000_000.25, &finished), finished)
}

fn some(record: &mut Record, operations: u64, random: &mut Random) {
    let counts = &mut record.operations;
    counts.started += operations;
    counts.completed += operations;
    counts.bytes_sent += 64 * operations;
    counts.bytes_received += 64 * operations;
    for _ in 0..operations {
        // Most are fast, some are not, few are slow.
        let slow = match random.below(200) {
            0 => 20_000_000,
            1..8 => 2_000_000,
            _ => 200_000,
        };
        let latency = 300_000 + random.below(slow) as u64;
        record.latency.record(latency).unwrap();
    }
}

/// With a server that works for it.
pub fn with_server(report: &mut Report, seconds: u64) {
    let mut random = Random::new(seconds + 1);
    let samples = (0..seconds + 2)
        .map(|number| Sample {
            at: number as f64 - 1.0,
            processors: if number == 0 {
                0.0
            } else {
                0.9 + random.below(20) as f64 / 100.0
            },
            rss: (30 << 20) + (number << 18),
            threads: 3,
            descriptors: if number == 0 { 8 } else { 58 },
            open: if number == 0 { 0 } else { 50 },
        })
        .collect();
    report.server = Some(ServerReport {
        command: "python3 server.py --name '<b>&amp;\"'".into(),
        ended: "stopped (SIGTERM)".into(),
        ended_early: false,
        samples,
        memory_a_connection: Some(12_345.6),
    });
}

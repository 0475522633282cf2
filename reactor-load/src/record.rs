//! What is counted: operations, how they ended, and how long they took.

use std::{
    collections::BTreeMap,
    fmt, io, mem,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// Three digits: a thousandth is far below what differs between two runs.
const DIGITS: u8 = 3;

/// Why an operation failed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failure {
    Refused,
    Reset,
    /// The server ended the connection before its answer was whole.
    ClosedEarly,
    /// The server ended a connection that was to stay.
    Closed,
    TimedOut,
    WrongBytes,
    /// EMFILE, ENFILE: here, not at the server.
    NoDescriptors,
    /// EADDRNOTAVAIL: every local port of every source is in use.
    NoPorts,
    Tls(String),
    Status(u16),
    Other(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused => f.write_str("connection refused"),
            Self::Reset => f.write_str("connection reset"),
            Self::ClosedEarly => f.write_str("closed before the answer"),
            Self::Closed => f.write_str("closed by the server"),
            Self::TimedOut => f.write_str("timed out"),
            Self::WrongBytes => f.write_str("wrong bytes"),
            Self::NoDescriptors => f.write_str("out of descriptors here"),
            Self::NoPorts => f.write_str("out of local ports"),
            Self::Tls(reason) => write!(f, "TLS: {reason}"),
            Self::Status(status) => write!(f, "status {status}"),
            Self::Other(reason) => f.write_str(reason),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(libc::EMFILE | libc::ENFILE) => return Self::NoDescriptors,
            Some(libc::EADDRNOTAVAIL) => return Self::NoPorts,
            _ => {}
        }
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused,
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Self::Reset,
            io::ErrorKind::UnexpectedEof => Self::ClosedEarly,
            io::ErrorKind::TimedOut => Self::TimedOut,
            _ => Self::Other(error.to_string()),
        }
    }
}

/// How operations ended. Over a whole run, `started` is the sum of `completed`, `failed` and `unfinished`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    pub started: u64,
    pub completed: u64,
    /// By reason.
    pub failed: BTreeMap<String, u64>,
    /// Had no answer when the run ended.
    pub unfinished: u64,
    /// Due in an open loop, and never begun, as those before had no answer. Not in `started`.
    pub not_sent: u64,
    pub bytes_sent: u64,
    pub bytes_received: u64,
}

impl Counts {
    pub fn failures(&self) -> u64 {
        self.failed.values().sum()
    }

    /// Whether all that was to happen has happened.
    pub fn all_well(&self) -> bool {
        self.failures() == 0 && self.unfinished == 0 && self.not_sent == 0
    }

    pub fn add(&mut self, other: &Self) {
        self.started += other.started;
        self.completed += other.completed;
        for (reason, count) in &other.failed {
            *self.failed.entry(reason.clone()).or_default() += count;
        }
        self.unfinished += other.unfinished;
        self.not_sent += other.not_sent;
        self.bytes_sent += other.bytes_sent;
        self.bytes_received += other.bytes_received;
    }
}

/// Counts, and the latency of what was completed, in nanoseconds.
#[derive(Clone, Debug)]
pub struct Record {
    pub operations: Counts,
    /// Of connecting, where that is not the operation itself.
    pub connections: Counts,
    pub latency: Histogram<u64>,
    /// By how much a timer of ours was late at most: what the latencies may owe to this program.
    pub lateness: Duration,
}

impl Record {
    pub fn new() -> Self {
        Self {
            operations: Counts::default(),
            connections: Counts::default(),
            latency: new_histogram(),
            lateness: Duration::ZERO,
        }
    }

    pub fn add(&mut self, other: &Self) {
        self.operations.add(&other.operations);
        self.connections.add(&other.connections);
        // Cannot fail: both grow by themselves.
        let _ = self.latency.add(&other.latency);
        self.lateness = self.lateness.max(other.lateness);
    }
}

/// One that grows with its values.
pub fn new_histogram() -> Histogram<u64> {
    Histogram::new(DIGITS)
        .unwrap_or_else(|_| unreachable!("a number of digits that the crate takes"))
}

/// One thread's part, which is taken from it now and then.
#[derive(Debug)]
pub struct Shard(Mutex<Record>);

impl Shard {
    pub fn new() -> Self {
        Self(Mutex::new(Record::new()))
    }

    /// What was recorded since the last call.
    pub fn take(&self) -> Record {
        mem::replace(&mut *self.lock(), Record::new())
    }

    /// Operations that were due, and that nobody will begin.
    pub fn not_sent(&self, number: u64) {
        self.lock().operations.not_sent += number;
    }

    /// By how much the thread's timers are late.
    pub fn lateness(&self, late: Duration) {
        let mut record = self.lock();
        record.lateness = record.lateness.max(late);
    }

    fn lock(&self) -> MutexGuard<'_, Record> {
        // Counts are whole between any two statements.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an operation is one of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Operation,
    Connection,
}

impl Kind {
    fn of(self, record: &mut Record) -> &mut Counts {
        match self {
            Self::Operation => &mut record.operations,
            Self::Connection => &mut record.connections,
        }
    }
}

/// One that has begun; unfinished, if nothing else is said before it is dropped.
#[derive(Debug)]
#[must_use]
pub struct Pending<'a> {
    shard: &'a Shard,
    kind: Kind,
    /// Within the time that is measured. Else it is only counted if it does not go well, which nobody wants to miss.
    counted: bool,
    due: Instant,
    ended: bool,
}

impl<'a> Pending<'a> {
    /// Latency counts from `due`, which was a moment ago, or before if we are late.
    pub fn begin(shard: &'a Shard, kind: Kind, counted: bool, due: Instant) -> Self {
        if counted {
            kind.of(&mut shard.lock()).started += 1;
        }
        Self {
            shard,
            kind,
            counted,
            due,
            ended: false,
        }
    }

    pub fn complete(mut self, sent: u64, received: u64) {
        let took = self.due.elapsed();
        let kind = self.kind;
        self.end(|record| {
            let counts = kind.of(record);
            counts.completed += 1;
            counts.bytes_sent += sent;
            counts.bytes_received += received;
            if kind == Kind::Operation {
                let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
                // Cannot fail: it grows by itself.
                let _ = record.latency.record(nanoseconds);
            }
        });
    }

    pub fn fail(mut self, failure: &Failure) {
        self.count_anyway();
        let kind = self.kind;
        self.end(|record| {
            let failed = &mut kind.of(record).failed;
            *failed.entry(failure.to_string()).or_default() += 1;
        });
    }

    /// What did not go well is counted whenever it began.
    fn count_anyway(&mut self) {
        if !self.counted {
            self.counted = true;
            self.kind.of(&mut self.shard.lock()).started += 1;
        }
    }

    fn end(&mut self, count: impl FnOnce(&mut Record)) {
        self.ended = true;
        if self.counted {
            count(&mut self.shard.lock());
        }
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        if !self.ended {
            // Else a server that takes no connection from the beginning on would not be seen.
            self.count_anyway();
            let kind = self.kind;
            self.end(|record| kind.of(record).unfinished += 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One operation, which `end` ends or drops.
    fn counts(counted: bool, end: impl FnOnce(Pending<'_>)) -> Counts {
        let shard = Shard::new();
        end(Pending::begin(
            &shard,
            Kind::Operation,
            counted,
            Instant::now(),
        ));
        shard.take().operations
    }

    #[test]
    fn what_goes_well_is_counted_in_the_measured_time_only() {
        let well = |counted| counts(counted, |operation| operation.complete(3, 5));
        let counted = well(true);
        assert_eq!((counted.started, counted.completed), (1, 1));
        assert_eq!((counted.bytes_sent, counted.bytes_received), (3, 5));
        assert!(counted.all_well());
        assert_eq!(well(false), Counts::default());
    }

    #[test]
    fn what_does_not_go_well_is_counted_at_any_time() {
        for counted in [true, false] {
            let failed = counts(counted, |operation| operation.fail(&Failure::Reset));
            assert_eq!((failed.started, failed.failures()), (1, 1), "{counted}");
            let dropped = counts(counted, |operation| drop(operation));
            assert_eq!((dropped.started, dropped.unfinished), (1, 1), "{counted}");
            assert!(!failed.all_well() && !dropped.all_well());
        }
    }
}

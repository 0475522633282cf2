//! One run: from its first connection to its last count.

use std::{
    future::Future,
    rc::Rc,
    thread,
    time::{Duration, Instant},
};

use tokio::time;

use crate::{
    interrupt, processor_time,
    record::Record,
    workers::{self, Running, Schedule, Stop, Worker},
};

/// How often is counted.
pub const SECOND: Duration = Duration::from_secs(1);

/// How often the end of the threads is looked for.
const LOOK: Duration = Duration::from_millis(20);

/// What happened in one second of the measured time, or in what was left of it.
#[derive(Debug)]
pub struct Interval {
    /// Since the begin of the measured time.
    pub from: Duration,
    pub length: Duration,
    pub record: Record,
    /// Connections that were open at its end.
    pub open: u64,
    /// The processor time of each of our threads meanwhile.
    pub processor: Vec<Duration>,
    /// Of this machine.
    pub processors: usize,
    /// What all of them had left meanwhile, if the kernel tells.
    pub idle: Option<Duration>,
}

/// A run that is over.
#[derive(Debug)]
pub struct Finished {
    pub intervals: Vec<Interval>,
    /// All intervals together, and what came after the last.
    pub total: Record,
    /// The time that was measured.
    pub measured: Duration,
    /// Ctrl-C ended it.
    pub interrupted: bool,
}

/// Hears of each second, and may end the run.
pub trait Observer {
    /// Many times a second, until the run is over: so many connections are open.
    fn look(&mut self, open: u64);

    /// While connections are opened, and before it is measured.
    fn warming(&mut self, open: u64);

    fn second(&mut self, interval: &Interval);

    /// Asked many times a second: whether to go on is in vain, as the server has ended.
    fn is_in_vain(&mut self) -> bool;
}

/// Runs `connection` for each connection until the time is over or Ctrl-C (or SIGTERM) comes.
///
/// # Errors
///
/// If a thread or an event loop cannot be had.
pub async fn run<F, C>(
    threads: usize,
    connections: u32,
    schedule: Schedule,
    observer: &mut dyn Observer,
    connection: C,
) -> Result<Finished, String>
where
    F: Future<Output = ()> + 'static,
    C: Fn(Rc<Worker>, u32) -> F + Clone + Send + 'static,
{
    let stop = Stop::new();
    let running = workers::start(threads, connections, schedule, &stop, connection)
        .map_err(|error| format!("threads for the load: {error}"))?;
    let mut measured = Measured::new(&running, schedule.measured_from);
    let mut interrupted = false;
    let mut interrupt = Box::pin(interrupt::come());
    let mut looks = time::interval(LOOK);
    while !running.iter().all(|worker| worker.thread.is_finished()) {
        tokio::select! {
            _ = looks.tick() => {}
            // Only once: a future that has ended is not asked again. A second Ctrl-C while connections end changes nothing.
            _ = &mut interrupt, if !interrupted => {
                interrupted = true;
                stop.stop();
                measured.until(Instant::now().min(schedule.until), observer);
            }
        }
        if !stop.is_stopped() && observer.is_in_vain() {
            stop.stop();
            measured.until(Instant::now().min(schedule.until), observer);
        }
        if !stop.is_stopped() {
            let now = Instant::now().min(schedule.until);
            if now < schedule.until {
                measured.open = measured.open_now();
                observer.look(measured.open);
            }
            if now < schedule.measured_from {
                measured.warm();
                observer.warming(measured.open);
            } else if now >= measured.from + SECOND || now == schedule.until {
                measured.until(now, observer);
            }
        }
    }
    if !stop.is_stopped() {
        // Connections may all have ended for good, before the time is over.
        measured.until(Instant::now().min(schedule.until), observer);
    }
    Ok(measured.finish(interrupted))
}

/// The figures of the threads, as they come.
struct Measured<'a> {
    running: &'a [Running],
    begin: Instant,
    /// Up to here they are taken.
    from: Instant,
    processor: Vec<Duration>,
    processors: usize,
    idle: Option<Duration>,
    /// Connections that were open when it was looked last, before they ended with the run.
    open: u64,
    intervals: Vec<Interval>,
    total: Record,
}

impl<'a> Measured<'a> {
    fn new(running: &'a [Running], begin: Instant) -> Self {
        Self {
            running,
            begin,
            from: begin,
            processor: processor(running),
            processors: thread::available_parallelism().map_or(1, usize::from),
            idle: processor_time::idle(),
            open: 0,
            intervals: Vec::new(),
            total: Record::new(),
        }
    }

    /// What is used before the measured time does not count.
    fn warm(&mut self) {
        self.processor = processor(self.running);
        // The kernel takes long to say it on a large machine.
        if self.begin.saturating_duration_since(Instant::now()) <= 2 * LOOK {
            self.idle = processor_time::idle();
        }
    }

    fn open_now(&self) -> u64 {
        self.running.iter().map(|worker| worker.gauges.open()).sum()
    }

    fn take(&self) -> Record {
        let mut record = Record::new();
        for worker in self.running {
            record.add(&worker.shard.take());
        }
        record
    }

    /// Ends an interval, if there is any.
    fn until(&mut self, now: Instant, observer: &mut dyn Observer) {
        if now <= self.from {
            return;
        }
        let (before, after) = (std::mem::take(&mut self.processor), processor(self.running));
        let idle = processor_time::idle();
        let interval = Interval {
            from: self.from - self.begin,
            length: now - self.from,
            record: self.take(),
            open: self.open,
            processor: after
                .iter()
                .zip(before)
                .map(|(after, before)| after.saturating_sub(before))
                .collect(),
            processors: self.processors,
            idle: idle
                .zip(self.idle)
                .map(|(idle, before)| idle.saturating_sub(before)),
        };
        self.idle = idle;
        self.processor = after;
        self.from = now;
        self.total.add(&interval.record);
        observer.second(&interval);
        self.intervals.push(interval);
    }

    fn finish(mut self, interrupted: bool) -> Finished {
        let late = self.take();
        self.total.add(&late);
        Finished {
            intervals: self.intervals,
            total: self.total,
            measured: self.from - self.begin,
            interrupted,
        }
    }
}

fn processor(running: &[Running]) -> Vec<Duration> {
    running
        .iter()
        .map(|worker| worker.gauges.processor())
        .collect()
}

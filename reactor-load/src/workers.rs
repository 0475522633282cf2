//! The threads that make the load: each has an event loop of its own and its share of the connections.

use std::{
    future::Future,
    io,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use tokio::{
    runtime,
    sync::{Semaphore, SemaphorePermit, watch},
    task::{JoinSet, LocalSet},
    time::{self, sleep_until},
};

use crate::{
    processor_time,
    record::{Kind, Pending, Shard},
};

/// How long answers are waited for when the time is over.
const GRACE: Duration = Duration::from_secs(2);

/// How often a thread looks at itself.
const BEAT: Duration = Duration::from_millis(50);

/// Connections that one thread opens at the same time. A listener's queue is far shorter than what a run may want at once, and what
/// does not fit waits for seconds until the kernel tries again.
const CONNECTING: usize = 256;

/// A failed connection is tried again after this, and after twice as long each time, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// When the parts of a run begin and end.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    pub begin: Instant,
    pub measured_from: Instant,
    pub until: Instant,
    /// Over which connections are opened.
    pub ramp: Duration,
}

impl Schedule {
    pub fn new(begin: Instant, ramp: Duration, warmup: Duration, duration: Duration) -> Self {
        let measured_from = begin + ramp + warmup;
        Self {
            begin,
            measured_from,
            until: measured_from + duration,
            ramp,
        }
    }

    fn measures(&self, time: Instant) -> bool {
        (self.measured_from..self.until).contains(&time)
    }
}

/// Ends a run early.
#[derive(Clone, Debug)]
pub struct Stop(watch::Sender<bool>);

impl Stop {
    pub fn new() -> Self {
        Self(watch::Sender::new(false))
    }

    pub fn stop(&self) {
        self.0.send_replace(true);
    }

    pub fn is_stopped(&self) -> bool {
        *self.0.borrow()
    }

    async fn stopped(&self) {
        let _ = self.0.subscribe().wait_for(|stopped| *stopped).await;
    }
}

/// What one thread tells the others.
#[derive(Debug)]
pub struct Gauges {
    /// Connections that are open.
    open: AtomicI64,
    /// Its processor time, in nanoseconds.
    processor: AtomicU64,
}

impl Gauges {
    pub fn open(&self) -> u64 {
        u64::try_from(self.open.load(Ordering::Relaxed)).unwrap_or_default()
    }

    pub fn processor(&self) -> Duration {
        Duration::from_nanos(self.processor.load(Ordering::Relaxed))
    }
}

/// A connection that is open, for as long as it lives.
pub struct Open<'a>(&'a Gauges);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What a connection has of its thread.
pub struct Worker {
    pub shard: Arc<Shard>,
    pub schedule: Schedule,
    gauges: Arc<Gauges>,
    stop: Stop,
    connecting: Semaphore,
}

impl Worker {
    /// Whether nothing new is to begin.
    pub fn is_over(&self) -> bool {
        self.now().is_none()
    }

    /// The time, unless nothing new is to begin. What begins then is within the run, whenever it is looked again.
    pub fn now(&self) -> Option<Instant> {
        let now = Instant::now();
        (now < self.schedule.until && !self.stop.is_stopped()).then_some(now)
    }

    /// An operation that was due at `due`; counted if that is in the time that is measured.
    pub fn begin(&self, kind: Kind, due: Instant) -> Pending<'_> {
        let counted = self.schedule.measures(due) && !self.stop.is_stopped();
        Pending::begin(&self.shard, kind, counted, due)
    }

    /// One that is counted whenever it begins, as there is one of it only: a connection that stays.
    pub fn begin_lasting(&self, kind: Kind) -> Pending<'_> {
        Pending::begin(&self.shard, kind, true, Instant::now())
    }

    /// Waits until few enough other connections of the thread are being opened, and counts as one of them until what it returns is
    /// dropped.
    pub async fn turn_to_connect(&self) -> Option<SemaphorePermit<'_>> {
        // Cannot fail: nobody closes it.
        self.connecting.acquire().await.ok()
    }

    /// Counts one more open connection, until what it returns is dropped.
    pub fn opened(&self) -> Open<'_> {
        self.gauges.open.fetch_add(1, Ordering::Relaxed);
        Open(&self.gauges)
    }

    /// Ends when nothing new is to begin.
    pub async fn over(&self) {
        tokio::select! {
            () = sleep_until(self.schedule.until.into()) => {}
            () = self.stop.stopped() => {}
        }
    }

    /// False when the run ends first. A time within the run is waited for, even if the timer is late and the run over by then.
    pub async fn sleep_until(&self, time: Instant) -> bool {
        if time >= self.schedule.until {
            self.over().await;
            return false;
        }
        if time <= Instant::now() {
            return !self.is_over();
        }
        tokio::select! {
            () = sleep_until(time.into()) => !self.stop.is_stopped(),
            () = self.stop.stopped() => false,
        }
    }
}

/// The pauses between attempts that fail.
pub struct Backoff(Duration);

impl Backoff {
    pub fn new() -> Self {
        Self(FIRST_PAUSE)
    }

    pub fn reset(&mut self) {
        self.0 = FIRST_PAUSE;
    }

    /// False when the run ends first.
    pub async fn pause(&mut self, worker: &Worker) -> bool {
        let pause = self.0;
        self.0 = (pause * 2).min(LONGEST_PAUSE);
        worker.sleep_until(Instant::now() + pause).await
    }
}

/// A thread at work.
pub struct Running {
    pub shard: Arc<Shard>,
    pub gauges: Arc<Gauges>,
    pub thread: thread::JoinHandle<()>,
}

/// Starts `threads` threads, which run `connection` for each of so many connections, by its number.
///
/// # Errors
///
/// If a thread or its event loop cannot be had.
pub fn start<F, C>(
    threads: usize,
    connections: u32,
    schedule: Schedule,
    stop: &Stop,
    connection: C,
) -> io::Result<Vec<Running>>
where
    F: Future<Output = ()> + 'static,
    C: Fn(Rc<Worker>, u32) -> F + Clone + Send + 'static,
{
    let threads = threads.clamp(1, connections.max(1) as usize);
    (0..threads)
        .map(|first| {
            let shard = Arc::new(Shard::new());
            let gauges = Arc::new(Gauges {
                open: AtomicI64::new(0),
                processor: AtomicU64::new(0),
            });
            let runtime = runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            let (mine, shown) = (Arc::clone(&shard), Arc::clone(&gauges));
            let (stop, connection) = (stop.clone(), connection.clone());
            let work = move || {
                let numbers = (first as u32..connections).step_by(threads);
                let worker = Rc::new(Worker {
                    shard: mine,
                    schedule,
                    gauges: shown,
                    stop,
                    connecting: Semaphore::new(CONNECTING),
                });
                LocalSet::new().block_on(&runtime, run(worker, connections, numbers, connection));
            };
            let thread = thread::Builder::new()
                .name(format!("load-{first}"))
                .spawn(work)?;
            Ok(Running {
                shard,
                gauges,
                thread,
            })
        })
        .collect()
}

async fn run<F, C>(worker: Rc<Worker>, all: u32, numbers: impl Iterator<Item = u32>, connection: C)
where
    F: Future<Output = ()> + 'static,
    C: Fn(Rc<Worker>, u32) -> F,
{
    let mut connections = JoinSet::new();
    let Schedule { begin, ramp, .. } = worker.schedule;
    for number in numbers {
        let share = f64::from(number) / f64::from(all.max(1));
        let (task, opening) = (Rc::clone(&worker), begin + ramp.mul_f64(share));
        let connection = connection(Rc::clone(&worker), number);
        connections.spawn_local(async move {
            if task.sleep_until(opening).await {
                connection.await;
            }
        });
    }
    let all_ended = async { while connections.join_next().await.is_some() {} };
    let over = async {
        worker.over().await;
        time::sleep(GRACE).await;
    };
    tokio::select! {
        () = all_ended => {}
        () = over => {}
        () = watch_itself(&worker) => {}
    }
    // What is left is unfinished, and counts itself so.
}

/// Tells how much processor time this thread uses, and by how much its timers are late. Does not end.
async fn watch_itself(worker: &Worker) {
    let mut next = Instant::now();
    loop {
        let used = processor_time::of_thread();
        let used = u64::try_from(used.as_nanos()).unwrap_or(u64::MAX);
        worker.gauges.processor.store(used, Ordering::Relaxed);
        next += BEAT;
        sleep_until(next.into()).await;
        let late = next.elapsed();
        worker.shard.lateness(late);
        next += late;
    }
}

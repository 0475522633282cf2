//! A load from its command line to its report.

use std::{
    thread,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use tokio::runtime;

use crate::{
    bottleneck,
    cli::{Command, Load},
    interrupt, limits,
    loads::{self, Prepared},
    output::progress::Progress,
    report::{Report, Settings},
    run::{self, Finished, Interval, Observer},
    server::{Server, Start},
    start_at,
    target::Target,
    workers::Schedule,
};

/// Why there is no report.
#[derive(Debug)]
pub enum Failed {
    /// What was asked for makes no sense, or is not allowed.
    Arguments(String),
    /// It could not begin.
    Begin(String),
    /// Ctrl-C or SIGTERM came before there was anything to report.
    Interrupted,
}

/// A run and what it found; the histograms are in the first only.
pub struct Outcome {
    pub finished: Finished,
    pub report: Report,
}

/// Runs one load.
///
/// # Errors
///
/// If it could not begin.
pub fn execute(command: &Command, load: &Load) -> Result<Outcome, Failed> {
    // The load has threads of its own: this one only counts.
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failed::Begin(format!("event loop: {error}")))?;
    runtime.block_on(with_server(command, load))
}

async fn with_server(command: &Command, load: &Load) -> Result<Outcome, Failed> {
    loads::check(command).map_err(Failed::Arguments)?;
    limits::allow_descriptors(load.connections).map_err(Failed::Begin)?;
    let Some(shell) = &load.server else {
        let text = load.target.as_deref();
        let text = text.ok_or_else(|| Failed::Arguments("no TARGET, and no --server".into()))?;
        let target = Target::parse(text).map_err(Failed::Arguments)?;
        if !target.is_local() && !load.i_own_this_target {
            return Err(Failed::Arguments(format!(
                "{} is another machine: --i-own-this-target says that you may load it",
                target.place
            )));
        }
        return run_load(command, load, &target, None).await;
    };
    if load.target.is_some() {
        return Err(Failed::Arguments(
            "a TARGET and --server: one of them".into(),
        ));
    }
    let start = Start {
        unix: load.unix,
        datagrams: matches!(command, Command::Udp(_)),
        within: load.start_timeout,
    };
    let server = tokio::select! {
        server = Server::start(shell, start) => server,
        () = interrupt::come() => return Err(Failed::Interrupted),
    };
    let mut server = server.map_err(Failed::Begin)?;
    let target = server.target().clone();
    let outcome = run_load(command, load, &target, Some(&mut server)).await;
    let (ended, last_lines) = server.stop().await;
    let note = ended
        .ended_early
        .then(|| format!("the server ended: {}{last_lines}", ended.ended));
    let mut outcome = match (outcome, &note) {
        (Err(Failed::Begin(reason)), Some(note)) => {
            return Err(Failed::Begin(format!("{reason}; {note}")));
        }
        (outcome, _) => outcome?,
    };
    outcome.report.notes.extend(note);
    outcome.report.server = Some(ended);
    Ok(outcome)
}

/// Follows a run: shows it, and samples the server.
struct Follow<'a> {
    progress: Progress,
    server: Option<&'a mut Server>,
    measured_from: Instant,
    next_sample: Instant,
}

impl Follow<'_> {
    /// Once a second.
    fn sample(&mut self, open: u64) {
        let now = Instant::now();
        if now < self.next_sample {
            return;
        }
        self.next_sample = now + run::SECOND;
        let at = match now.checked_duration_since(self.measured_from) {
            Some(since) => since.as_secs_f64(),
            None => -(self.measured_from - now).as_secs_f64(),
        };
        if let Some(server) = &mut self.server {
            server.sample(at, open);
        }
    }
}

impl Observer for Follow<'_> {
    fn look(&mut self, open: u64) {
        self.sample(open);
    }

    fn warming(&mut self, open: u64) {
        self.progress.warming(open);
    }

    fn second(&mut self, interval: &Interval) {
        self.progress.second(interval);
    }

    fn is_in_vain(&mut self) -> bool {
        let server = self.server.as_mut();
        server.is_some_and(|server| server.has_ended().is_some())
    }
}

async fn run_load(
    command: &Command,
    load: &Load,
    target: &Target,
    mut server: Option<&mut Server>,
) -> Result<Outcome, Failed> {
    let threads = load.threads.map_or_else(
        || thread::available_parallelism().map_or(1, usize::from),
        usize::from,
    );
    if let Some(server) = &mut server {
        // Without connections.
        server.sample(-(load.ramp + load.warmup).as_secs_f64(), 0);
    }
    let prepared = tokio::select! {
        prepared = Prepared::new(command, target) => prepared?,
        () = interrupt::come() => return Err(Failed::Interrupted),
    };
    if let Some(time) = load.start_at {
        start_at::wait(time).await?;
    }
    let begin = Instant::now();
    let schedule = Schedule::new(begin, load.ramp, load.warmup, load.duration);
    let measured_from = SystemTime::now() + (schedule.measured_from - begin);
    let mut follow = Follow {
        progress: Progress::new(load, &schedule),
        server,
        measured_from: schedule.measured_from,
        // In the middle of seconds: at the end of the last one connections end.
        next_sample: begin + run::SECOND / 2,
    };
    let finished = prepared
        .run(threads, load.connections, schedule, &mut follow)
        .await;
    follow.progress.finish();
    let (finished, notes) = finished.map_err(Failed::Begin)?;
    let settings = settings(command, load, target, threads);
    let started_at = measured_from
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs_f64();
    let mut report = Report::of(settings, started_at, &finished);
    report.notes = notes;
    report.limits = bottleneck::limits(&report);
    Ok(Outcome { finished, report })
}

fn settings(command: &Command, load: &Load, target: &Target, threads: usize) -> Settings {
    Settings {
        load: command.name().into(),
        target: target.place.to_string(),
        tls: target.tls || load.tls,
        connections: load.connections,
        duration: load.duration.as_secs_f64(),
        warmup: load.warmup.as_secs_f64(),
        ramp: load.ramp.as_secs_f64(),
        size: load.size,
        pipeline: load.pipeline,
        rate: load.rate,
        timeout: load.timeout.as_secs_f64(),
        threads,
    }
}

//! Holds `rustpython_reactor::dns` against the C library: the same questions, in the same process, on many made-up
//! machines.
//!
//! `cargo test -p dns-differential` runs all of it. Each machine ("configuration") is a child process in a network and a
//! mount namespace of its own, with hickory-server on its loopback addresses and an `/etc` of its own.
//!
//! Environment: `SEED` for other questions; `JOBS` for the number of configurations at a time (2); `ONLY` for the
//! configurations whose name contains a text, and `ASK` for the questions that do; `VERBOSE` for a line a configuration;
//! `TRACE` for a line a question, and one for each that reaches a server.

mod c_library;
mod changes;
mod child;
mod compare;
mod configurations;
mod crate_side;
mod namespace;
mod odd_names;
mod outcome;
mod query;
mod random;
mod server;
mod zone;

use std::{
    env,
    process::{Command, ExitCode, Output, Stdio},
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Instant,
};

use compare::Counts;
use configurations::Configuration;

/// Set for a child: the number of its configuration.
const CHILD: &str = "DNS_DIFFERENTIAL_CHILD";

const SEED: u64 = 20_260_101;

#[derive(Default)]
struct Summary {
    counts: Counts,
    configurations: usize,
    /// Names of those whose process failed.
    broken: Vec<String>,
}

fn main() -> ExitCode {
    let seed = number("SEED").unwrap_or(SEED);
    if let Some(index) = number(CHILD) {
        return child::run(index as usize, seed);
    }
    let only = env::var("ONLY").unwrap_or_default();
    let list = configurations::all();
    let chosen: Vec<_> = list
        .iter()
        .enumerate()
        .filter(|(_, configuration)| configuration.name.contains(&only))
        .collect();
    println!("seed {seed}, {} configurations", chosen.len());
    let started = Instant::now();
    let next = AtomicUsize::new(0);
    let skipped = AtomicBool::new(false);
    let summary = Mutex::new(Summary::default());
    thread::scope(|scope| {
        for _ in 0..number("JOBS").unwrap_or(2).max(1) {
            scope.spawn(|| {
                while let Some((index, configuration)) =
                    chosen.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    let output = start(*index, seed, configuration);
                    let mut summary = summary.lock().unwrap_or_else(PoisonError::into_inner);
                    take(configuration, output, &mut summary, &skipped);
                }
            });
        }
    });
    let summary = summary.into_inner().unwrap_or_else(PoisonError::into_inner);
    if skipped.load(Ordering::Relaxed) && summary.configurations == 0 {
        println!("skipped: this machine does not let the test make its namespaces");
        return ExitCode::SUCCESS;
    }
    report(&summary, started)
}

/// Whether everything that is asked is to be told.
fn tracing() -> bool {
    static TRACING: OnceLock<bool> = OnceLock::new();
    *TRACING.get_or_init(|| env::var_os("TRACE").is_some())
}

fn number(name: &str) -> Option<u64> {
    env::var(name).ok()?.parse().ok()
}

fn start(index: usize, seed: u64, configuration: &Configuration) -> std::io::Result<Output> {
    let mut command = Command::new(env::current_exe()?);
    for name in [
        "LOCALDOMAIN",
        "RES_OPTIONS",
        "HOSTALIASES",
        "RESOLV_HOST_CONF",
        "RESOLV_MULTI",
        "RESOLV_REORDER",
    ] {
        command.env_remove(name);
    }
    command
        .env(CHILD, index.to_string())
        .env("SEED", seed.to_string())
        .envs(configuration.environment.iter().copied())
        .stdin(Stdio::null())
        .output()
}

fn take(
    configuration: &Configuration,
    output: std::io::Result<Output>,
    summary: &mut Summary,
    skipped: &AtomicBool,
) {
    let output = match output {
        Ok(output) => output,
        Err(error) => {
            summary
                .broken
                .push(format!("{} ({error})", configuration.name));
            return;
        }
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let mut result = None;
    for line in text.lines() {
        match line.strip_prefix(child::RESULT) {
            Some(counts) => result = Counts::parse(counts),
            None => println!("{line}"),
        }
    }
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
    match result {
        Some(counts) if output.status.success() => {
            summary.counts.add(&counts);
            summary.configurations += 1;
            if env::var_os("VERBOSE").is_some() {
                println!(
                    "  {} queries, {} answered: {}",
                    counts.queries, counts.answered, configuration.name
                );
            }
        }
        _ if output.status.code() == Some(i32::from(child::SKIPPED)) => {
            skipped.store(true, Ordering::Relaxed)
        }
        _ => summary
            .broken
            .push(format!("{} ({})", configuration.name, output.status)),
    }
}

fn report(summary: &Summary, started: Instant) -> ExitCode {
    let Counts {
        queries,
        differences,
        allowed,
        unsteady,
        asynchronous,
        c_library,
        unknown,
        answered,
    } = summary.counts;
    for broken in &summary.broken {
        println!("BROKEN [{broken}]");
    }
    let way = format!("{asynchronous} by the async path / {c_library} by libc / {unknown} untold");
    println!(
        "{queries} queries, {} configurations, {differences} differences, {way}; {answered} with an answer, {allowed} allowed \
         differences, {unsteady} where libc contradicts itself, {} s",
        summary.configurations,
        started.elapsed().as_secs()
    );
    if differences == 0 && summary.broken.is_empty() && queries > 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

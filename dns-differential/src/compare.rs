//! One question to both sides, and what to make of the answers.

use std::{
    fmt,
    panic::{self, AssertUnwindSafe},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use tokio::runtime::Handle;

use crate::{
    c_library,
    crate_side::{self, Way},
    outcome::Outcome,
    query::{Ask, Query},
};

/// Longer than any side may take with the timeouts of the configurations.
const PATIENCE: Duration = Duration::from_secs(90);

/// How often, and for how long, a question is asked again that was answered differently.
const TIMES: usize = 20;
const ASKING_AGAIN: Duration = Duration::from_secs(2);

const NO_ANSWER: &str = "no answer in 90 s";

/// A difference that is known and has a reason.
pub struct Allowed {
    /// Part of the configuration's name; "" for all.
    pub configuration: &'static str,
    /// Part of the query's text.
    pub query: &'static str,
    pub reason: &'static str,
}

/// Every entry is named in the docs, too.
pub const ALLOWED: &[Allowed] = &[];

#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    pub queries: usize,
    pub differences: usize,
    pub allowed: usize,
    /// The C library itself gave different answers to the same question.
    pub unsteady: usize,
    pub asynchronous: usize,
    pub c_library: usize,
    pub unknown: usize,
    /// Answers that were no error; a run of errors only would show nothing.
    pub answered: usize,
}

impl Counts {
    pub fn add(&mut self, other: &Counts) {
        self.queries += other.queries;
        self.differences += other.differences;
        self.allowed += other.allowed;
        self.unsteady += other.unsteady;
        self.asynchronous += other.asynchronous;
        self.c_library += other.c_library;
        self.unknown += other.unknown;
        self.answered += other.answered;
    }

    /// The reverse of `Display`.
    pub fn parse(text: &str) -> Option<Self> {
        let numbers: Option<Vec<usize>> =
            text.split(' ').map(|number| number.parse().ok()).collect();
        let [
            queries,
            differences,
            allowed,
            unsteady,
            asynchronous,
            c_library,
            unknown,
            answered,
        ] = numbers?.try_into().ok()?;
        Some(Self {
            queries,
            differences,
            allowed,
            unsteady,
            asynchronous,
            c_library,
            unknown,
            answered,
        })
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            queries,
            differences,
            allowed,
            unsteady,
            asynchronous,
            c_library,
            unknown,
            answered,
        } = self;
        write!(
            f,
            "{queries} {differences} {allowed} {unsteady} {asynchronous} {c_library} {unknown} {answered}"
        )
    }
}

/// On a thread of its own: the C library reads its configuration and the environment once a thread.
fn ask_c_library(query: &Query) -> Outcome {
    let ask = query.ask.clone();
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let answer = match &ask {
            Ask::Resolve {
                host,
                service,
                hints,
            } => c_library::resolve(host.as_ref(), service.as_ref(), *hints),
            Ask::Names { address, flags } => c_library::names(address, *flags),
            Ask::HostByName { host, family } => c_library::host_by_name(host, *family),
            Ask::HostByAddress { address } => c_library::host_by_address(*address),
        };
        // Nobody waits any more if this fails.
        let _ = sender.send(answer);
    });
    receiver
        .recv_timeout(PATIENCE)
        .unwrap_or_else(|_| NO_ANSWER.to_string())
}

fn ask_crate(query: &Query, runtime: &Handle) -> Outcome {
    let answer = crate_side::answer(query.clone());
    if !query.on_tokio {
        // A panic is an answer like any other: wrong, and to be told with its question.
        let polling = AssertUnwindSafe(|| crate_side::block_on(answer, Instant::now() + PATIENCE));
        return match panic::catch_unwind(polling) {
            Ok(answer) => answer.unwrap_or_else(|| NO_ANSWER.to_string()),
            Err(_) => "panic".to_string(),
        };
    }
    let (sender, receiver) = mpsc::channel();
    let task = runtime.spawn(async move {
        let _ = sender.send(answer.await);
    });
    receiver.recv_timeout(PATIENCE).unwrap_or_else(|_| {
        task.abort();
        // A panic in the task drops the sender at once.
        "panic, or no answer in 90 s".to_string()
    })
}

/// Both answers: the C library's and the crate's.
pub fn ask_both(query: &Query, runtime: &Handle) -> (Outcome, Outcome) {
    if query.crate_first {
        let ours = ask_crate(query, runtime);
        (ask_c_library(query), ours)
    } else {
        (ask_c_library(query), ask_crate(query, runtime))
    }
}

pub fn compare(configuration: &str, query: &Query, runtime: &Handle) -> Counts {
    let mut counts = Counts {
        queries: 1,
        ..Counts::default()
    };
    let way = panic::catch_unwind(AssertUnwindSafe(|| crate_side::way(query)));
    match way.unwrap_or(Way::Unknown) {
        Way::Asynchronous => counts.asynchronous += 1,
        Way::CLibrary => counts.c_library += 1,
        Way::Unknown => counts.unknown += 1,
    }
    if crate::tracing() {
        eprintln!("[{configuration}] {}", query.text());
    }
    let (theirs, ours) = ask_both(query, runtime);
    if crate::tracing() {
        eprintln!("    libc:  {theirs}\n    crate: {ours}");
    }
    counts.answered += usize::from(theirs.starts_with("ok"));
    if theirs == ours {
        return counts;
    }
    // Only what the C library itself says at other times may differ: it is asked again to learn whether it does.
    let text = query.text();
    let mut times = 1;
    let mut different = 1;
    let until = Instant::now() + ASKING_AGAIN;
    while times < TIMES && (times < 3 || Instant::now() < until) {
        let (theirs_now, ours_now) = ask_both(query, runtime);
        times += 1;
        different += usize::from(theirs_now != ours_now);
        if theirs_now == ours {
            counts.unsteady += 1;
            println!(
                "UNSTEADY [{configuration}] {text}\n    libc:  {theirs}\n    also:  {theirs_now}"
            );
            return counts;
        }
    }
    let allowed = ALLOWED.iter().find(|allowed| {
        configuration.contains(allowed.configuration) && text.contains(allowed.query)
    });
    if let Some(allowed) = allowed {
        counts.allowed += 1;
        println!("ALLOWED [{configuration}] {text}: {}", allowed.reason);
        return counts;
    }
    counts.differences += 1;
    println!(
        "DIFFERENCE [{configuration}] {text} ({different} of {times} times)\n    libc:  {theirs}\n    crate: {ours}"
    );
    counts
}

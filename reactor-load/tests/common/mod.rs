//! Runs `reactor-load` against servers of the test, and reads what it reports.

// Each file of tests is a program of its own, and uses a part of this.
#![allow(dead_code)]

pub mod server;

use std::{
    fs,
    io::{self, Read, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_reactor-load");

/// After which what has to happen counts as never happening.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Waits until `condition` gives something.
pub fn wait_for<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(Instant::now() < end, "not within {DEADLINE:?}: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Says past the capture of the harness that a test showed nothing.
pub fn skip(what: &str) {
    // A closed standard error must not fail a test.
    let _ = writeln!(io::stderr(), "SKIPPED: {what}");
}

/// A path that no other test has.
pub fn scratch(name: &str) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let path = folder.join(format!("{}-{number}-{name}", std::process::id()));
    let _ = fs::remove_file(&path);
    path
}

/// The repository.
pub fn root() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().expect("a package in the repository")
}

/// How a run of `reactor-load` ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
    report: Option<Value>,
}

impl Ended {
    /// What `--json` wrote; its counts add up.
    pub fn report(&self) -> &Value {
        self.report
            .as_ref()
            .unwrap_or_else(|| panic!("no report: {self:#?}"))
    }

    pub fn has_report(&self) -> bool {
        self.report.is_some()
    }

    /// A number of the report, by its JSON pointer; 0 if it is not there.
    pub fn number(&self, pointer: &str) -> f64 {
        let value = self.report().pointer(pointer);
        value.and_then(Value::as_f64).unwrap_or_default()
    }

    pub fn count(&self, pointer: &str) -> u64 {
        let value = self.report().pointer(pointer);
        value.and_then(Value::as_u64).unwrap_or_default()
    }

    pub fn completed(&self) -> u64 {
        self.count("/operations/completed")
    }

    /// How many operations, or connections to make, failed for a reason.
    pub fn failed(&self, reason: &str) -> u64 {
        ["/operations/failed", "/connections/failed"]
            .iter()
            .filter_map(|counts| self.report().pointer(counts)?.get(reason)?.as_u64())
            .sum()
    }

    /// All went well, and something was done.
    pub fn assert_well(&self) -> &Self {
        assert_eq!(self.code, Some(0), "{self:#?}");
        assert!(self.completed() > 0, "{self:#?}");
        self
    }

    pub fn assert_code(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }
}

/// A run that goes on.
pub struct Running {
    child: Child,
    json: PathBuf,
}

impl Running {
    pub fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(PROGRAM);
        command.args(arguments);
        Self::start_as(command)
    }

    /// With a program in front, or another environment; `--json` is added.
    pub fn start_as(mut command: Command) -> Self {
        let json = scratch("report.json");
        let child = command
            .arg("--json")
            .arg(&json)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        Self { child, json }
    }

    pub fn signal(&self, signal: libc::c_int) {
        let pid = libc::pid_t::try_from(self.child.id()).expect("a process id");
        // SAFETY: takes no pointers; the process is our child, not waited for yet.
        assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
    }

    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("our child").is_some()
    }

    /// Its end; one that hangs is killed, and fails the test.
    pub fn end(mut self) -> Ended {
        // Read meanwhile: a full pipe would stop it.
        let out = read_all(self.child.stdout.take());
        let err = read_all(self.child.stderr.take());
        let begin = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("our child") {
                break status;
            }
            if begin.elapsed() > DEADLINE {
                let _ = self.child.kill();
                let _ = self.child.wait();
                panic!("it hangs: {}", err.join().unwrap_or_default());
            }
            thread::sleep(Duration::from_millis(5));
        };
        let report = fs::read_to_string(&self.json).ok().map(|text| {
            let _ = fs::remove_file(&self.json);
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
        });
        let ended = Ended {
            code: status.code(),
            out: out.join().unwrap_or_default(),
            err: err.join().unwrap_or_default(),
            report,
        };
        if let Some(report) = &ended.report {
            check_counts(report);
        }
        ended
    }
}

fn read_all(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// What has begun has ended in exactly one way, and the seconds are parts of the whole.
fn check_counts(report: &Value) {
    // `compare` and `merge` have other shapes.
    let Some(intervals) = report.get("intervals").and_then(Value::as_array) else {
        return;
    };
    for kind in ["operations", "connections"] {
        let counts = &report[kind];
        let number = |counts: &Value, name: &str| counts[name].as_u64().unwrap_or_default();
        let failed: u64 = counts["failed"]
            .as_object()
            .expect("reasons")
            .values()
            .filter_map(Value::as_u64)
            .sum();
        assert_eq!(
            number(counts, "started"),
            number(counts, "completed") + failed + number(counts, "unfinished"),
            "{kind} do not add up: {counts:#}"
        );
        for name in ["started", "completed", "bytes_sent", "bytes_received"] {
            let parts: u64 = intervals.iter().map(|part| number(&part[kind], name)).sum();
            assert!(
                parts <= number(counts, name),
                "{name} {kind}: {parts} in the seconds of {counts:#}"
            );
        }
    }
    let completed = report["operations"]["completed"].as_u64();
    let timed = report["latency"]["count"].as_u64();
    assert_eq!(
        timed.unwrap_or_default(),
        completed.unwrap_or_default(),
        "latencies of what was completed"
    );
}

/// Runs it to its end.
pub fn load(arguments: &[&str]) -> Ended {
    Running::start(arguments).end()
}

/// A short run without warm-up, which what is given may change.
pub fn quick(kind: &str, target: &str, more: &[&str]) -> Ended {
    let mut arguments = vec![kind, target, "--quiet"];
    for (option, value) in [
        ("--warmup", "0s"),
        ("--duration", "1s"),
        ("--connections", "4"),
    ] {
        if !more.contains(&option) {
            arguments.extend([option, value]);
        }
    }
    arguments.extend(more);
    load(&arguments)
}

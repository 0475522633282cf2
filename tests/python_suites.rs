//! Runs the Python suites of `tests/python` under `reactor-python`, one process a module.
//!
//! One at a time, since several of them measure delays; each under a time limit, so that a hang becomes a failure that
//! shows where every thread stood. Skipped tests are written to standard error even when everything passes: a suite that
//! found no CPython or no curl has shown less than it could.

#![cfg(feature = "cli")]

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// Held while a suite runs.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Between the interpreter's own report of a hang (`faulthandler`) and the kill from outside.
const GRACE: Duration = Duration::from_secs(20);

/// Where each thread of the process `pid` stands, as far as the kernel tells.
fn threads_of(pid: u32) -> String {
    let mut report = String::new();
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return report;
    };
    for task in tasks.flatten() {
        let read = |name: &str| {
            fs::read_to_string(task.path().join(name))
                .unwrap_or_default()
                .trim()
                .to_owned()
        };
        let stat = read("stat");
        let state = stat
            .rsplit_once(')')
            .and_then(|(_, rest)| rest.split_whitespace().next())
            .unwrap_or("?");
        report.push_str(&format!(
            "thread {} {}: state {state}, in {}, system call {}\n",
            task.file_name().to_string_lossy(),
            read("comm"),
            read("wchan"),
            read("syscall"),
        ));
    }
    report
}

/// The child's end, or `None` if it still ran at `limit`.
fn wait(child: &mut Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
    let end = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= end {
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// Writes past the test harness's capture, which hides the output of tests that pass.
fn announce(text: &str) {
    // A closed standard error must not fail a suite.
    let _ = writeln!(io::stderr(), "{text}");
}

/// Runs one module; panics with its output if a test fails or the limit is over. `polls` are microseconds that waits may poll
/// before they sleep, if not the default.
fn run_suite(module: &str, polls: Option<&str>, limit: Duration) {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python");
    // A file and not a pipe: a process that the suite left behind could hold a pipe open for ever.
    let name = format!("{module}{}.log", polls.unwrap_or_default());
    let log_path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let log = File::create(&log_path).expect("the log can be created");
    let mut child = Command::new(env!("CARGO_BIN_EXE_reactor-python"))
        // Forking a process with threads is what some suites are about: no warning of it.
        .args([
            "-W",
            "default",
            "-W",
            "ignore:This process:DeprecationWarning",
        ])
        .args(["-m", "unittest", "-v", module])
        .current_dir(&folder)
        .env("REACTOR_TEST_LIMIT", limit.as_secs().to_string())
        // Never skip what only ours does, even if the suites failed to recognise the interpreter.
        .env("REACTOR_TEST_ASSUME_OURS", "1")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .envs(polls.map(|polls| ("REACTOR_BUSY_POLL_US", polls)))
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("the log can be shared"))
        .stderr(log)
        .spawn()
        .expect("reactor-python starts");
    let begin = Instant::now();
    let status = wait(&mut child, limit + GRACE).expect("the child can be waited for");
    let mut hang = String::new();
    if status.is_none() {
        hang = threads_of(child.id());
        child.kill().expect("the child can be killed");
        child.wait().expect("the child can be reaped");
    }
    let output =
        String::from_utf8_lossy(&fs::read(&log_path).expect("the log can be read")).into_owned();
    for line in output.lines().filter(|line| line.contains("skipped ")) {
        announce(&format!("SKIPPED in {module}: {line}"));
    }
    let Some(status) = status else {
        panic!("{module} hung for {limit:?}\n{output}\n{hang}");
    };
    assert!(status.success(), "{module}: {status}\n{output}");
    // A module in which no test was found also exits with success on older versions of unittest.
    let ran = output.lines().find(|line| line.starts_with("Ran "));
    let count = ran
        .and_then(|line| line.split_whitespace().nth(1))
        .and_then(|count| count.parse::<u32>().ok());
    assert!(
        count.is_some_and(|count| count > 0),
        "{module} ran no tests\n{output}"
    );
    announce(&format!(
        "{module}: {} ({:?})",
        ran.unwrap_or_default(),
        begin.elapsed()
    ));
}

macro_rules! suites {
    ($($name:ident: $seconds:literal,)*; polling: $($polling:ident: $limit:literal,)*) => {
        $(
            #[test]
            fn $name() {
                run_suite(concat!("test_", stringify!($name)), None, Duration::from_secs($seconds));
            }
        )*
        /// What ends a wait, on threads that hardly ever sleep.
        mod polling {
            use super::*;

            $(
                #[test]
                fn $polling() {
                    let module = concat!("test_", stringify!($polling));
                    run_suite(module, Some("100000"), Duration::from_secs($limit));
                }
            )*
        }
    };
}

// Seconds until a hang is assumed: several times what a suite takes on two busy processors.
suites! {
    api: 100,
    constants: 100,
    start_up: 100,
    close_wakes: 300,
    descriptor_reuse: 300,
    names: 400,
    timeouts: 300,
    deadlines: 300,
    happy_eyeballs: 300,
    tls: 100,
    tls_modes: 200,
    tls_handshake: 200,
    tls_ends: 300,
    tls_lifetime: 200,
    tls_threads: 400,
    tls_stalls: 600,
    signals: 300,
    fork: 300,
    many_threads: 400,
    regressions: 100,
    behaviour: 200,
    ancillary: 200,
    message_buffers: 200,
    audit_events: 100,
    resource_warnings: 100,
    stock_gaps: 100,
    bad_input: 200,
    socket_data: 200,
    file_objects: 100,
    file_objects_over_sockets: 200,
    text_file_objects: 100,
    socket_type: 200,
    address_families: 200,
    datagram_addresses: 100,
    kernel_families: 400,
    bench_cases: 300,
    example_servers: 300,
    stdlib_programs: 600,
    tls_curl: 200,
    tls_openssl: 300,
    tls_stdlib_programs: 400,
    tls_pip: 900,
    busy_poll: 200,
    ;
    polling:
    close_wakes: 300,
    timeouts: 300,
    deadlines: 300,
    signals: 300,
    fork: 300,
}

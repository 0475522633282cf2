//! One module of the suites in a process of its own, under one interpreter.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use super::suites::Module;

/// How long a test may go on without an end. The slowest take some 20 s on two busy processors.
const TEST_LIMIT: Duration = Duration::from_secs(90);

/// The same for tests that are known not to end.
const HANG_LIMIT: Duration = Duration::from_secs(8);

/// How many hangs and crashes of a module are looked past.
const RESTARTS: usize = 8;

/// How often the results are looked at.
const POLL: Duration = Duration::from_millis(20);

/// What became of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    Pass,
    Skip,
    Fail,
    Error,
    /// The process ended in it.
    #[serde(skip)]
    Crash,
    /// It did not end within the limit.
    #[serde(skip)]
    Hang,
}

impl Outcome {
    pub fn is_failure(self) -> bool {
        !matches!(self, Self::Pass | Self::Skip)
    }
}

#[derive(Clone, Debug)]
pub struct Record {
    pub outcome: Outcome,
    /// In one line: the error, or why it was skipped.
    pub reason: String,
}

/// All that is known of a module under one interpreter.
#[derive(Default)]
pub struct Run {
    /// Why the module could not be imported, or did not want to be.
    pub refused: Option<Record>,
    pub records: BTreeMap<String, Record>,
    pub elapsed: Duration,
}

/// An interpreter, and how it is run.
pub struct Interpreter {
    pub program: PathBuf,
    /// The folder with nothing but `test`, for an interpreter that has no such package.
    pub test_folder: Option<PathBuf>,
    /// Where orders, results and output go.
    pub folder: PathBuf,
    /// `tests/conformance/run_module.py`.
    pub driver: PathBuf,
    /// Of the suites.
    pub version: String,
    pub enclosure: Enclosure,
}

/// What the driver is told.
#[derive(Serialize)]
struct Order<'a> {
    module: String,
    version: &'a str,
    take: &'a [&'a str],
    leave: Vec<&'a str>,
    resources: &'a [&'a str],
    results: &'a Path,
    test_folder: Option<&'a Path>,
}

/// One line of the driver's results.
#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Start {
        start: String,
    },
    Test {
        test: String,
        outcome: Outcome,
        reason: String,
    },
    Tests {
        tests: Vec<String>,
    },
    Refused {
        module: Outcome,
        reason: String,
    },
    End {
        #[serde(rename = "end")]
        _end: bool,
    },
}

/// Programs in front of an interpreter.
#[derive(Clone)]
pub struct Enclosure(Vec<&'static str>);

impl Enclosure {
    /// A network of its own with loopback only, if this machine permits it.
    pub fn new() -> Self {
        let words = vec![
            "unshare",
            "--user",
            "--map-root-user",
            "--net",
            "--mount",
            "sh",
            "-c",
            "ip link set lo up && exec \"$@\"",
            "sh",
        ];
        let works = Command::new(words[0])
            .args(&words[1..])
            .arg("true")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        if works {
            return Self(words);
        }
        eprintln!(
            "conformance: NOT ENCLOSED: no user and network namespaces here, or no unshare(1) and ip(8). The suites see this \
             machine's network."
        );
        Self(Vec::new())
    }

    fn command(&self, program: &Path) -> Command {
        match self.0.split_first() {
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(program);
                command
            }
            None => Command::new(program),
        }
    }
}

/// How a process of the driver ended.
enum End {
    Exit,
    Hang,
}

/// Whether a child has ended. It is not reaped, so its number stays its own.
fn has_ended(pid: libc::pid_t) -> io::Result<bool> {
    let id = libc::id_t::try_from(pid).map_err(io::Error::other)?;
    // SAFETY: zero is a valid value of each field, and waitid(2) leaves it if nothing has happened.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: fills in a valid structure.
    if unsafe { libc::waitid(libc::P_PID, id, &mut info, options) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: waitid(2) fills in the fields of SIGCHLD, or leaves all zero.
    Ok(unsafe { info.si_pid() } != 0)
}

/// Waits for the process, as long as its results grow.
fn watch(command: &mut Command, results: &Path, limit: Duration) -> io::Result<End> {
    let mut child = command.process_group(0).spawn()?;
    let pid = libc::pid_t::try_from(child.id()).map_err(io::Error::other)?;
    let mut size = 0;
    let mut changed = Instant::now();
    let end = loop {
        if has_ended(pid)? {
            break End::Exit;
        }
        let now = fs::metadata(results).map_or(0, |data| data.len());
        if now != size {
            size = now;
            changed = Instant::now();
        }
        // The first line comes when the module is imported, which is no test's time.
        let limit = if size == 0 { TEST_LIMIT } else { limit };
        if changed.elapsed() > limit {
            break End::Hang;
        }
        thread::sleep(POLL);
    };
    // What a suite left behind must not outlive it. The leader is not reaped yet, so this is still its group.
    // SAFETY: takes numbers only. The group has its leader at least.
    unsafe { libc::killpg(pid, libc::SIGKILL) };
    child.wait()?;
    Ok(end)
}

/// Which tests a process is to run, and how long each may go on.
struct Part<'a> {
    take: &'a [&'a str],
    leave: &'a [&'a str],
    limit: Duration,
}

impl Interpreter {
    /// Runs a module to its end, past tests that hang or crash. Those that fit `hanging` come last, and get a short time.
    pub fn run(&self, module: &Module, hanging: &[&str]) -> io::Result<Run> {
        let begin = Instant::now();
        let mut run = Run::default();
        let mut process = 0;
        let mut parts = vec![Part {
            take: module.take,
            leave: hanging,
            limit: TEST_LIMIT,
        }];
        if !hanging.is_empty() {
            parts.push(Part {
                take: hanging,
                leave: &[],
                limit: HANG_LIMIT,
            });
        }
        for part in &parts {
            for _ in 0..RESTARTS {
                process += 1;
                if self.run_process(module, part, process, &mut run)? {
                    break;
                }
            }
        }
        run.elapsed = begin.elapsed();
        Ok(run)
    }

    /// One process, for what `run` does not tell about yet. Whether there is nothing left to run.
    fn run_process(
        &self,
        module: &Module,
        part: &Part,
        number: u32,
        run: &mut Run,
    ) -> io::Result<bool> {
        let file = |kind: &str| self.folder.join(format!("{}.{number}.{kind}", module.name));
        let results = file("jsonl");
        File::create(&results)?;
        let done = run.records.keys().map(String::as_str);
        let order = Order {
            module: format!("test.{}", module.name),
            version: &self.version,
            take: part.take,
            leave: part.leave.iter().copied().chain(done).collect(),
            resources: module.resources,
            results: &results,
            test_folder: self.test_folder.as_deref(),
        };
        let order_path = file("order.json");
        fs::write(&order_path, serde_json::to_vec(&order)?)?;
        let scratch = TemporaryFolder::new()?;
        let log = File::create(file("log"))?;
        let mut command = self.enclosure.command(&self.program);
        command
            .arg(&self.driver)
            .arg(&order_path)
            .current_dir(&scratch.0)
            .env("TMPDIR", &scratch.0)
            // The installation's own cache of compiled files is left as it is.
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env_remove("PYTHONPATH")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        if let Some(folder) = &self.test_folder {
            // For the processes that tests start.
            command.env("PYTHONPATH", folder);
        }
        let end = watch(&mut command, &results, part.limit)?;
        Ok(run.take_in(&fs::read_to_string(&results)?, &end))
    }
}

impl Run {
    /// Adds the results of one process. Whether the module is done with.
    fn take_in(&mut self, lines: &str, end: &End) -> bool {
        let mut current = None;
        let mut begun = false;
        let mut complete = false;
        let mut all = Vec::new();
        for line in lines.lines() {
            match serde_json::from_str(line) {
                Ok(Line::Tests { tests }) => {
                    begun = true;
                    all = tests;
                }
                Ok(Line::Start { start }) => current = Some(start),
                Ok(Line::Test {
                    test,
                    outcome,
                    reason,
                }) => {
                    current = None;
                    self.records.insert(test, Record { outcome, reason });
                }
                Ok(Line::Refused { module, reason }) => {
                    self.refused = Some(Record {
                        outcome: module,
                        reason,
                    });
                    return true;
                }
                Ok(Line::End { .. }) => complete = true,
                // Half a line: the process was ended while it wrote.
                Err(_) => {}
            }
        }
        let (outcome, reason) = match end {
            End::Exit => (Outcome::Crash, "the process ended"),
            End::Hang => (Outcome::Hang, "no end within the time limit"),
        };
        let record = |reason: &str| Record {
            outcome,
            reason: reason.to_owned(),
        };
        if !begun {
            self.refused = Some(record(reason));
            return true;
        }
        if complete {
            if matches!(end, End::Hang) {
                self.records.insert(
                    "*exit*".into(),
                    record("all tests ended, the process did not"),
                );
            }
            return true;
        }
        match current {
            Some(test) => {
                self.records.insert(test, record(reason));
                false
            }
            None => {
                // In a fixture of a class or module: nobody knows which tests it is about.
                for test in all {
                    self.records
                        .entry(test)
                        .or_insert_with(|| record("not run: a fixture before it"));
                }
                true
            }
        }
    }
}

/// A folder for what tests write, removed at the end. Its name is short: paths of Unix sockets are limited to 107 bytes.
struct TemporaryFolder(PathBuf);

impl TemporaryFolder {
    fn new() -> io::Result<Self> {
        use std::sync::atomic::{AtomicU32, Ordering};

        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("rpr-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path)?;
        Ok(Self(path))
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        // What cannot be removed is the system's to clean: it is a folder for temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}

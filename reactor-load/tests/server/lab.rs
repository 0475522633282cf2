//! Programs under test, and what is left of them.

use std::{
    env,
    ffi::OsStr,
    fs,
    io::Read,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

/// Nothing here takes longer, on any machine.
const DEADLINE: Duration = Duration::from_secs(40);

pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let until = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < until, "in vain: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A Python for the servers; says so if there is none.
fn python() -> Option<String> {
    let named = env::var("REACTOR_PYTHON").ok();
    let found = named.into_iter().chain(["python3".into()]).find(|python| {
        let version = Command::new(python).arg("--version").output();
        version.is_ok_and(|output| output.status.success())
    });
    if found.is_none() {
        eprintln!("SKIPPED: neither $REACTOR_PYTHON nor python3 runs");
    }
    found
}

/// A directory of one test, for temporary files too.
pub struct Lab {
    directory: PathBuf,
    python: String,
}

impl Lab {
    /// Nothing without a Python.
    pub fn new() -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let python = python()?;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("load-test-{}-{number}", std::process::id());
        let directory = env::temp_dir().join(name);
        fs::create_dir(&directory).expect("a directory");
        Some(Self { directory, python })
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    fn events(&self) -> PathBuf {
        self.path("events")
    }

    /// A command that starts the server.
    pub fn server(&self, behaviour: &str) -> String {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/server/server.py");
        format!(
            "'{}' '{script}' '{}' {behaviour}",
            self.python,
            self.events().display()
        )
    }

    /// A command that tells the number of the shell that runs it, and then becomes another.
    pub fn told(&self, command: &str) -> String {
        format!(
            "echo process $$ >> '{}'; exec {command}",
            self.events().display()
        )
    }

    pub fn load<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Load {
        let child = Command::new(env!("CARGO_BIN_EXE_reactor-load"))
            .args(arguments)
            .env("TMPDIR", &self.directory)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("reactor-load");
        Load(child)
    }

    /// A short echo load on `server` that writes its report for [`Lab::report`].
    pub fn echo(&self, server: &str, options: &[&str]) -> Load {
        let report = self.path("report");
        let report = report.to_str().expect("UTF-8");
        let common = [
            "echo",
            "--server",
            server,
            "--json",
            report,
            "--connections",
            "20",
            "--warmup",
            "0s",
        ];
        self.load(&[&common, options].concat())
    }

    pub fn report(&self) -> Value {
        json(&self.path("report"))
    }

    pub fn wait_for(&self, event: &str) {
        wait_until(event, || {
            self.lines().iter().any(|line| line.starts_with(event))
        });
    }

    /// So that it can be waited for again.
    pub fn forget(&self, event: &str) {
        let mut left = self.lines();
        left.retain(|line| !line.starts_with(event));
        let text: String = left.iter().map(|line| format!("{line}\n")).collect();
        fs::write(self.events(), text).expect("the events");
    }

    fn lines(&self) -> Vec<String> {
        let text = fs::read_to_string(self.events()).unwrap_or_default();
        // The last may be half written.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(str::to_owned).collect()
    }

    /// That so many processes have told their numbers, and that none of them runs any more; nor is any directory left.
    pub fn assert_gone(&self, processes: usize) {
        let lines = self.lines();
        let told: Vec<&str> = lines
            .iter()
            .filter_map(|line| line.strip_prefix("process "))
            .collect();
        assert_eq!(told.len(), processes, "{lines:?}");
        for process in told {
            let runs = || {
                let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
                // Its parent may not have waited for it yet.
                !stat.is_empty() && !stat.contains(") Z ")
            };
            wait_until("the end of a process", || !runs());
        }
        let left = || {
            let mut entries = fs::read_dir(&self.directory).expect("the directory");
            entries.any(|entry| {
                let name = entry.expect("an entry").file_name();
                name.to_string_lossy().starts_with("reactor-load")
            })
        };
        wait_until("the end of a directory", || !left());
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// A reactor-load that runs; killed if a test fails meanwhile.
pub struct Load(Child);

impl Load {
    pub fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.0.id());
        let status = Command::new("sh").args(["-c", &kill]).status();
        assert!(status.expect("a shell").success());
    }

    /// Its status, if it ended by itself, and all that it wrote.
    pub fn end(self) -> (Option<i32>, String) {
        let (code, output, errors) = self.end_with_both();
        (code, output + &errors)
    }

    /// Its status, and its standard output only.
    pub fn end_with_output(self) -> (Option<i32>, String) {
        let (code, output, _) = self.end_with_both();
        (code, output)
    }

    fn end_with_both(mut self) -> (Option<i32>, String, String) {
        // Meanwhile, as a pipe that is full would keep it from ending.
        let output = read(self.0.stdout.take().expect("a pipe"));
        let errors = read(self.0.stderr.take().expect("a pipe"));
        wait_until("the end of reactor-load", || {
            self.0.try_wait().expect("a status").is_some()
        });
        let code = self.0.wait().expect("a status").code();
        let text = |reader: thread::JoinHandle<String>| reader.join().expect("text");
        (code, text(output), text(errors))
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn read(mut pipe: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut text = String::new();
        pipe.read_to_string(&mut text).expect("text");
        text
    })
}

pub fn json(file: &Path) -> Value {
    let text = fs::read_to_string(file).expect("a report");
    serde_json::from_str(&text).expect("JSON")
}

/// That nothing was lost in counting.
pub fn assert_adds_up(report: &Value) {
    for kind in ["operations", "connections"] {
        let counts = &report[kind];
        let number = |name: &str| counts[name].as_u64().expect(name);
        let failed = counts["failed"].as_object().expect("failures").values();
        let failed: u64 = failed.map(|count| count.as_u64().expect("a count")).sum();
        let ended = number("completed") + failed + number("unfinished");
        assert_eq!(number("started"), ended, "{counts}");
    }
}

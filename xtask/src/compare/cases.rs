//! The cases of `benches/compare/`, and one run of one.

use std::{
    fs,
    io::Read,
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use super::interpreters::Interpreter;

const PROGRAM: &str = "benches/compare/run.py";

/// How often is looked whether a case has ended.
const POLL: Duration = Duration::from_millis(20);

/// On which processors a case runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cpus {
    /// All its threads and processes share one.
    One,
    All,
}

/// A case on some processors: a row of the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    pub case: String,
    pub cpus: Cpus,
}

/// What a run of a case prints.
#[derive(Clone, Debug, Deserialize)]
pub struct Figure {
    pub value: f64,
    /// Processor time of an operation, microseconds.
    pub cpu: Option<f64>,
    pub unit: String,
}

/// The rows whose case `only`, a regular expression, fits. The cases tell of themselves.
pub fn list(interpreter: &Interpreter, only: &str) -> Result<Vec<Row>, String> {
    #[derive(Deserialize)]
    struct Line {
        case: String,
        cpus: Vec<Cpus>,
    }

    let output = Command::new(&interpreter.program)
        .args([PROGRAM, "--list", only])
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("{}: {error}", interpreter.program.display()))?;
    if !output.status.success() {
        return Err(format!("{PROGRAM} --list: {}", output.status));
    }
    let mut rows = Vec::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let line: Line =
            serde_json::from_str(line).map_err(|error| format!("{PROGRAM} --list: {error}"))?;
        rows.extend(line.cpus.iter().map(|&cpus| Row {
            case: line.case.clone(),
            cpus,
        }));
    }
    Ok(rows)
}

/// How cases are run.
pub struct Runner<'a> {
    /// Which interpreter is the other side of cases that have one.
    pub peer: &'a Path,
    pub limit: Duration,
    pub quick: bool,
    /// The processor of [`Cpus::One`].
    pub cpu: String,
}

impl Runner<'_> {
    /// One run, in a process of its own.
    ///
    /// # Errors
    ///
    /// In words, if it fails, hangs or prints no figure. What it says itself goes to standard error.
    pub fn run(&self, interpreter: &Interpreter, row: &Row) -> Result<Figure, String> {
        let mut command = match row.cpus {
            Cpus::One => {
                let mut command = Command::new("taskset");
                command.args(["-c", &self.cpu]).arg(&interpreter.program);
                command
            }
            Cpus::All => Command::new(&interpreter.program),
        };
        command.args(["-W", "ignore", PROGRAM]);
        if self.quick {
            command.arg("--quick");
        }
        if row.cpus == Cpus::One {
            command.arg("--pinned");
        }
        command
            .arg(&row.case)
            .env("BENCH_PEER", self.peer)
            .env("PYTHONDONTWRITEBYTECODE", "1");
        interpreter.configure(&mut command);
        let output = output_within(&mut command, self.limit)?;
        serde_json::from_str(&output).map_err(|_| format!("prints no figure: {}", output.trim()))
    }
}

/// What a command that succeeds within the limit prints. It must be less than a pipe holds.
fn output_within(command: &mut Command, limit: Duration) -> Result<String, String> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(|error| format!("cannot run {}: {error}", command.get_program().display()))?;
    let end = Instant::now() + limit;
    let status = loop {
        match child.try_wait().map_err(|error| error.to_string())? {
            Some(status) => break status,
            None if Instant::now() < end => thread::sleep(POLL),
            None => {
                if let Ok(group) = libc::pid_t::try_from(child.id()) {
                    // SAFETY: takes numbers only. The child is not reaped yet, so the group is its own.
                    unsafe { libc::killpg(group, libc::SIGKILL) };
                }
                child.wait().map_err(|error| error.to_string())?;
                return Err(format!("no end within {} s", limit.as_secs()));
            }
        }
    };
    if !status.success() {
        return Err(status.to_string());
    }
    let mut output = String::new();
    if let Some(mut pipe) = child.stdout.take() {
        pipe.read_to_string(&mut output)
            .map_err(|error| error.to_string())?;
    }
    Ok(output)
}

/// The last processor that this process may use: the first ones serve most interrupts.
pub fn last_cpu() -> Result<String, String> {
    let status = fs::read_to_string("/proc/self/status").map_err(|error| error.to_string())?;
    last_allowed(&status).ok_or_else(|| "/proc/self/status names no processor".into())
}

fn last_allowed(status: &str) -> Option<String> {
    let list = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    let last = list.trim().rsplit([',', '-']).next()?;
    (!last.is_empty()).then(|| last.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_allowed_processor() {
        let last = |list| last_allowed(&format!("Name:\tx\nCpus_allowed_list:\t{list}\nMems: 1\n"));
        assert_eq!(last("0-1").as_deref(), Some("1"));
        assert_eq!(last("0-3,8,10-11").as_deref(), Some("11"));
        assert_eq!(last("5").as_deref(), Some("5"));
        assert_eq!(last(""), None);
        assert_eq!(last_allowed("Name:\tx\n"), None);
    }

    #[test]
    fn a_command_that_hangs_is_ended() {
        let begin = Instant::now();
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 60 & wait"]);
        let error = output_within(&mut command, Duration::from_millis(50)).unwrap_err();
        assert!(error.contains("no end"), "{error}");
        assert!(begin.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn a_command_that_fails_is_an_error() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo much; exit 3"]);
        let error = output_within(&mut command, Duration::from_secs(30)).unwrap_err();
        assert!(error.contains('3'), "{error}");
    }
}

//! The server to measure, as a child process: `--server`.

mod group;
mod place;
mod tail;

pub use group::Member;

use std::{
    env, io,
    os::unix::process::{CommandExt, ExitStatusExt},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use tokio::time::sleep;

use crate::{
    report::ServerReport,
    sampling::{Sampler, memory_a_connection},
    target::{Place, Target},
};
use group::Group;
use place::PrivateDirectory;
use tail::Tail;

/// How often is looked whether the server listens, or has ended.
const LOOK: Duration = Duration::from_millis(5);

/// How long it may take to end when it is asked to.
const STOP_TIME: Duration = Duration::from_secs(5);

/// How long the last lines of a server that has ended are waited for: something else may hold its output open.
const TAIL_TIME: Duration = Duration::from_millis(500);

/// How a server is to be started.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// On a Unix socket.
    pub unix: bool,
    pub datagrams: bool,
    /// How long it may take until it listens.
    pub within: Duration,
}

/// One that runs. It ends when this is dropped, with all its descendants.
pub struct Server {
    command: String,
    target: Target,
    child: Child,
    tail: Tail,
    sampler: Sampler,
    ended: Option<ExitStatus>,
    group: Group,
    _directory: Option<PrivateDirectory>,
}

impl Server {
    /// Starts it, and waits until it listens. Ends it when the future is dropped.
    ///
    /// The command is a shell's. It gets `HOST` and `PORT`, or `SOCKET_PATH`, and `REACTOR_LOAD=1` in its environment, and our limit of
    /// descriptors, which we have raised. It reads nothing, and what it writes is only shown if it does not start.
    ///
    /// # Errors
    ///
    /// Why it does not run, in words, and what it wrote last.
    pub async fn start(command: &str, start: Start) -> Result<Self, String> {
        match Self::start_once(command, start).await {
            // See `place::free_port`.
            Err(reason) if reason.contains("in use") => Self::start_once(command, start).await,
            result => result,
        }
    }

    async fn start_once(command: &str, start: Start) -> Result<Self, String> {
        let mut server = Self::spawn(command, start.unix)
            .map_err(|error| format!("the server {command:?} cannot be started: {error}"))??;
        let until = Instant::now() + start.within;
        loop {
            if server.listens(start.datagrams).await {
                return Ok(server);
            }
            if let Some(how) = server.has_ended() {
                let tail = server.whole_tail().await;
                return Err(format!(
                    "the server {command:?} ended before it listened: {how}{tail}"
                ));
            }
            if Instant::now() >= until {
                let (place, tail) = (&server.target.place, shown(&server.tail.lines()));
                let names = if start.unix {
                    "SOCKET_PATH"
                } else {
                    "HOST and PORT"
                };
                return Err(format!(
                    "the server {command:?} does not listen at {place}, which {names} in its environment told it{tail}"
                ));
            }
            sleep(LOOK).await;
        }
    }

    /// The inner error is one of the environment we are in.
    fn spawn(command: &str, unix: bool) -> io::Result<Result<Self, String>> {
        let mut shell = Command::new("sh");
        shell
            .arg("-c")
            .arg(script(command))
            .env("REACTOR_LOAD", "1");
        let mut directory = None;
        let listen = if unix {
            let directory = directory.insert(PrivateDirectory::new()?);
            let path = directory.path().join("socket");
            shell
                .env("SOCKET_PATH", &path)
                .env_remove("HOST")
                .env_remove("PORT");
            format!("unix:{}", path.display())
        } else {
            let port = place::free_port()?.to_string();
            shell
                .env("HOST", "127.0.0.1")
                .env("PORT", &port)
                .env_remove("SOCKET_PATH");
            format!("127.0.0.1:{port}")
        };
        let target = match Target::parse(&listen) {
            Ok(target) => target,
            Err(reason) => return Ok(Err(reason)),
        };
        let group = Group::new(directory.as_ref().map(PrivateDirectory::path))?;
        let (reader, writer) = io::pipe()?;
        shell
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer)
            .process_group(group.id());
        let child = shell.spawn()?;
        // With it our ends of the pipe that it writes to, which would keep it open.
        drop(shell);
        Ok(Ok(Self {
            command: command.to_owned(),
            target,
            child,
            tail: Tail::of(reader)?,
            sampler: Sampler::new(),
            ended: None,
            group,
            _directory: directory,
        }))
    }

    async fn listens(&self, datagrams: bool) -> bool {
        match (&self.target.place, datagrams) {
            (Place::Inet(address), false) => place::accepts(*address).await,
            (Place::Inet(address), true) => place::is_bound(address.port()),
            (Place::Unix(path), false) => place::accepts_unix(path).await,
            (Place::Unix(path), true) => place::is_bound_unix(path),
        }
    }

    async fn whole_tail(&self) -> String {
        let until = Instant::now() + TAIL_TIME;
        while !self.tail.is_whole() && Instant::now() < until {
            sleep(LOOK).await;
        }
        shown(&self.tail.lines())
    }

    /// Where it listens.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// How it has ended, if it has: `exit status 3`, `killed by SIGSEGV`.
    pub fn has_ended(&mut self) -> Option<String> {
        if self.ended.is_none() {
            // Fails only if somebody else has waited for it, and nobody else does.
            self.ended = self.child.try_wait().ok().flatten();
        }
        self.ended.map(in_words)
    }

    /// Looks at its processes: once a second. `at` is the time since the begin of the measured time, `open` our connections.
    pub fn sample(&mut self, at: f64, open: u64) {
        let members = self.group.members();
        self.sampler.sample(&members, at, open);
        // Orphans that came to us. The server itself is waited for by `has_ended`, which wants to know how.
        let child = i32::try_from(self.child.id()).unwrap_or_default();
        let zombies = members.iter().filter(|member| member.is_zombie());
        for process in zombies.map(|member| member.stat.pid) {
            if process != child {
                group::reap(process);
            }
        }
    }

    /// Ends it, and says what it used, and what it wrote last if it ended by itself.
    pub async fn stop(mut self) -> (ServerReport, String) {
        let (ended, ended_early, tail) = if let Some(how) = self.has_ended() {
            let tail = self.whole_tail().await;
            (format!("{how} in the middle of the run"), true, tail)
        } else {
            (self.terminate().await, false, String::new())
        };
        let samples = self.sampler.into_samples();
        let report = ServerReport {
            command: self.command,
            ended,
            ended_early,
            memory_a_connection: memory_a_connection(&samples),
            samples,
        };
        (report, tail)
    }

    async fn terminate(&mut self) -> String {
        self.group.terminate();
        let until = Instant::now() + STOP_TIME;
        while Instant::now() < until {
            if self.has_ended().is_some() && self.group.has_ended() {
                return "stopped (SIGTERM)".into();
            }
            sleep(LOOK).await;
        }
        // Dropping it does it.
        format!(
            "stopped (SIGKILL, as SIGTERM did not end it in {} s)",
            STOP_TIME.as_secs()
        )
    }
}

/// A shell waits for what it runs: one process, some descriptors and a megabyte more that would be counted as the server's. It becomes
/// the server itself where the command is nothing but a program and its arguments.
fn script(command: &str) -> String {
    let program = command.split_whitespace().next().unwrap_or_default();
    let program = program.trim_matches(['"', '\'']);
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._+-".contains(c);
    let alone =
        program.chars().all(plain) && !command.contains([';', '&', '|', '(', ')', '`', '\n']);
    if alone && is_program(program) {
        format!("exec {command}")
    } else {
        command.to_owned()
    }
}

/// No builtin or keyword, nor anything else that only a shell knows.
fn is_program(name: &str) -> bool {
    if name.contains('/') {
        return Path::new(name).is_file();
    }
    let directories = env::var_os("PATH").unwrap_or_default();
    !name.is_empty()
        && env::split_paths(&directories).any(|directory| directory.join(name).is_file())
}

fn shown(lines: &[String]) -> String {
    if lines.is_empty() {
        return "; it wrote nothing".into();
    }
    format!("; it wrote last:\n  {}", lines.join("\n  "))
}

fn in_words(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        // How a shell passes on that a signal ended what it ran.
        (Some(code @ 129..=192), _) => format!("exit status {code} ({})", signal_name(code - 128)),
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("killed by {}", signal_name(signal)),
        (None, None) => status.to_string(),
    }
}

/// What ends servers.
fn signal_name(signal: i32) -> String {
    let name = match signal {
        libc::SIGHUP => "SIGHUP",
        libc::SIGINT => "SIGINT",
        libc::SIGQUIT => "SIGQUIT",
        libc::SIGILL => "SIGILL",
        libc::SIGTRAP => "SIGTRAP",
        libc::SIGABRT => "SIGABRT",
        libc::SIGBUS => "SIGBUS",
        libc::SIGFPE => "SIGFPE",
        libc::SIGKILL => "SIGKILL",
        libc::SIGUSR1 => "SIGUSR1",
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGUSR2 => "SIGUSR2",
        libc::SIGPIPE => "SIGPIPE",
        libc::SIGALRM => "SIGALRM",
        libc::SIGTERM => "SIGTERM",
        libc::SIGXCPU => "SIGXCPU",
        libc::SIGSYS => "SIGSYS",
        _ => return format!("signal {signal}"),
    };
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_a_process_ended_is_told_in_words() {
        for (raw, words) in [
            (0, "exit status 0"),
            (3 << 8, "exit status 3"),
            (libc::SIGSEGV, "killed by SIGSEGV"),
            (libc::SIGSEGV | 0x80, "killed by SIGSEGV"),
            (40, "killed by signal 40"),
            ((128 + libc::SIGKILL) << 8, "exit status 137 (SIGKILL)"),
            (255 << 8, "exit status 255"),
        ] {
            assert_eq!(in_words(ExitStatus::from_raw(raw)), words);
        }
    }

    #[test]
    fn a_shell_that_only_starts_a_program_becomes_it() {
        for command in [
            "sleep 1",
            " /bin/sh x",
            "cat < /dev/null",
            "sleep $TIME",
            "'sleep' 1",
        ] {
            assert_eq!(script(command), format!("exec {command}"));
        }
        for command in [
            "",
            "A=1 sleep 1",
            "sleep 1 | cat",
            "sleep 1; cat",
            "sleep 1 & wait",
            "sleep $(cat)",
            "exec sleep 1",
            ". /bin/sh",
            "eval sleep",
            "/no/such/program",
        ] {
            assert_eq!(script(command), command);
        }
    }

    #[test]
    fn last_lines_follow_on_lines_of_their_own() {
        assert_eq!(shown(&[]), "; it wrote nothing");
        assert_eq!(
            shown(&["a".into(), "b".into()]),
            "; it wrote last:\n  a\n  b"
        );
    }
}

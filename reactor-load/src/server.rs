//! The server to measure, as a child process: `--server`.

use crate::{
    report::ServerReport,
    target::{Place, Target},
};

/// One that runs.
pub struct Server {
    command: String,
    target: Target,
}

impl Server {
    /// Starts it, and waits until it accepts.
    ///
    /// # Errors
    ///
    /// Why it does not run, in words.
    pub async fn start(command: &str, unix: bool, datagrams: bool) -> Result<Self, String> {
        let _ = (unix, datagrams);
        Err(format!("{command}: cannot be started yet"))
    }

    /// Where it listens.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// How it has ended, if it has.
    pub fn has_ended(&mut self) -> Option<String> {
        None
    }

    /// Looks at its processes: once a second. `at` is the time since the begin of the measured time, `open` our connections.
    pub fn sample(&mut self, at: f64, open: u64) {
        let _ = (at, open);
    }

    /// Ends it, and says what it used.
    pub async fn stop(self) -> ServerReport {
        let _: &Place = &self.target.place;
        ServerReport {
            command: self.command,
            ended: String::new(),
            ended_early: false,
            samples: Vec::new(),
            memory_a_connection: None,
        }
    }
}

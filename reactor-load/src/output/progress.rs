//! The line that shows a run while it goes on, on a terminal.

use crate::{cli::Load, run::Interval, workers::Schedule};

pub struct Progress;

impl Progress {
    pub fn new(load: &Load, schedule: &Schedule) -> Self {
        let _ = (load, schedule);
        Self
    }

    pub fn warming(&mut self, open: u64) {
        let _ = open;
    }

    pub fn second(&mut self, interval: &Interval) {
        let _ = interval;
    }

    pub fn finish(&mut self) {}
}

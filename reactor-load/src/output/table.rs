//! The figures for a terminal.

use crate::report::Report;

pub fn table(report: &Report) -> String {
    format!("{report:#?}\n")
}

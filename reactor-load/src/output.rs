//! What a run shows while it goes on and when it is over.

pub mod progress;
pub mod table;

use std::{fs, io::Write, path::Path};

use crate::{cli::Load, execute::Outcome};

/// Writes everything that is asked for.
///
/// # Errors
///
/// Which file could not be written, and why.
pub fn write(load: &Load, outcome: &Outcome) -> Result<(), String> {
    if let Some(file) = &load.json {
        let text =
            serde_json::to_string_pretty(&outcome.report).map_err(|error| error.to_string())?;
        save(file, &(text + "\n"))?;
    }
    if !load.quiet {
        print(&table::table(&outcome.report));
    }
    Ok(())
}

/// To a file, or to standard output for `-`.
pub fn save(file: &Path, text: &str) -> Result<(), String> {
    if file == Path::new("-") {
        print(text);
        return Ok(());
    }
    fs::write(file, text).map_err(|error| format!("{}: {error}", file.display()))
}

/// Nobody may read on: no reason to fail.
fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

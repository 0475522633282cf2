//! What a run shows while it goes on and when it is over.

mod charts;
mod hdr_log;
mod hdr_read;
mod html;
pub mod merge;
pub mod progress;
#[cfg(test)]
mod sample;
pub mod table;
pub mod units;

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use serde::Serialize;

use crate::{cli::Load, execute::Outcome};

/// Whether what a load is to write can be written: better known before an hour than after it.
///
/// # Errors
///
/// Which file cannot be, and why.
pub fn check_files(load: &Load) -> Result<(), String> {
    check(files(load))
}

fn files(load: &Load) -> impl Iterator<Item = &PathBuf> {
    [&load.json, &load.hdr_log, &load.html]
        .into_iter()
        .flatten()
}

/// Files to be written.
fn check<'a>(files: impl IntoIterator<Item = &'a PathBuf>) -> Result<(), String> {
    let mut stdout = false;
    for file in files {
        if is_stdout(file) {
            if stdout {
                return Err("only one file can be `-`".into());
            }
            stdout = true;
            continue;
        }
        let name = file.display();
        if file.is_dir() {
            return Err(format!("{name}: is a directory"));
        }
        let parent = match file.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        if !parent.is_dir() {
            return Err(format!(
                "{name}: there is no directory {}",
                parent.display()
            ));
        }
    }
    Ok(())
}

/// Writes everything that is asked for.
///
/// # Errors
///
/// Which file could not be written, and why.
pub fn write(load: &Load, outcome: &Outcome) -> Result<(), String> {
    // First, so that it is there even if a file cannot be written.
    if !load.quiet {
        let to_stdout = files(load).any(|file| is_stdout(file));
        show(&table::table(&outcome.report), to_stdout);
    }
    if let Some(file) = &load.json {
        save(file, &json(&outcome.report)?)?;
    }
    if let Some(file) = &load.hdr_log {
        save(file, &hdr_log::of_run(&outcome.report, &outcome.finished)?)?;
    }
    if let Some(file) = &load.html {
        save(file, &html::page(&outcome.report, &outcome.finished))?;
    }
    Ok(())
}

/// For `--json`.
fn json(of: &impl Serialize) -> Result<String, String> {
    let text = serde_json::to_string_pretty(of).map_err(|error| error.to_string())?;
    Ok(text + "\n")
}

fn is_stdout(file: &Path) -> bool {
    file == Path::new("-")
}

/// To a file, or to standard output for `-`.
pub fn save(file: &Path, text: &str) -> Result<(), String> {
    if is_stdout(file) {
        print(&mut std::io::stdout().lock(), text);
        return Ok(());
    }
    fs::write(file, text).map_err(|error| format!("{}: {error}", file.display()))
}

/// For people: on standard output, unless that has something for programs.
pub fn show(text: &str, stdout_is_taken: bool) {
    if stdout_is_taken {
        print(&mut std::io::stderr().lock(), text);
    } else {
        print(&mut std::io::stdout().lock(), text);
    }
}

/// Nobody may read on: no reason to fail.
fn print(out: &mut impl Write, text: &str) {
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

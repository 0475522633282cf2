//! The interpreters that are compared.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde::Serialize;

use super::arguments::Arguments;
use crate::conformance::cpython;

/// What an interpreter is to the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Ours,
    /// Ours, that never polls before it sleeps.
    Sleeping,
    Cpython,
    Stock,
}

#[derive(Debug, Serialize)]
pub struct Interpreter {
    pub role: Role,
    /// As tables call it.
    pub label: String,
    pub program: PathBuf,
}

impl Interpreter {
    fn new(role: Role, program: PathBuf) -> Result<Self, String> {
        let version = version(&program)
            .ok_or_else(|| format!("{}: runs no Python program", program.display()))?;
        let label = match role {
            Role::Ours => "ours".into(),
            Role::Sleeping => "ours, no busy-poll".into(),
            Role::Cpython => version,
            Role::Stock => "stock".into(),
        };
        Ok(Self {
            role,
            label,
            program,
        })
    }

    /// A command of this interpreter with its own settings and none of the caller's.
    pub fn configure(&self, command: &mut Command) {
        if self.role == Role::Sleeping {
            command.env("REACTOR_BUSY_POLL_US", "0");
        }
    }
}

/// Implementation and version; None if it is no Python interpreter that works.
fn version(program: &Path) -> Option<String> {
    let output = Command::new(program)
        .args([
            "-c",
            "import platform as p; print(p.python_implementation(), p.python_version())",
        ])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn find_cpython() -> Option<PathBuf> {
    cpython::candidates()
        .into_iter()
        .find(|program| version(program).is_some_and(|version| version.starts_with("CPython ")))
}

fn find_stock() -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?)
        .map(|folder| folder.join("rustpython"))
        .find(|program| program.is_file())
}

/// Installs the stock interpreter below `folder`, which takes some minutes.
fn install_stock(folder: &Path) -> Result<PathBuf, String> {
    let program = folder.join("bin/rustpython");
    let status = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["install", "rustpython", "--version", "0.6.0", "--locked"])
        .args(["--features", "freeze-stdlib", "--ignore-rust-version"])
        .arg("--root")
        .arg(folder)
        .status()
        .map_err(|error| format!("cannot run cargo: {error}"))?;
    if status.success() {
        Ok(program)
    } else {
        Err(format!("cargo install rustpython: {status}"))
    }
}

/// Ours first, then those that it is compared with. `ours` is the interpreter if none is named.
///
/// # Errors
///
/// If one that is named does not work. What is merely not found is left out, with a word about it.
pub fn all(arguments: &Arguments, ours: &Path) -> Result<Vec<Interpreter>, String> {
    let ours = arguments.ours.clone().unwrap_or_else(|| ours.to_owned());
    let stock = match &arguments.install_stock {
        Some(folder) => Some(install_stock(folder)?),
        None => arguments.stock.clone().or_else(find_stock),
    };
    let mut all = vec![Interpreter::new(Role::Ours, ours.clone())?];
    match arguments.cpython.clone().or_else(find_cpython) {
        Some(program) => all.push(Interpreter::new(Role::Cpython, program)?),
        None => {
            eprintln!(
                "bench-compare: no CPython found, which --cpython or REACTOR_TEST_CPYTHON may name"
            )
        }
    }
    match stock {
        Some(program) => all.push(Interpreter::new(Role::Stock, program)?),
        None => eprintln!(
            "bench-compare: no stock interpreter found: --stock names one, --install-stock installs it"
        ),
    }
    if arguments.sleeping {
        all.push(Interpreter::new(Role::Sleeping, ours)?);
    }
    Ok(all)
}

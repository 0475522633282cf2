//! Chores of the project, run by Cargo's aliases: see `.cargo/config.toml`.

mod compare;
mod conformance;
mod fuzz;

use std::{
    env, io,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

/// One command of `verify`, after `cargo`.
struct Check {
    arguments: Vec<String>,
    /// `RUSTFLAGS`, if not the caller's.
    flags: Option<&'static str>,
    /// Whether a stable compiler takes unstable flags.
    unstable: bool,
}

impl Check {
    fn new(arguments: &[&str]) -> Self {
        Self {
            arguments: arguments.iter().map(ToString::to_string).collect(),
            flags: None,
            unstable: false,
        }
    }

    /// Builds in a folder of its own, which leaves the caches of the others alone.
    fn in_folder(mut self, folder: &Path) -> Self {
        self.arguments
            .extend(["--target-dir".into(), folder.display().to_string()]);
        self
    }

    fn with_flags(mut self, flags: &'static str) -> Self {
        self.flags = Some(flags);
        self
    }

    fn with_unstable_flags(mut self) -> Self {
        self.unstable = true;
        self
    }

    /// Arguments of the program that Cargo runs: the last ones.
    fn with_program_arguments(mut self, arguments: impl IntoIterator<Item = String>) -> Self {
        self.arguments.push("--".into());
        self.arguments.extend(arguments);
        self
    }

    /// Runs it, and says which it is. The exit code, if that is not success.
    fn run(&self) -> Result<(), u8> {
        let shown = self
            .flags
            .map(|flags| format!("RUSTFLAGS='{flags}' "))
            .unwrap_or_default();
        eprintln!("xtask: {shown}cargo {}", self.arguments.join(" "));
        let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.args(&self.arguments);
        if let Some(flags) = self.flags {
            command
                .env("RUSTFLAGS", flags)
                .env_remove("CARGO_ENCODED_RUSTFLAGS");
        }
        if self.unstable {
            command.env("RUSTC_BOOTSTRAP", "1");
        }
        match command.status() {
            Ok(status) if status.success() => Ok(()),
            // Ended by a signal: no code of its own.
            Ok(status) => Err(status
                .code()
                .and_then(|code| u8::try_from(code).ok())
                .unwrap_or(1)),
            Err(error) => {
                eprintln!("xtask: cannot run cargo: {error}");
                Err(1)
            }
        }
    }
}

/// Every test there is, the most telling first.
fn checks(target: &Path) -> io::Result<Vec<Check>> {
    let mut checks = vec![
        Check::new(&["test", "--release", "--ignore-rust-version"]),
        // Its crates are none of the VM's: with them in one build, Cargo would unify features.
        Check::new(&["test", "--release", "--package", "reactor-load"]),
        // Without the VM, and with overflow checks and std's own checks of descriptors.
        Check::new(&[
            "test",
            "--ignore-rust-version",
            "--no-default-features",
            "--lib",
        ])
        .in_folder(&target.join("reactor-debug")),
        Check::new(&[
            "test",
            "--ignore-rust-version",
            "--package",
            "dns-differential",
        ])
        .in_folder(&target.join("reactor-debug")),
        Check::new(&[
            "test",
            "--release",
            "--ignore-rust-version",
            "--no-default-features",
            "--lib",
            "reactor::loom_tests",
        ])
        .in_folder(&target.join("loom"))
        .with_flags("--cfg loom"),
        // What judges the suites of CPython, which come last.
        Check::new(&[
            "test",
            "--release",
            "--ignore-rust-version",
            "--package",
            "xtask",
        ]),
    ];
    checks.extend(fuzz::checks(target)?);
    Ok(checks)
}

/// Goes to the package's root; Cargo's folder for what it builds.
fn enter_root() -> Result<PathBuf, u8> {
    // The package's root, so that it runs from any folder below; an absolute `CARGO_TARGET_DIR` replaces it in `join`. Cargo says
    // where that is now: checkouts that share a build folder share this program.
    let package = env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    let root = package.parent().unwrap_or(Path::new("."));
    if let Err(error) = env::set_current_dir(root) {
        eprintln!("xtask: {}: {error}", root.display());
        return Err(1);
    }
    Ok(env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from))
}

fn verify() -> Result<(), u8> {
    let target = enter_root()?;
    let checks = checks(&target).map_err(|error| {
        eprintln!("verify: fuzz/seeds: {error}");
        1
    })?;
    checks.iter().try_for_each(Check::run)?;
    conformance(&[])
}

fn build_interpreter(profile: &str) -> Result<(), u8> {
    Check::new(&[
        "build",
        "--profile",
        profile,
        "--ignore-rust-version",
        "--bin",
        "reactor-python",
    ])
    .run()
}

/// Builds the interpreter and runs CPython's suites with it.
fn conformance(arguments: &[&str]) -> Result<(), u8> {
    let target = enter_root()?;
    build_interpreter("release")?;
    conformance::check(&target, arguments).map_err(|reason| {
        eprintln!("conformance: {reason}");
        1
    })
}

/// Builds the interpreter, if none is named, and compares it with others.
fn bench_compare(words: &[&str]) -> Result<(), u8> {
    let refuse = |reason| {
        eprintln!("bench-compare: {reason}");
        1
    };
    let arguments = compare::Arguments::parse(words).map_err(refuse)?;
    let target = enter_root()?;
    let profile = arguments.profile();
    if arguments.ours.is_none() {
        build_interpreter(profile)?;
    }
    compare::compare(&arguments, &target.join(profile).join("reactor-python")).map_err(refuse)
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        ["verify"] => match verify() {
            Ok(()) => {
                println!("verify: all passed");
                ExitCode::SUCCESS
            }
            Err(code) => ExitCode::from(code),
        },
        ["conformance", modules @ ..] => match conformance(modules) {
            Ok(()) => ExitCode::SUCCESS,
            Err(code) => ExitCode::from(code),
        },
        ["bench-compare", words @ ..] => match bench_compare(words) {
            Ok(()) => ExitCode::SUCCESS,
            Err(code) => ExitCode::from(code),
        },
        _ => {
            eprintln!(
                "usage: cargo verify | cargo conformance [module...] | cargo bench-compare [option...]"
            );
            ExitCode::from(2)
        }
    }
}

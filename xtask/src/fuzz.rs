//! The fuzz targets and property tests of `fuzz/`, a workspace of its own.

use std::{fs, io, path::Path};

use crate::Check;

/// The targets: each a file of `fuzz/fuzz_targets/`, with its seeds in `fuzz/seeds/`.
const TARGETS: [&str; 2] = ["control_message", "socket_address"];

/// Inputs that a target is run on, some seconds of them; the same ones at every run.
const RUNS: &str = "-runs=200000";
const SEED: &str = "-seed=1";

/// As `cargo fuzz run` builds: coverage that guides the choice of inputs, and AddressSanitizer, which sees a read past the
/// end of the input.
const FLAGS: &str = "--cfg fuzzing -Zsanitizer=address \
    -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares";

/// The property tests, then each target for a fixed number of inputs.
///
/// Plain Cargo and not `cargo fuzz`, which would have to be installed and asks for a nightly toolchain.
///
/// # Errors
///
/// If a target has no folder of seeds.
pub(crate) fn checks(target_folder: &Path) -> io::Result<Vec<Check>> {
    let properties = Check::new(&[
        "test",
        "--locked",
        "--ignore-rust-version",
        "--manifest-path",
        "fuzz/Cargo.toml",
        "--test",
        "properties",
    ])
    .in_folder(&target_folder.join("fuzz"));
    let mut checks = vec![properties];
    for target in TARGETS {
        checks.push(fuzz(target, &target_folder.join("fuzz"))?);
    }
    Ok(checks)
}

fn fuzz(target: &str, folder: &Path) -> io::Result<Check> {
    // Files and not their folder, to which the target would add what it finds interesting.
    let mut seeds = fs::read_dir(Path::new("fuzz/seeds").join(target))?
        .map(|entry| Ok(entry?.path().display().to_string()))
        .collect::<io::Result<Vec<_>>>()?;
    seeds.sort();
    Ok(Check::new(&[
        "run",
        "--quiet",
        "--locked",
        "--release",
        "--ignore-rust-version",
        "--manifest-path",
        "fuzz/Cargo.toml",
        // Named, so that build scripts and macros, which cannot run with these flags, are built without.
        "--target",
        "host-tuple",
        "--bin",
        target,
    ])
    .in_folder(folder)
    .with_flags(FLAGS)
    // The sanitizer is the one unstable flag.
    .with_unstable_flags()
    .with_program_arguments([
        RUNS.into(),
        SEED.into(),
        "-verbosity=0".into(),
        "-print_funcs=0".into(),
        format!("-seed_inputs={}", seeds.join(",")),
        // Where an input that fails is written.
        format!("-artifact_prefix={}/", folder.display()),
    ]))
}

//! `reactor-load merge`, of logs as runs write them and of files that are no logs.

mod echo_server;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;

fn directory(name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).unwrap();
    directory
}

fn run(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_reactor-load"))
        .current_dir(directory)
        .args(arguments)
        .output()
        .unwrap()
}

/// Writes a log; the figures of its run.
fn load(directory: &Path, log: &str) -> Value {
    let address = echo_server::start().to_string();
    let load = ["echo", &address, "-c", "3", "-d", "1s", "--warmup", "0s"];
    let output = run(
        directory,
        &[&load[..], &["--json", "-", "--hdr-log", log]].concat(),
    );
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_sum_of_two_runs_has_both() {
    let directory = directory("merge-sum");
    let runs = [load(&directory, "a.hlog"), load(&directory, "b.hlog")];
    let merge = [
        "merge",
        "a.hlog",
        "b.hlog",
        "--json",
        "-",
        "--hdr-log",
        "sum.hlog",
    ];
    let output = run(&directory, &merge);
    assert!(output.status.success(), "{output:?}");
    let sum: Value = serde_json::from_slice(&output.stdout).unwrap();
    let completed = |of: &Value| of["operations"]["completed"].as_u64().unwrap();
    assert_eq!(completed(&sum), runs.iter().map(completed).sum::<u64>());
    assert_eq!(sum["latency"]["count"], sum["operations"]["completed"]);
    // One after the other.
    let table = String::from_utf8(output.stderr).unwrap();
    assert!(table.contains("b.hlog does not overlap with"), "{table}");

    let output = run(&directory, &["merge", "sum.hlog", "--json", "-"]);
    let again: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(again["operations"], sum["operations"]);
    assert_eq!(again["latency"], sum["latency"]);
}

#[test]
fn what_is_no_log_is_refused() {
    let directory = directory("merge-refused");
    load(&directory, "good.hlog");
    let good = fs::read(directory.join("good.hlog")).unwrap();
    fs::write(directory.join("cut.hlog"), &good[..good.len() - 40]).unwrap();
    fs::write(directory.join("empty.hlog"), "").unwrap();
    fs::write(directory.join("other.hlog"), "some text\n").unwrap();
    fs::create_dir(directory.join("directory.hlog")).unwrap();
    for (file, words) in [
        ("cut.hlog", "(the last line: cut off?)"),
        ("empty.hlog", "is empty"),
        ("other.hlog", "line 1: no line of"),
        ("directory.hlog", "is a directory"),
        ("absent.hlog", "No such file"),
    ] {
        let output = run(
            &directory,
            &["merge", "good.hlog", file, "--json", "sum.json"],
        );
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(file) && error.contains(words), "{error}");
        assert!(!directory.join("sum.json").exists());
    }
}

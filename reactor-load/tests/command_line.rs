//! Arguments, their limits, and Ctrl-C.

mod common;

use std::{net::TcpListener, process::Command, thread, time::Duration};

use common::{
    PROGRAM, Running, quick,
    server::{echo_server, serve_at},
    wait_for,
};

#[test]
fn arguments_that_make_no_sense() {
    let good = ["echo", "127.0.0.1:9"];
    for (arguments, named) in [
        (&[][..], "Usage"),
        (&["frobnicate"], "frobnicate"),
        (&["echo"], "TARGET"),
        (&["echo", "127.0.0.1"], "127.0.0.1"),
        (&["echo", "127.0.0.1:0"], "0"),
        (&["echo", "127.0.0.1:65536"], "65536"),
        (&["echo", "::1:80"], "[::1]:80"),
        (&["echo", "unix:"], "unix:"),
        (&["echo", "ftp://127.0.0.1/"], "ftp"),
        (&["echo", "127.0.0.1:9", "127.0.0.1:10"], "127.0.0.1:10"),
        (&["--connections", "0"], "--connections"),
        (&["--connections", "-1"], "-1"),
        (&["--connections", "1000001"], "--connections"),
        (&["--connections", "many"], "many"),
        (&["--duration", "0s"], "--duration"),
        (&["--duration", "999ms"], "--duration"),
        (&["--duration", "61m"], "--duration"),
        (&["--duration", "10"], "--duration"),
        (&["--duration", "99999999999999999999s"], "--duration"),
        (&["--warmup", "2h"], "--warmup"),
        (&["--ramp", "2h"], "--ramp"),
        (&["--timeout", "0s"], "--timeout"),
        (&["--size", "0"], "--size"),
        (&["--size", "16777217"], "--size"),
        (&["--pipeline", "0"], "--pipeline"),
        (&["--pipeline", "1025"], "--pipeline"),
        (&["--rate", "0"], "--rate"),
        (&["--rate", "-5"], "-5"),
        (&["--rate", "inf"], "--rate"),
        (&["--rate", "NaN"], "--rate"),
        (&["--rate", "1e10"], "--rate"),
        (&["--threads", "0"], "--threads"),
        (&["--threads", "257"], "--threads"),
        (&["--source", "localhost"], "--source"),
        (&["--ca", "x.pem"], "--tls"),
        (&["--insecure"], "--tls"),
        (&["--server-name", "x"], "--tls"),
        (&["--tls", "--insecure", "--ca", "x.pem"], "--ca"),
        (&["--unix"], "--server"),
        (&["--server", "true"], "--server"),
        (&["--no-such-option"], "--no-such-option"),
    ] {
        let all = if arguments.first().is_some_and(|word| word.starts_with("--")) {
            [&good, arguments].concat()
        } else {
            arguments.to_vec()
        };
        let output = Command::new(PROGRAM)
            .args(&all)
            .output()
            .expect("it starts");
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{all:?}: {err}");
        assert!(err.contains(named), "{all:?}: {err}");
        assert!(output.stdout.is_empty(), "{all:?}");
    }
}

#[test]
fn a_certificate_file_that_is_none() {
    let server = echo_server();
    for file in ["/nonexistent/ca.pem", "/dev/null"] {
        let ended = quick("echo", &server.target, &["--tls", "--ca", file]);
        ended.assert_code(2);
        assert!(
            ended.err.contains("certificate") || ended.err.contains(file),
            "{ended:#?}"
        );
    }
    assert_eq!(server.seen.accepted(), 0);
}

#[test]
fn help_and_version() {
    for arguments in [&["--help"][..], &["echo", "--help"], &["--version"]] {
        let output = Command::new(PROGRAM)
            .args(arguments)
            .output()
            .expect("it starts");
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert!(output.stderr.is_empty());
        assert!(!output.stdout.is_empty());
    }
    let output = Command::new(PROGRAM)
        .arg("--help")
        .output()
        .expect("it starts");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("Exit codes: 0 all went well"), "{text}");
}

/// 0.0.0.0 reaches this machine, and does not say so.
#[test]
fn another_machine_only_with_leave() {
    let listener = TcpListener::bind("0.0.0.0:0").expect("all addresses");
    listener.set_nonblocking(true).expect("it can");
    let port = listener.local_addr().expect("an address").port();
    let ended = quick("echo", &format!("0.0.0.0:{port}"), &[]);
    ended.assert_code(2);
    assert!(ended.err.contains("--i-own-this-target"), "{ended:#?}");
    assert!(listener.accept().is_err(), "nothing is sent without leave");

    let server = serve_at("0.0.0.0:0", |stream, _, seen| {
        common::server::echo(stream, seen)
    });
    quick("echo", &server.target, &["--i-own-this-target"]).assert_well();
}

#[test]
fn ctrl_c_ends_it_with_a_report() {
    let server = echo_server();
    let begin = std::time::Instant::now();
    let run = Running::start(&[
        "echo",
        &server.target,
        "--duration",
        "10m",
        "--warmup",
        "0s",
        "--quiet",
    ]);
    wait_for("some messages", || {
        (server.seen.messages() > 1000).then_some(())
    });
    run.signal(libc::SIGINT);
    let ended = run.end();
    ended.assert_code(130);
    assert_eq!(ended.report()["interrupted"], true);
    assert!(ended.completed() > 0);
    assert!(ended.number("/measured") <= begin.elapsed().as_secs_f64());
    assert_eq!(ended.count("/operations/unfinished"), 0, "{ended:#?}");
}

#[test]
fn ctrl_c_in_the_warm_up() {
    let server = echo_server();
    let run = Running::start(&[
        "echo",
        &server.target,
        "--warmup",
        "10m",
        "--ramp",
        "100ms",
        "--quiet",
    ]);
    wait_for("some messages", || {
        (server.seen.messages() > 100).then_some(())
    });
    run.signal(libc::SIGINT);
    let ended = run.end();
    ended.assert_code(130);
    assert_eq!(ended.report()["interrupted"], true);
    assert_eq!(ended.completed(), 0);
}

/// Before the first second is over, and while nothing answers.
#[test]
fn ctrl_c_at_a_server_that_stalls() {
    let server = common::server::serve(|mut stream, _, seen| {
        let mut message = [0; 64];
        loop {
            std::io::Read::read_exact(&mut stream, &mut message)?;
            seen.message();
        }
    });
    let run = Running::start(&[
        "echo",
        &server.target,
        "--connections",
        "5",
        "--duration",
        "10m",
        "--warmup",
        "0s",
        "--timeout",
        "10m",
        "--quiet",
    ]);
    wait_for("a message on each", || {
        (server.seen.messages() == 5).then_some(())
    });
    // A second one changes nothing. If it came too soon, the kernel would make one of both.
    run.signal(libc::SIGINT);
    thread::sleep(Duration::from_millis(50));
    run.signal(libc::SIGINT);
    let ended = run.end();
    ended.assert_code(130);
    assert_eq!(ended.count("/operations/unfinished"), 5, "{ended:#?}");
}

#[test]
fn json_on_standard_output() {
    let server = echo_server();
    let output = Command::new(PROGRAM)
        .args(["echo", &server.target, "--quiet", "--json", "-"])
        .args(["--duration", "1s", "--warmup", "0s"])
        .output()
        .expect("it starts");
    assert_eq!(output.status.code(), Some(0));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON alone");
    assert_eq!(report["format"], 1);
    assert_eq!(report["settings"]["load"], "echo");
    assert_eq!(report["settings"]["target"], server.target.as_str());
    let second = &report["intervals"][0];
    assert!(second["length"].as_f64().is_some_and(|length| length > 0.5));
}

#[test]
fn a_file_that_cannot_be_written() {
    let server = echo_server();
    let output = Command::new(PROGRAM)
        .args(["echo", &server.target, "--quiet"])
        .args(["--duration", "1s", "--warmup", "0s"])
        .args(["--json", "/nonexistent/folder/report.json"])
        .output()
        .expect("it starts");
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code().is_some_and(|code| code != 0), "{err}");
    assert!(err.contains("/nonexistent/folder/report.json"), "{err}");
}

/// Nobody reads the table: no panic, no other code.
#[test]
fn a_closed_standard_output() {
    let server = echo_server();
    let mut child = Command::new(PROGRAM)
        .args(["echo", &server.target, "--duration", "1s", "--warmup", "0s"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("it starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{err}");
    assert!(!err.contains("panicked"), "{err}");
}

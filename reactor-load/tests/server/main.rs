//! Servers that `reactor-load` starts, as they are and as they should not be.

mod compare;
mod lab;

use lab::{Lab, assert_adds_up};

fn assert_server_gone(lab: &Lab, processes: usize, ended: &str) {
    lab.assert_gone(processes);
    let report = lab.report();
    assert_adds_up(&report);
    assert_eq!(report["server"]["ended"], ended);
}

#[test]
fn all_its_processes_are_measured_and_stopped() {
    let Some(lab) = Lab::new() else { return };
    let load = lab.echo(&lab.server("fork"), &["--duration", "2s"]);
    let (code, text) = load.end();
    assert_eq!(code, Some(0), "{text}");
    assert_server_gone(&lab, 3, "stopped (SIGTERM)");
    let server = &lab.report()["server"];
    assert_eq!(server["ended_early"], false);
    let samples = server["samples"].as_array().expect("samples");
    let before = &samples[0];
    assert_eq!(before["open"], 0);
    let busy = samples.iter().max_by_key(|sample| sample["open"].as_u64());
    let busy = busy.expect("a sample");
    assert_eq!(busy["open"], 20);
    let number = |sample: &serde_json::Value, name: &str| sample[name].as_u64().expect("a number");
    // A thread a connection, and the two that only stay.
    assert!(number(busy, "threads") >= 23, "{busy}");
    assert!(
        number(busy, "descriptors") >= number(before, "descriptors") + 20,
        "{busy}"
    );
    // No Python takes less than a megabyte.
    assert!(number(before, "rss") > 3 << 20, "{before}");
    let processors = samples.iter().map(|sample| sample["processors"].as_f64());
    assert!(processors.flatten().any(|share| share > 0.0), "{samples:?}");
    assert!(server["memory_a_connection"].as_f64().is_some());
}

#[test]
fn one_that_ends_before_it_listens_shows_what_it_wrote() {
    let Some(lab) = Lab::new() else { return };
    let (code, text) = lab.echo("echo no luck >&2; exit 3", &[]).end();
    assert_eq!(code, Some(3), "{text}");
    assert!(
        text.contains("ended before it listened: exit status 3"),
        "{text}"
    );
    assert!(text.contains("\n  no luck\n"), "{text}");
    lab.assert_gone(0);
}

#[test]
fn one_that_never_listens_is_not_waited_for_for_ever() {
    let Some(lab) = Lab::new() else { return };
    for load in ["echo", "udp"] {
        let server = lab.told("sleep 1000");
        let arguments = [load, "--start-timeout", "300ms", "--server", &server];
        let (code, text) = lab.load(&arguments).end();
        assert_eq!(code, Some(3), "{text}");
        assert!(text.contains("does not listen at 127.0.0.1:"), "{text}");
    }
    lab.assert_gone(2);
}

#[test]
fn a_port_that_somebody_took_is_no_end() {
    let Some(lab) = Lab::new() else { return };
    let (mark, server) = (lab.path("mark"), lab.server(""));
    let mark = mark.display();
    let command = format!(
        "[ -e '{mark}' ] || {{ echo $PORT > '{mark}'; echo Address already in use; exit 1; }}; [ $PORT != $(cat '{mark}') ] && {server}"
    );
    let (code, text) = lab.echo(&command, &["--duration", "1s"]).end();
    assert_eq!(code, Some(0), "{text}");
    assert_server_gone(&lab, 1, "stopped (SIGTERM)");
}

#[test]
fn one_that_dies_in_the_middle_is_named() {
    let Some(lab) = Lab::new() else { return };
    for (index, (behaviour, how)) in [("exit", "exit status 3"), ("crash", "killed by SIGKILL")]
        .into_iter()
        .enumerate()
    {
        let (code, text) = lab
            .echo(&lab.server(behaviour), &["--duration", "60s"])
            .end();
        assert_eq!(code, Some(1), "{text}");
        let ended = format!("{how} in the middle of the run");
        assert!(text.contains(&ended), "{text}");
        assert_server_gone(&lab, index + 1, &ended);
        let report = lab.report();
        assert_eq!(report["server"]["ended_early"], true);
        let notes = report["notes"].to_string();
        assert_eq!(
            notes.contains("out of luck"),
            behaviour == "exit",
            "{notes}"
        );
    }
}

#[test]
fn one_that_ignores_sigterm_is_killed() {
    let Some(lab) = Lab::new() else { return };
    let load = lab.echo(&lab.server("ignore"), &["--duration", "1s"]);
    let (code, text) = load.end();
    assert_eq!(code, Some(0), "{text}");
    assert_server_gone(
        &lab,
        1,
        "stopped (SIGKILL, as SIGTERM did not end it in 5 s)",
    );
}

#[test]
fn one_that_leaves_its_session_and_its_parent_is_found() {
    let Some(lab) = Lab::new() else { return };
    let load = lab.echo(&lab.server("leave"), &["--duration", "1s"]);
    let (code, text) = load.end();
    assert_eq!(code, Some(0), "{text}");
    assert_server_gone(&lab, 2, "stopped (SIGTERM)");
}

#[test]
fn a_pipeline_is_stopped_as_a_whole() {
    let Some(lab) = Lab::new() else { return };
    let command = format!("{} | ({})", lab.server(""), lab.told("cat"));
    let (code, text) = lab.echo(&command, &["--duration", "1s"]).end();
    assert_eq!(code, Some(0), "{text}");
    assert_server_gone(&lab, 2, "stopped (SIGTERM)");
}

#[test]
fn one_may_listen_on_a_unix_socket() {
    let Some(lab) = Lab::new() else { return };
    let load = lab.echo(&lab.server(""), &["--unix", "--duration", "1s"]);
    let (code, text) = load.end();
    assert_eq!(code, Some(0), "{text}");
    assert_server_gone(&lab, 1, "stopped (SIGTERM)");
    let target = lab.report()["settings"]["target"].to_string();
    assert!(
        target.contains("unix:") && target.contains("socket"),
        "{target}"
    );
}

#[test]
fn one_that_writes_much_is_never_blocked() {
    let Some(lab) = Lab::new() else { return };
    let load = lab.echo(&lab.server("talk"), &["--duration", "1s"]);
    let (code, text) = load.end();
    assert_eq!(code, Some(0), "{text}");
    assert!(!text.contains("xxxx"), "{text}");
    assert_server_gone(&lab, 1, "stopped (SIGTERM)");
}

#[test]
fn a_signal_ends_the_run_with_a_report() {
    let Some(lab) = Lab::new() else { return };
    for (index, signal) in ["INT", "TERM"].into_iter().enumerate() {
        let load = lab.echo(&lab.server(""), &["--duration", "600s"]);
        lab.wait_for("echoed");
        load.signal(signal);
        let (code, text) = load.end();
        assert_eq!(code, Some(130), "{text}");
        assert_server_gone(&lab, index + 1, "stopped (SIGTERM)");
        let report = lab.report();
        assert_eq!(report["interrupted"], true);
        assert!(report["operations"]["completed"].as_u64() > Some(0));
        lab.forget("echoed");
    }
}

#[test]
fn a_signal_ends_the_wait_for_a_server() {
    let Some(lab) = Lab::new() else { return };
    let load = lab.echo(
        &lab.told("sleep 1000"),
        &["--unix", "--start-timeout", "600s"],
    );
    lab.wait_for("process");
    load.signal("INT");
    let (code, text) = load.end();
    assert_eq!(code, Some(130), "{text}");
    lab.assert_gone(1);
}

#[test]
fn nothing_outlives_a_load_that_is_killed() {
    let Some(lab) = Lab::new() else { return };
    let command = format!("{} | ({})", lab.server("ignore fork"), lab.told("cat"));
    let load = lab.echo(&command, &["--unix", "--duration", "600s"]);
    lab.wait_for("echoed");
    load.signal("KILL");
    let (code, text) = load.end();
    assert_eq!(code, None, "{text}");
    lab.assert_gone(4);
}

//! Several servers in turn.

use serde_json::Value;

use crate::lab::{Lab, Load, assert_adds_up, json};

const LOAD: [&str; 8] = [
    "--",
    "echo",
    "--connections",
    "4",
    "--warmup",
    "0s",
    "--duration",
    "1s",
];

/// Two rounds of them, reported to the lab's file.
fn compare(lab: &Lab, servers: &[&str]) -> Load {
    let report = lab.path("report");
    let mut arguments = vec![
        "compare",
        "--rounds",
        "2",
        "--json",
        report.to_str().expect("UTF-8"),
    ];
    for server in servers {
        arguments.extend(["--server", *server]);
    }
    arguments.extend(LOAD);
    lab.load(&arguments)
}

fn reports(server: &Value) -> Vec<&Value> {
    let runs = server["runs"].as_array().expect("runs");
    let reports = runs.iter().map(|run| &run["report"]);
    reports.filter(|report| !report.is_null()).collect()
}

#[test]
fn each_server_is_measured_in_each_round() {
    let Some(lab) = Lab::new() else { return };
    let server = lab.server("");
    let (code, text) = compare(&lab, &[&server, &server, &server]).end();
    assert_eq!(code, Some(0), "{text}");
    // What runs in turn does not find the port of the one before taken, nor its processes there.
    lab.assert_gone(6);
    let found = json(&lab.path("report"));
    let servers = found["servers"].as_array().expect("servers");
    let mut begins = Vec::new();
    for (index, server) in servers.iter().enumerate() {
        assert_eq!(reports(server).len(), 2);
        for report in reports(server) {
            assert_adds_up(report);
            assert_eq!(report["server"]["ended"], "stopped (SIGTERM)");
            begins.push((report["started_at"].as_f64().expect("a time"), index));
        }
    }
    begins.sort_by(|one, other| one.0.total_cmp(&other.0));
    let order: Vec<usize> = begins.iter().map(|(_, index)| *index).collect();
    assert_eq!(order, [0, 1, 2, 2, 1, 0]);
    for figure in found["summary"].as_array().expect("figures") {
        let name = figure["figure"].as_str().expect("a name");
        let of = figure["servers"].as_array().expect("servers");
        // Four connections are too few to judge it.
        if name == "memory a connection" {
            assert!(of.iter().all(Value::is_null));
            continue;
        }
        assert!(of[0]["ratio"].is_null());
        for other in &of[1..] {
            let ratio = |part: &str| other["ratio"][part].as_f64().expect(name);
            assert!(ratio("min") <= ratio("median") && ratio("median") <= ratio("max"));
        }
        assert!(text.contains(name), "{text}");
    }
    for round in ["round 1/2", "round 2/2"] {
        assert_eq!(text.matches(round).count(), 3, "{text}");
    }
}

#[test]
fn one_that_does_not_start_leaves_the_others() {
    let Some(lab) = Lab::new() else { return };
    let server = lab.server("");
    let (code, text) = compare(&lab, &["echo no luck; exit 4", &server]).end();
    assert_eq!(code, Some(3), "{text}");
    assert!(
        text.contains("exit status 4") && text.contains("no luck"),
        "{text}"
    );
    lab.assert_gone(2);
    let found = json(&lab.path("report"));
    assert_eq!(reports(&found["servers"][0]).len(), 0);
    assert_eq!(reports(&found["servers"][1]).len(), 2);
    let throughput = &found["summary"][0]["servers"];
    assert!(throughput[0].is_null());
    assert!(throughput[1]["median"].as_f64() > Some(0.0));
    assert!(throughput[1]["ratio"].is_null());
}

#[test]
fn what_one_loses_is_counted() {
    let Some(lab) = Lab::new() else { return };
    let (code, text) = compare(&lab, &[&lab.server(""), &lab.server("lose")]).end();
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("failed or lost"), "{text}");
    lab.assert_gone(4);
}

#[test]
fn a_signal_ends_all_rounds() {
    let Some(lab) = Lab::new() else { return };
    let server = lab.server("");
    let report = lab.path("report");
    let report = report.to_str().expect("UTF-8");
    let load = lab.load(&[
        "compare",
        "--server",
        &server,
        "--server",
        &server,
        "--json",
        report,
        "--",
        "echo",
        "--duration",
        "600s",
        "--warmup",
        "0s",
    ]);
    lab.wait_for("echoed");
    load.signal("INT");
    let (code, text) = load.end();
    assert_eq!(code, Some(130), "{text}");
    lab.assert_gone(1);
    let found = json(&lab.path("report"));
    assert_eq!(found["interrupted"], true);
    assert_eq!(reports(&found["servers"][0]).len(), 1);
    assert_eq!(reports(&found["servers"][1]).len(), 0);
    assert!(text.contains("throughput"), "{text}");
}

#[test]
fn what_is_no_comparison_is_refused() {
    let Some(lab) = Lab::new() else { return };
    for arguments in [
        &["--server", "true", "--", "echo"][..],
        &["--server", "true", "--server", "true"],
        &[
            "--server", "true", "--server", "true", "--label", "one", "--", "echo",
        ],
        &[
            "--server",
            "true",
            "--server",
            "true",
            "--",
            "echo",
            "127.0.0.1:80",
        ],
        &[
            "--server",
            "true",
            "--server",
            "true",
            "--",
            "echo",
            "--no-such-option",
        ],
        &["--server", "true", "--server", "true", "--", "compare"],
        &[
            "--server", "true", "--server", "true", "--", "echo", "--html", "x",
        ],
    ] {
        let (code, text) = lab.load(&[&["compare"], arguments].concat()).end();
        assert_eq!(code, Some(2), "{arguments:?}: {text}");
        assert!(!text.is_empty());
    }
}

#[test]
fn json_may_have_the_standard_output_for_itself() {
    let Some(lab) = Lab::new() else { return };
    let server = lab.server("");
    let mut arguments = vec!["compare", "--rounds", "1", "--json", "-"];
    arguments.extend(["--server", &server, "--server", &server]);
    arguments.extend(LOAD);
    let (code, output) = lab.load(&arguments).end_with_output();
    assert_eq!(code, Some(0));
    let found: Value = serde_json::from_str(&output).expect("nothing but JSON");
    assert_eq!(found["rounds"], 1);
}

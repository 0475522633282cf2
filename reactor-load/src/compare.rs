//! The same load against several servers: `compare`.

mod summary;

use std::{collections::BTreeSet, path::Path, process::ExitCode};

use clap::Parser;
use serde::Serialize;

use crate::{
    cli::{Cli, Command, Compare, Load},
    execute::{Failed, execute},
    exit, fail, interrupt, output,
    report::Report,
};
use summary::{Summary, lost};

/// Letters of a label that is made from a command.
const LABEL_LENGTH: usize = 40;

/// Everything that was found.
#[derive(Debug, Serialize)]
struct Comparison {
    /// See [`crate::report::FORMAT`], which the reports in it have.
    format: u32,
    /// As on the command line.
    load: Vec<String>,
    rounds: u16,
    interrupted: bool,
    servers: Vec<Compared>,
    /// One for each figure.
    summary: Vec<Summary>,
}

#[derive(Debug, Serialize)]
struct Compared {
    label: String,
    command: String,
    runs: Vec<Run>,
}

#[derive(Debug, Serialize)]
struct Run {
    /// From 1.
    round: u16,
    report: Option<Report>,
    /// Why there is no report.
    failure: Option<String>,
}

/// Runs all rounds, and shows what was found, if anything was.
///
/// # Errors
///
/// If the arguments make no sense.
pub fn compare(compare: &Compare) -> Result<ExitCode, Failed> {
    let labels = labels(compare).map_err(Failed::Arguments)?;
    let command = load_command(compare)?;
    interrupt::listen().map_err(Failed::Begin)?;
    let mut comparison = Comparison {
        format: crate::report::FORMAT,
        load: compare.load.clone(),
        rounds: compare.rounds,
        interrupted: false,
        servers: labels
            .into_iter()
            .zip(&compare.servers)
            .map(|(label, command)| Compared {
                label,
                command: command.clone(),
                runs: Vec::new(),
            })
            .collect(),
        summary: Vec::new(),
    };
    comparison.run_rounds(&command)?;
    comparison.summary = summary::summarize(&comparison.servers);
    if let Err(reason) = comparison.write(compare.json.as_deref()) {
        return Ok(fail(&reason, exit::NOT_WELL));
    }
    Ok(ExitCode::from(comparison.exit_code()))
}

impl Comparison {
    fn run_rounds(&mut self, command: &Command) -> Result<(), Failed> {
        for round in 1..=self.rounds {
            for index in order(round, self.servers.len()) {
                let Some(server) = self.servers.get_mut(index) else {
                    continue;
                };
                if !interrupt::has_come() {
                    server.run(round, self.rounds, command)?;
                }
                if interrupt::has_come() {
                    self.interrupted = true;
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn write(&self, json: Option<&Path>) -> Result<(), String> {
        let table = summary::table(&self.servers, &self.summary);
        let standard_output = Path::new("-");
        if json == Some(standard_output) {
            // So that the other is nothing but JSON.
            eprint!("{table}");
        } else {
            output::save(standard_output, &table)?;
        }
        if let Some(file) = json {
            let text = serde_json::to_string_pretty(self).map_err(|error| error.to_string())?;
            output::save(file, &(text + "\n"))?;
        }
        Ok(())
    }

    /// See [`crate::cli::EXIT_CODES`].
    fn exit_code(&self) -> u8 {
        let mut runs = self.servers.iter().flat_map(|server| &server.runs);
        if self.interrupted {
            exit::INTERRUPTED
        } else if runs.clone().any(|run| run.report.is_none()) {
            exit::NOT_BEGUN
        } else if runs.any(|run| !run.report.as_ref().is_some_and(Report::all_well)) {
            exit::NOT_WELL
        } else {
            0
        }
    }
}

impl Compared {
    fn run(&mut self, round: u16, rounds: u16, command: &Command) -> Result<(), Failed> {
        let command = with_server(command, &self.command);
        let Some(load) = load_of(&command) else {
            return Ok(());
        };
        let (mut report, mut failure) = (None, None);
        match execute(&command, load) {
            Ok(outcome) => {
                eprintln!("{}", line(round, rounds, &self.label, &outcome.report));
                report = Some(outcome.report);
            }
            Err(Failed::Begin(reason)) => {
                // What is wrong with one server is no reason to know nothing of the others.
                eprintln!("round {round}/{rounds}, {}: {reason}", self.label);
                failure = Some(reason);
            }
            Err(Failed::Interrupted) => return Ok(()),
            Err(arguments @ Failed::Arguments(_)) => return Err(arguments),
        }
        self.runs.push(Run {
            round,
            report,
            failure,
        });
        Ok(())
    }

    /// Those of one round after the other.
    fn reports(&self) -> impl Iterator<Item = (u16, &Report)> {
        self.runs
            .iter()
            .filter_map(|run| Some((run.round, run.report.as_ref()?)))
    }
}

/// Each second round backwards: a machine that gets slower, or warmer, is not always in favour of the same server.
fn order(round: u16, servers: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..servers).collect();
    if round.is_multiple_of(2) {
        order.reverse();
    }
    order
}

fn line(round: u16, rounds: u16, label: &str, report: &Report) -> String {
    let mut line = format!(
        "round {round}/{rounds}, {label}: {} operations/s",
        summary::count(report.throughput())
    );
    if let Some(latency) = report.latency {
        line += &format!(", p99 {}", summary::time(latency.p99));
    }
    let lost = lost(report);
    if lost > 0 {
        line += &format!(", {lost} failed or lost");
    }
    if let Some(server) = report.server.as_ref().filter(|server| server.ended_early) {
        line += &format!(", the server ended: {}", server.ended);
    }
    if report.interrupted {
        line += " (interrupted)";
    }
    line
}

/// One for each server.
fn labels(compare: &Compare) -> Result<Vec<String>, String> {
    let (servers, named) = (compare.servers.len(), compare.labels.len());
    if servers < 2 {
        return Err("compare: two --server at least".into());
    }
    if named == servers {
        let different: BTreeSet<_> = compare.labels.iter().collect();
        if different.len() < named {
            return Err("compare: two servers have the same --label".into());
        }
        return Ok(compare.labels.clone());
    }
    if named > 0 {
        return Err(format!(
            "compare: {named} --label for {servers} --server: one for each, or none"
        ));
    }
    let mut labels: Vec<String> = Vec::new();
    for (index, command) in compare.servers.iter().enumerate() {
        let label = shortened(command);
        let taken = labels.contains(&label);
        labels.push(if taken {
            format!("{label} ({})", index + 1)
        } else {
            label
        });
    }
    Ok(labels)
}

/// A command without its directories.
fn shortened(command: &str) -> String {
    let words = command.split_whitespace().map(|word| {
        let name = word.rsplit('/').find(|part| !part.is_empty());
        name.unwrap_or(word)
    });
    let label = words.collect::<Vec<_>>().join(" ");
    if label.chars().count() <= LABEL_LENGTH {
        return label;
    }
    let begin: String = label.chars().take(LABEL_LENGTH - 1).collect();
    begin + "…"
}

/// What comes after `--`, as a command line of its own. Ends the program as clap does if it is none.
fn load_command(compare: &Compare) -> Result<Command, Failed> {
    let (Some(first), Some((load, options))) =
        (compare.servers.first(), compare.load.split_first())
    else {
        return Err(Failed::Arguments("compare: no load after --".into()));
    };
    let refuse = |what: &str| Err(Failed::Arguments(format!("compare: {what}")));
    let names_server = |option: &String| option == "--server" || option.starts_with("--server=");
    if options.iter().any(names_server) {
        return refuse("--server belongs before --");
    }
    // With a server, as some options are only allowed with one.
    let server = ["--server", first];
    let arguments = ["reactor-load", load].into_iter().chain(server);
    let arguments = arguments.chain(options.iter().map(String::as_str));
    let mut command = Cli::try_parse_from(arguments)
        .unwrap_or_else(|error| error.exit())
        .command;
    let Some(load) = load_of_mut(&mut command) else {
        return refuse("neither compare nor merge is a load");
    };
    if load.target.is_some() {
        return refuse("no TARGET after --: the servers are what is loaded");
    }
    let refused = [
        (load.json.is_some(), "--json belongs before --"),
        (load.html.is_some(), "no --html after --: it shows one run"),
        (
            load.hdr_log.is_some(),
            "no --hdr-log after --: it is of one run",
        ),
        (
            load.start_at.is_some(),
            "no --start-at after --: there are many runs",
        ),
    ];
    if let Some((_, what)) = refused.iter().find(|(given, _)| *given) {
        return refuse(what);
    }
    load.quiet = true;
    Ok(command)
}

fn with_server(command: &Command, server: &str) -> Command {
    let mut command = command.clone();
    if let Some(load) = load_of_mut(&mut command) {
        load.server = Some(server.to_owned());
    }
    command
}

fn load_of(command: &Command) -> Option<&Load> {
    match command {
        Command::Echo(load) | Command::Udp(load) => Some(load),
        Command::Connect(connect) => Some(&connect.load),
        Command::Hold(hold) => Some(&hold.load),
        Command::Http(http) => Some(&http.load),
        Command::Compare(_) | Command::Merge(_) => None,
    }
}

fn load_of_mut(command: &mut Command) -> Option<&mut Load> {
    match command {
        Command::Echo(load) | Command::Udp(load) => Some(load),
        Command::Connect(connect) => Some(&mut connect.load),
        Command::Hold(hold) => Some(&mut hold.load),
        Command::Http(http) => Some(&mut http.load),
        Command::Compare(_) | Command::Merge(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_second_round_is_backwards() {
        assert_eq!(order(1, 3), [0, 1, 2]);
        assert_eq!(order(2, 3), [2, 1, 0]);
        assert_eq!(order(3, 2), [0, 1]);
    }

    #[test]
    fn labels_are_short_and_differ() {
        assert_eq!(
            shortened("/usr/bin/python3  examples/echo.py -x"),
            "python3 echo.py -x"
        );
        assert_eq!(shortened("cd / && ./a/"), "cd / && a");
        assert_eq!(shortened(&"é".repeat(100)).chars().count(), LABEL_LENGTH);
        let compare =
            |servers: &[&str], labels: &[&str]| labels_of(servers, labels).map_err(|_| "refused");
        assert_eq!(
            compare(&["/a/x", "/b/x"], &[]),
            Ok(vec!["x".into(), "x (2)".into()])
        );
        assert_eq!(
            compare(&["x", "y"], &["1", "2"]),
            Ok(vec!["1".into(), "2".into()])
        );
        assert_eq!(compare(&["x", "y"], &["1"]), Err("refused"));
        assert_eq!(compare(&["x", "y"], &["1", "1"]), Err("refused"));
        assert_eq!(compare(&["x"], &[]), Err("refused"));
    }

    fn labels_of(servers: &[&str], named: &[&str]) -> Result<Vec<String>, String> {
        labels(&arguments(servers, named, &["echo"]))
    }

    fn arguments(servers: &[&str], labels: &[&str], load: &[&str]) -> Compare {
        let owned = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
        Compare {
            servers: owned(servers),
            labels: owned(labels),
            rounds: 1,
            json: None,
            load: owned(load),
        }
    }

    fn parsed(load: &[&str]) -> Result<Command, String> {
        load_command(&arguments(&["first", "second"], &[], load))
            .map_err(|failed| format!("{failed:?}"))
    }

    #[test]
    fn the_load_is_parsed_as_any_and_is_quiet() {
        let command = parsed(&["hold", "--connections", "7", "--unix"]).expect("a load");
        let command = with_server(&command, "second");
        let load = load_of(&command).expect("a load");
        assert_eq!(command.name(), "hold");
        assert_eq!((load.connections, load.unix, load.quiet), (7, true, true));
        assert_eq!(load.server.as_deref(), Some("second"));
    }

    #[test]
    fn what_makes_no_sense_for_many_runs_is_refused() {
        // A time that is none for any run would end the program.
        let soon = std::time::SystemTime::now() + std::time::Duration::from_secs(60);
        let soon = humantime::format_rfc3339_seconds(soon).to_string();
        for load in [
            &["echo", "127.0.0.1:80"][..],
            &["echo", "--server", "x"],
            &["echo", "--server=x"],
            &["echo", "--json", "-"],
            &["echo", "--html", "x"],
            &["echo", "--hdr-log", "x"],
            &["echo", "--start-at", &soon],
            &["compare", "--server", "x", "--", "echo"],
            &["compare", "--", "echo"],
        ] {
            assert!(parsed(load).is_err(), "{load:?}");
        }
    }
}

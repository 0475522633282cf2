//! The cases of `benches/compare/` under our interpreter and others, in alternating rounds. For users: `docs/benchmarks.md`.

mod arguments;
mod cases;
mod interpreters;
mod report;
mod results;
mod statistics;
mod targets;

use std::{fs, path::Path};

use serde_json::json;

pub use arguments::Arguments;
use cases::{Row, Runner};
use interpreters::{Interpreter, Role};
use results::RowResult;

/// Runs the cases that the arguments name and prints the tables. `ours` is the interpreter if they name none.
///
/// # Errors
///
/// If an interpreter that was named does not work, or the file cannot be written. Cases may fail.
pub fn compare(arguments: &Arguments, ours: &Path) -> Result<(), String> {
    let interpreters = interpreters::all(arguments, ours)?;
    let [first, ..] = interpreters.as_slice() else {
        return Err("no interpreter".into());
    };
    let rows = cases::list(first, &arguments.only)?;
    if arguments.list {
        for row in rows {
            println!("{} {:?}", row.case, row.cpus);
        }
        return Ok(());
    }
    let peer = interpreters
        .iter()
        .find(|interpreter| interpreter.role == Role::Cpython)
        .unwrap_or(first);
    let runner = Runner {
        peer: &peer.program,
        limit: arguments.limit,
        quick: arguments.quick,
        cpu: cases::last_cpu()?,
    };
    let results = run_rounds(&runner, &interpreters, rows, arguments.rounds);
    let judged = targets::judge(&results);
    println!("{}", report::table(&interpreters, &results));
    println!("{}", report::complaints(&interpreters, &results));
    println!("{}", report::targets(&judged));
    if let Some(path) = &arguments.json {
        let run = json!({
            "rounds": arguments.rounds,
            "interpreters": interpreters,
            "rows": results.iter().map(RowResult::to_json).collect::<Vec<_>>(),
            "targets": judged,
        });
        let text = serde_json::to_vec_pretty(&run).map_err(|error| error.to_string())?;
        fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}

/// Every row under every interpreter in each round, the interpreters one right after the other, in an order that rotates: what
/// one leaves behind for the next meets all of them.
fn run_rounds(
    runner: &Runner,
    interpreters: &[Interpreter],
    rows: Vec<Row>,
    rounds: u32,
) -> Vec<RowResult> {
    let roles = || interpreters.iter().map(|interpreter| interpreter.role);
    let mut results: Vec<RowResult> = rows
        .into_iter()
        .map(|row| RowResult::new(row, roles()))
        .collect();
    for round in 0..rounds {
        eprintln!("bench-compare: round {} of {rounds}", round + 1);
        let first = round as usize % interpreters.len().max(1);
        for result in &mut results {
            let order = interpreters.iter().enumerate();
            for (index, interpreter) in order.clone().skip(first).chain(order.take(first)) {
                run_once(runner, interpreter, result, index);
            }
        }
    }
    results
}

fn run_once(runner: &Runner, interpreter: &Interpreter, result: &mut RowResult, index: usize) {
    let Some((_, series)) = result.series.get_mut(index) else {
        return;
    };
    if let Some(reason) = series.failure.clone() {
        // A case that hangs would take the whole limit again in every round.
        series.push(Err(reason));
        return;
    }
    let outcome = runner.run(interpreter, &result.row);
    match &outcome {
        Ok(figure) => result.unit.clone_from(&figure.unit),
        Err(reason) => eprintln!(
            "bench-compare: {} under {}: {reason}",
            result.row.case, interpreter.label
        ),
    }
    series.push(outcome.as_ref().map_err(Clone::clone));
}

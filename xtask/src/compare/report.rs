//! The results as Markdown.

use std::fmt::Write;

use super::{
    cases::Cpus,
    interpreters::{Interpreter, Role},
    results::{Quantity, RowResult, Series},
    statistics::Ratio,
    targets::Judged,
};

/// Three digits that count.
fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

fn cpus(cpus: Cpus) -> &'static str {
    match cpus {
        Cpus::One => "one",
        Cpus::All => "all",
    }
}

fn figures(series: &Series) -> String {
    let value = series.median(Quantity::Value).map(number);
    match (value, series.median(Quantity::Cpu).map(number)) {
        (None, _) => "fails".into(),
        (Some(value), None) => value,
        (Some(value), Some(cpu)) => format!("{value} ({cpu})"),
    }
}

fn spread(ratio: Ratio) -> String {
    format!("{:.2} [{:.2}, {:.2}]", ratio.median, ratio.low, ratio.high)
}

fn ratios(result: &RowResult, peer: Role) -> String {
    let Some(value) = result.ratio(peer, Quantity::Value) else {
        return "-".into();
    };
    let mut text = spread(value);
    if value.median > 1.0 {
        text = format!("**{text}**");
    }
    if let Some(cpu) = result.ratio(peer, Quantity::Cpu) {
        let _ = write!(text, " ({:.2})", cpu.median);
    }
    text
}

/// A table of all rows, ours and then each other interpreter.
pub fn table(interpreters: &[Interpreter], results: &[RowResult]) -> String {
    let others: Vec<&Interpreter> = interpreters
        .iter()
        .filter(|interpreter| interpreter.role != Role::Ours)
        .collect();
    let mut text = String::from("| case | CPUs | ours |");
    for interpreter in &others {
        let _ = write!(text, " {0} | ours / {0} |", interpreter.label);
    }
    text.push_str("\n|---|---|---|");
    text.push_str(&"---|---|".repeat(others.len()));
    text.push('\n');
    for result in results {
        let unit = if result.unit == "KiB" { " (KiB)" } else { "" };
        let _ = write!(
            text,
            "| `{}`{unit} | {} | {} |",
            result.row.case,
            cpus(result.row.cpus),
            result.series(Role::Ours).map_or_else(String::new, figures),
        );
        for interpreter in &others {
            let series = result.series(interpreter.role);
            let _ = write!(
                text,
                " {} | {} |",
                series.map_or_else(String::new, figures),
                ratios(result, interpreter.role)
            );
        }
        text.push('\n');
    }
    text
}

/// The rows that are slower than both peers, and what failed.
pub fn complaints(interpreters: &[Interpreter], results: &[RowResult]) -> String {
    let mut text = String::new();
    for result in results.iter().filter(|result| result.is_slower_than_both()) {
        let ratio = |peer| {
            result
                .ratio(peer, Quantity::Value)
                .map_or_else(String::new, spread)
        };
        let _ = writeln!(
            text,
            "* Slower than both: `{}`, CPUs: {}: {} and {}",
            result.row.case,
            cpus(result.row.cpus),
            ratio(Role::Cpython),
            ratio(Role::Stock)
        );
    }
    for result in results {
        for (role, series) in &result.series {
            let label = interpreters
                .iter()
                .find_map(|of| (of.role == *role).then_some(of.label.as_str()));
            if let (Some(label), Some(reason)) = (label, &series.failure) {
                let _ = writeln!(
                    text,
                    "* Fails: `{}`, CPUs: {}, {label}: {reason}",
                    result.row.case,
                    cpus(result.row.cpus)
                );
            }
        }
    }
    text
}

/// A table of the targets; empty without any.
pub fn targets(judged: &[Judged]) -> String {
    if judged.is_empty() {
        return String::new();
    }
    let mut text = String::from(
        "| target | CPUs | against | at most | reached | processor time | |\n|---|---|---|---|---|---|---|\n",
    );
    for target in judged {
        let quantity = match target.quantity {
            Quantity::Value => "",
            Quantity::Cpu => ", processor time",
        };
        let _ = writeln!(
            text,
            "| `{}`{quantity} | {} | {} | {:.2} | {} | {} | {} |",
            target.case,
            cpus(target.cpus),
            target.against,
            target.at_most,
            spread(target.reached),
            target
                .reached_cpu
                .map_or_else(|| "-".into(), |ratio| format!("{:.2}", ratio.median)),
            if target.met { "met" } else { "**missed**" }
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{super::results::tests::row, *};

    #[test]
    fn a_row_tells_all_figures() {
        let interpreters: Vec<Interpreter> = [(Role::Ours, "ours"), (Role::Stock, "stock")]
            .into_iter()
            .map(|(role, label)| Interpreter {
                role,
                label: label.into(),
                program: "x".into(),
            })
            .collect();
        let mut results = vec![row(
            "a.b",
            Cpus::One,
            &[(Role::Ours, &[3.0, 3.0]), (Role::Stock, &[2.0, 2.0])],
        )];
        let text = table(&interpreters, &results);
        assert!(
            text.ends_with(
                "| `a.b` | one | 3.00 (1.50) | 2.00 (1.00) | **1.50 [1.50, 1.50]** (1.50) |\n"
            ),
            "{text}"
        );
        assert_eq!(complaints(&interpreters, &results), "");
        results[0].series[1].1 = Series::default();
        results[0].series[1].1.push(Err("no end".into()));
        assert!(table(&interpreters, &results).contains("| fails | - |"));
        assert!(complaints(&interpreters, &results).contains("stock: no end"));
    }

    #[test]
    fn targets_fit_their_table() {
        let ratio = Ratio {
            median: 0.5,
            low: 0.25,
            high: 0.75,
        };
        let judged = Judged {
            case: "a.b",
            cpus: Cpus::All,
            quantity: Quantity::Value,
            against: "stock".into(),
            at_most: 0.6,
            reached: ratio,
            reached_cpu: None,
            met: true,
        };
        let text = targets(&[judged]);
        let columns: Vec<usize> = text.lines().map(|line| line.matches('|').count()).collect();
        assert_eq!(columns, [8; 3], "{text}");
        assert!(
            text.ends_with("| `a.b` | all | stock | 0.60 | 0.50 [0.25, 0.75] | - | met |\n"),
            "{text}"
        );
        assert_eq!(targets(&[]), "");
    }

    #[test]
    fn numbers_keep_three_digits() {
        assert_eq!(
            [1234.5, 12.345, 1.2345, 0.12345].map(number),
            ["1234", "12.3", "1.23", "0.123"]
        );
    }
}

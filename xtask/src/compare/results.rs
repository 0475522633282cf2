//! What the rounds have brought.

use serde::Serialize;
use serde_json::{Value, json};

use super::{
    cases::{Cpus, Figure, Row},
    interpreters::Role,
    statistics::{self, Ratio},
};

/// Which of a case's two figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Quantity {
    /// Wall time, or memory.
    Value,
    Cpu,
}

/// One interpreter's figures of one row, by round; `None` for a round without.
#[derive(Debug, Default)]
pub struct Series {
    values: Vec<Option<f64>>,
    cpu: Vec<Option<f64>>,
    /// Why it has no more figures.
    pub failure: Option<String>,
}

impl Series {
    fn of(&self, quantity: Quantity) -> &[Option<f64>] {
        match quantity {
            Quantity::Value => &self.values,
            Quantity::Cpu => &self.cpu,
        }
    }

    pub fn median(&self, quantity: Quantity) -> Option<f64> {
        let present: Vec<f64> = self.of(quantity).iter().copied().flatten().collect();
        statistics::median(&present)
    }

    /// Adds the outcome of the next round.
    pub fn push(&mut self, outcome: Result<&Figure, String>) {
        let figure = outcome.map_err(|reason| self.failure = Some(reason)).ok();
        self.values.push(figure.map(|figure| figure.value));
        self.cpu.push(figure.and_then(|figure| figure.cpu));
    }
}

/// This series divided by the other, round by round.
pub fn ratio(ours: &Series, theirs: &Series, quantity: Quantity) -> Option<Ratio> {
    let pairs = ours.of(quantity).iter().zip(theirs.of(quantity));
    Ratio::of(pairs.filter_map(|(ours, theirs)| Some(((*ours)?, (*theirs)?))))
}

/// One row, with a series for each interpreter.
#[derive(Debug)]
pub struct RowResult {
    pub row: Row,
    pub unit: String,
    pub series: Vec<(Role, Series)>,
}

impl RowResult {
    pub fn new(row: Row, roles: impl IntoIterator<Item = Role>) -> Self {
        Self {
            row,
            unit: String::new(),
            series: roles
                .into_iter()
                .map(|role| (role, Series::default()))
                .collect(),
        }
    }

    pub fn series(&self, role: Role) -> Option<&Series> {
        self.series
            .iter()
            .find_map(|(of, series)| (*of == role).then_some(series))
    }

    /// Ours against theirs.
    pub fn ratio(&self, theirs: Role, quantity: Quantity) -> Option<Ratio> {
        ratio(self.series(Role::Ours)?, self.series(theirs)?, quantity)
    }

    /// All figures, their medians and ratios.
    pub fn to_json(&self) -> Value {
        let of_series = |(role, series): &(Role, Series)| {
            let ratio = |quantity| self.ratio(*role, quantity);
            json!({
                "interpreter": role,
                "values": series.values,
                "cpu": series.cpu,
                "failure": series.failure,
                "median": series.median(Quantity::Value),
                "cpu_median": series.median(Quantity::Cpu),
                "ours_to_this": ratio(Quantity::Value),
                "ours_to_this_cpu": ratio(Quantity::Cpu),
            })
        };
        json!({
            "case": self.row.case,
            "cpus": self.row.cpus,
            "unit": self.unit,
            "slower_than_both": self.is_slower_than_both(),
            "series": self.series.iter().map(of_series).collect::<Vec<_>>(),
        })
    }

    /// Whether CPython and the stock interpreter are both faster, or smaller, than ours.
    pub fn is_slower_than_both(&self) -> bool {
        [Role::Cpython, Role::Stock].into_iter().all(|peer| {
            self.ratio(peer, Quantity::Value)
                .is_some_and(|ratio| ratio.median > 1.0)
        })
    }
}

pub fn find<'a>(results: &'a [RowResult], case: &str, cpus: Cpus) -> Option<&'a RowResult> {
    results
        .iter()
        .find(|result| result.row.case == case && result.row.cpus == cpus)
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A row with these figures in its rounds; the processor time is half of each.
    pub fn row(case: &str, cpus: Cpus, series: &[(Role, &[f64])]) -> RowResult {
        let row = Row {
            case: case.into(),
            cpus,
        };
        let mut result = RowResult::new(row, series.iter().map(|(role, _)| *role));
        for ((_, place), (_, values)) in result.series.iter_mut().zip(series) {
            for &value in *values {
                place.push(Ok(&Figure {
                    value,
                    cpu: Some(value / 2.0),
                    unit: "s".into(),
                }));
            }
        }
        result
    }

    #[test]
    fn rounds_without_a_figure_do_not_count() {
        let mut result = row(
            "a.b",
            Cpus::One,
            &[(Role::Ours, &[2.0]), (Role::Stock, &[1.0])],
        );
        let figure = Figure {
            value: 100.0,
            cpu: None,
            unit: "s".into(),
        };
        result.series[0].1.push(Ok(&figure));
        result.series[1].1.push(Err("hangs".into()));
        let ratio = result.ratio(Role::Stock, Quantity::Value).unwrap();
        assert_eq!((ratio.median, ratio.high), (2.0, 2.0));
        assert_eq!(result.series[1].1.failure.as_deref(), Some("hangs"));
        assert_eq!(result.series[0].1.median(Quantity::Cpu), Some(1.0));
    }

    #[test]
    fn slower_than_both_needs_both() {
        let slower = |cpython: &[f64], stock: &[f64]| {
            row(
                "a.b",
                Cpus::One,
                &[
                    (Role::Ours, &[2.0]),
                    (Role::Cpython, cpython),
                    (Role::Stock, stock),
                ],
            )
            .is_slower_than_both()
        };
        assert!(slower(&[1.0], &[1.9]));
        assert!(!slower(&[1.0], &[2.0]));
        assert!(!slower(&[3.0], &[1.0]));
        assert!(!slower(&[1.0], &[]));
    }
}

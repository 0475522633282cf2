//! What the project promises to reach, as ratios.

use serde::Serialize;

use super::{
    cases::Cpus,
    interpreters::Role,
    results::{self, Quantity, RowResult},
    statistics::Ratio,
};

/// What ours is divided by.
#[derive(Clone, Copy)]
enum Against {
    /// Another interpreter's figure of the same row.
    Role(Role),
    /// Our own figure of another case.
    Case(&'static str),
}

struct Target {
    case: &'static str,
    cpus: Cpus,
    quantity: Quantity,
    against: Against,
    at_most: f64,
}

const fn wall(case: &'static str, cpus: Cpus, role: Role, at_most: f64) -> Target {
    Target {
        case,
        cpus,
        quantity: Quantity::Value,
        against: Against::Role(role),
        at_most,
    }
}

/// Ours of `case` against ours of `other`.
const fn own(case: &'static str, cpus: Cpus, other: &'static str, at_most: f64) -> Target {
    Target {
        case,
        cpus,
        quantity: Quantity::Value,
        against: Against::Case(other),
        at_most,
    }
}

/// The processor time of polling against that of sleeping.
const fn polling(case: &'static str, cpus: Cpus, at_most: f64) -> Target {
    Target {
        case,
        cpus,
        quantity: Quantity::Cpu,
        against: Against::Role(Role::Sleeping),
        at_most,
    }
}

use Cpus::{All, One};
use Role::{Cpython, Stock};

const TARGETS: [Target; 34] = [
    wall("ready.send_recv", One, Cpython, 0.95),
    wall("ready.send_recv", One, Stock, 0.80),
    wall("ready.send_recv_with_timeout", One, Cpython, 0.55),
    wall("ready.send_recv_with_timeout", One, Stock, 0.48),
    wall("ping_pong.tcp", All, Cpython, 0.25),
    wall("ping_pong.tcp", All, Stock, 0.25),
    wall("ping_pong.tcp_processes", All, Cpython, 0.25),
    wall("ping_pong.tcp_processes", All, Stock, 0.25),
    wall("ping_pong.tcp", One, Cpython, 0.95),
    wall("ping_pong.tcp", One, Stock, 0.95),
    own("ping_pong.tcp_with_timeout", One, "ping_pong.tcp", 1.05),
    own("ping_pong.tcp_with_timeout", All, "ping_pong.tcp", 1.05),
    wall("ready.sendto_recvfrom", One, Cpython, 0.85),
    wall("ready.sendto_recvfrom", One, Stock, 0.72),
    wall("connections.accept", One, Cpython, 0.55),
    wall("connections.accept", One, Stock, 0.28),
    wall("connections.churn", One, Cpython, 0.85),
    wall("connections.churn", One, Stock, 0.65),
    wall("connections.create_close", One, Cpython, 0.80),
    wall("connections.create_close", One, Stock, 0.65),
    wall("small_calls.getaddrinfo_numeric", One, Cpython, 0.40),
    wall("small_calls.getaddrinfo_numeric", One, Stock, 0.13),
    wall("lines.read_binary", One, Cpython, 1.0),
    wall("lines.read_binary", One, Stock, 0.03),
    wall("lines.write_binary", One, Cpython, 1.0),
    wall("threads.connections_1000", All, Cpython, 0.10),
    wall("threads.connections_1000", All, Stock, 0.90),
    wall("bulk.tcp_1m", All, Cpython, 1.05),
    wall("bulk.tcp_1m", All, Stock, 1.05),
    wall("memory.blocked_thread", All, Stock, 0.20),
    wall("start_up.interpreter", One, Stock, 1.0),
    polling("ping_pong.tcp", All, 2.0),
    polling("ping_pong.tcp_processes", All, 2.0),
    polling("ping_pong.tcp_native", All, 2.0),
];

/// A target that the run has figures for.
#[derive(Debug, Serialize)]
pub struct Judged {
    pub case: &'static str,
    pub cpus: Cpus,
    pub quantity: Quantity,
    /// A role, or another case of ours.
    pub against: String,
    pub at_most: f64,
    pub reached: Ratio,
    /// The ratio of the processor times, to tell a busy machine from a slow program.
    pub reached_cpu: Option<Ratio>,
    pub met: bool,
}

/// Holds the results against the targets, as far as they tell.
pub fn judge(results: &[RowResult]) -> Vec<Judged> {
    let judge = |target: &Target| {
        let result = results::find(results, target.case, target.cpus)?;
        let ours = result.series(Role::Ours)?;
        let (against, theirs) = match target.against {
            Against::Role(role) => (format!("{role:?}").to_lowercase(), result.series(role)?),
            Against::Case(other) => {
                let result = results::find(results, other, target.cpus)?;
                (other.to_owned(), result.series(Role::Ours)?)
            }
        };
        let reached = results::ratio(ours, theirs, target.quantity)?;
        Some(Judged {
            case: target.case,
            cpus: target.cpus,
            quantity: target.quantity,
            against,
            at_most: target.at_most,
            met: reached.median <= target.at_most,
            reached,
            reached_cpu: results::ratio(ours, theirs, Quantity::Cpu),
        })
    };
    TARGETS.iter().filter_map(judge).collect()
}

#[cfg(test)]
mod tests {
    use super::{super::results::tests::row, *};

    /// A target of a case that nobody runs would never be missed.
    #[test]
    fn targets_are_about_cases() {
        for target in &TARGETS {
            let mut names = vec![target.case];
            if let Against::Case(other) = target.against {
                names.push(other);
            }
            for name in names {
                let (module, function) = name.split_once('.').unwrap();
                let path = format!("../benches/compare/{module}.py");
                let source = std::fs::read_to_string(&path).unwrap();
                let definition = format!("\ndef {function}(bench):");
                assert!(source.contains(&definition), "{path} has no {function}");
            }
        }
    }

    #[test]
    fn each_target_is_judged_by_its_own_figures() {
        let results = [
            row(
                "ready.send_recv",
                One,
                &[
                    (Role::Ours, &[0.9, 0.9]),
                    (Cpython, &[1.0, 1.0]),
                    (Stock, &[1.0, 1.0]),
                ],
            ),
            // Not the row that the target is about.
            row(
                "ready.send_recv_with_timeout",
                All,
                &[(Role::Ours, &[1.0]), (Cpython, &[9.0])],
            ),
        ];
        let judged = judge(&results);
        let seen: Vec<_> = judged
            .iter()
            .map(|target| (target.against.as_str(), target.reached.median, target.met))
            .collect();
        assert_eq!(seen, [("cpython", 0.9, true), ("stock", 0.9, false)]);
    }

    #[test]
    fn a_case_is_held_against_another_of_ours() {
        let results = [
            row(
                "ping_pong.tcp",
                All,
                &[(Role::Ours, &[10.0]), (Role::Sleeping, &[20.0])],
            ),
            row("ping_pong.tcp_with_timeout", All, &[(Role::Ours, &[11.0])]),
        ];
        let judged = judge(&results);
        assert_eq!(judged.len(), 2, "{judged:?}");
        assert_eq!(judged[0].against, "ping_pong.tcp");
        assert!(!judged[0].met);
        assert_eq!(judged[1].quantity, Quantity::Cpu);
        assert!(judged[1].met);
    }
}

//! What a module's two runs mean: ours, and CPython's own in the same surroundings.

use std::collections::BTreeSet;

use super::{
    expected::{Kind, Pattern},
    process::{Outcome, Record, Run},
};

/// What one test shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Finding {
    Passes,
    /// Skipped, as by CPython.
    SkippedByBoth,
    /// CPython fails it here as well: this machine lacks what it needs.
    FailsOnBoth,
    /// CPython runs it, we skip it.
    Skipped,
    /// CPython does not fail it, we do.
    Fails,
    /// CPython passes it, and it is not among ours.
    Absent,
}

/// The verdict on one module.
#[derive(Debug, Default)]
pub struct Verdict {
    pub passed: usize,
    pub skipped: usize,
    /// Failures that CPython has here as well.
    pub shared: Vec<String>,
    /// Failures that the list names.
    pub expected: usize,
    /// All that must not be, each in one line.
    pub problems: Vec<String>,
}

/// A test's record, or the refusal of its whole module.
fn of<'a>(run: &'a Run, test: &str) -> Option<&'a Record> {
    run.records.get(test).or(run.refused.as_ref())
}

fn find(ours: Option<&Record>, theirs: Option<&Record>, compared: bool) -> Finding {
    let theirs_outcome = theirs.map(|record| record.outcome);
    let Some(ours) = ours else {
        return match theirs_outcome {
            Some(Outcome::Pass) => Finding::Absent,
            Some(Outcome::Skip) | None => Finding::SkippedByBoth,
            Some(_) => Finding::FailsOnBoth,
        };
    };
    match ours.outcome {
        Outcome::Pass => Finding::Passes,
        Outcome::Skip if compared && theirs_outcome == Some(Outcome::Pass) => Finding::Skipped,
        Outcome::Skip => Finding::SkippedByBoth,
        _ if theirs_outcome.is_some_and(Outcome::is_failure) => Finding::FailsOnBoth,
        _ => Finding::Fails,
    }
}

/// Judges `ours` by `theirs` (if there is a CPython to compare with) and by the list's patterns for the module.
pub fn judge(ours: &Run, theirs: Option<&Run>, patterns: &[Pattern]) -> Verdict {
    let mut verdict = Verdict::default();
    let mut tests: BTreeSet<&String> = ours.records.keys().collect();
    tests.extend(theirs.iter().flat_map(|run| run.records.keys()));
    for test in &tests {
        let listed = patterns.iter().find(|pattern| pattern.names(test));
        let finding = find(
            of(ours, test),
            theirs.and_then(|run| of(run, test)),
            theirs.is_some(),
        );
        verdict.count(
            test,
            finding,
            of(ours, test),
            listed.map(|listed| listed.kind),
        );
    }
    if let Some(refused) = &ours.refused
        && tests.is_empty()
        && refused.outcome.is_failure()
    {
        verdict
            .problems
            .push(format!("cannot be imported: {}", refused.reason));
    }
    for pattern in patterns {
        if !tests.iter().any(|test| pattern.names(test)) {
            verdict
                .problems
                .push(format!("{}: LISTED, but fits no test", pattern.test));
        }
    }
    verdict
}

impl Verdict {
    fn count(&mut self, test: &str, finding: Finding, ours: Option<&Record>, listed: Option<Kind>) {
        match (finding, listed) {
            (Finding::SkippedByBoth, _) => self.skipped += 1,
            (Finding::FailsOnBoth, _) => self.shared.push(test.to_owned()),
            (Finding::Fails | Finding::Absent, Some(Kind::Fails | Kind::Hangs))
            | (Finding::Fails, Some(Kind::Varies))
            | (Finding::Skipped, Some(Kind::Skips)) => self.expected += 1,
            (Finding::Passes, None | Some(Kind::Varies)) => self.passed += 1,
            (Finding::Passes, Some(_)) => self
                .problems
                .push(format!("{test}: PASSES, but the list expects otherwise")),
            (Finding::Fails | Finding::Absent | Finding::Skipped, _) => {
                let what = match finding {
                    Finding::Skipped => "SKIPPED here, run by CPython",
                    Finding::Absent => "ABSENT here, passed by CPython",
                    _ => match ours.map(|record| record.outcome) {
                        Some(Outcome::Hang) => "HANGS",
                        Some(Outcome::Crash) => "CRASHES",
                        _ => "FAILS",
                    },
                };
                let reason = ours.map_or("", |record| record.reason.as_str());
                self.problems.push(format!("{test}: {what}: {reason}"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(records: &[(&str, Outcome)]) -> Run {
        let mut run = Run::default();
        for (test, outcome) in records {
            run.records.insert(
                (*test).into(),
                Record {
                    outcome: *outcome,
                    reason: String::new(),
                },
            );
        }
        run
    }

    fn problems(
        ours: &[(&str, Outcome)],
        theirs: &[(&str, Outcome)],
        listed: &[(&str, Kind)],
    ) -> usize {
        let patterns: Vec<Pattern> = listed
            .iter()
            .map(|(test, kind)| Pattern { test, kind: *kind })
            .collect();
        judge(&run(ours), Some(&run(theirs)), &patterns)
            .problems
            .len()
    }

    #[test]
    fn what_cpython_does_here_is_asked_of_us() {
        use Outcome::{Crash, Error, Fail, Hang, Pass, Skip};

        for (ours, theirs, wrong) in [
            (Pass, Pass, 0),
            (Pass, Skip, 0),
            (Pass, Fail, 0),
            (Skip, Pass, 1),
            (Skip, Skip, 0),
            (Skip, Error, 0),
            (Fail, Pass, 1),
            (Error, Skip, 1),
            (Hang, Pass, 1),
            (Crash, Pass, 1),
            (Fail, Error, 0),
            (Hang, Fail, 0),
        ] {
            assert_eq!(
                problems(&[("a", ours)], &[("a", theirs)], &[]),
                wrong,
                "{ours:?} {theirs:?}"
            );
        }
        assert_eq!(problems(&[], &[("a", Pass)], &[]), 1);
        assert_eq!(problems(&[], &[("a", Skip)], &[]), 0);
        assert_eq!(problems(&[("a", Fail)], &[], &[]), 1);
    }

    #[test]
    fn the_list_excuses_what_it_says_and_nothing_else() {
        use Outcome::{Error, Hang, Pass, Skip};

        let both = [("a.x", Pass), ("a.y", Pass)];
        let fails = [("a.x", Error), ("a.y", Hang)];
        assert_eq!(problems(&fails, &both, &[("a.*", Kind::Fails)]), 0);
        assert_eq!(problems(&fails, &both, &[("a.x", Kind::Fails)]), 1);
        assert_eq!(problems(&fails, &both, &[("a.*", Kind::Skips)]), 2);
        let skips = [("a.x", Skip), ("a.y", Pass)];
        assert_eq!(problems(&skips, &both, &[("a.x", Kind::Skips)]), 0);
        assert_eq!(problems(&skips, &both, &[("a.x", Kind::Fails)]), 1);
        assert_eq!(problems(&both, &both, &[("a.*", Kind::Varies)]), 0);
        assert_eq!(problems(&fails, &both, &[("a.*", Kind::Varies)]), 0);
        assert_eq!(problems(&skips, &both, &[("a.*", Kind::Varies)]), 1);
        // One that passes, of two that a pattern names.
        assert_eq!(problems(&skips, &both, &[("a.*", Kind::Skips)]), 1);
        // Fits nothing.
        assert_eq!(problems(&both, &both, &[("b.*", Kind::Fails)]), 1);
    }

    #[test]
    fn a_module_that_cannot_be_imported_fails_each_of_its_tests() {
        let ours = Run {
            refused: Some(Record {
                outcome: Outcome::Error,
                reason: "ImportError".into(),
            }),
            ..Run::default()
        };
        let theirs = run(&[("a", Outcome::Pass), ("b", Outcome::Skip)]);
        assert_eq!(judge(&ours, Some(&theirs), &[]).problems.len(), 2);
        assert_eq!(judge(&ours, None, &[]).problems.len(), 1);
    }
}

//! How many passed and how many failed.

use std::ops::AddAssign;

/// A count of tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
}

impl Tally {
    /// One thing that either holds or not.
    pub(crate) fn one(passed: bool) -> Self {
        Self {
            passed: usize::from(passed),
            failed: usize::from(!passed),
        }
    }

    /// The same, but with at least one failure: for a runner that failed whatever it counted.
    pub(crate) fn with_failure(self) -> Self {
        Self {
            failed: self.failed.max(1),
            ..self
        }
    }

    /// Reads a closing line of cargo's test runner: `test result: ok. 5 passed; 0 failed; …`.
    pub(crate) fn of_cargo_line(line: &str) -> Option<Self> {
        let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
        let mut counts = counts.split("; ");
        Some(Self {
            passed: counts.next()?.strip_suffix(" passed")?.parse().ok()?,
            failed: counts.next()?.strip_suffix(" failed")?.parse().ok()?,
        })
    }

    /// Reads the figures of a JUnit report, as pytest writes it.
    pub(crate) fn of_junit(report: &str) -> Option<Self> {
        let suite = report.split_once("<testsuite ")?.1.split_once('>')?.0;
        let figure = |name: &str| -> Option<usize> {
            let value = suite.split_once(&format!("{name}=\""))?.1;
            value.split_once('"')?.0.parse().ok()
        };
        let failed = figure("failures")? + figure("errors")?;
        Some(Self {
            passed: figure("tests")?.checked_sub(failed + figure("skipped")?)?,
            failed,
        })
    }

    /// Reads the closing lines of a TAP report, as node's test runner writes it.
    pub(crate) fn of_tap(report: &str) -> Option<Self> {
        let figure = |name: &str| -> Option<usize> {
            report
                .lines()
                .rev()
                .find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
        };
        Some(Self {
            passed: figure("# pass ")?,
            failed: figure("# fail ")? + figure("# cancelled ")?,
        })
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::Tally;

    const FIVE_AND_TWO: Option<Tally> = Some(Tally {
        passed: 5,
        failed: 2,
    });

    #[test]
    fn cargo_closing_line_is_counted() {
        let line = "test result: FAILED. 5 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out";
        assert_eq!(Tally::of_cargo_line(line), FIVE_AND_TWO);
        assert_eq!(Tally::of_cargo_line("test a ... ok"), None);
    }

    #[test]
    fn junit_errors_count_as_failures_and_skips_as_nothing() {
        let report = r#"<?xml version="1.0"?><testsuites name="pytest tests"><testsuite name="pytest"
            errors="1" failures="1" skipped="3" tests="10" time="1.0"><testcase/>"#;
        let report = report.replace('\n', " ");
        assert_eq!(Tally::of_junit(&report), FIVE_AND_TWO);
    }

    #[test]
    fn tap_counts_cancelled_tests_as_failures() {
        let report =
            "ok 1 - a\n# tests 7\n# suites 0\n# pass 5\n# fail 1\n# cancelled 1\n# skipped 0\n";
        assert_eq!(Tally::of_tap(report), FIVE_AND_TWO);
    }
}

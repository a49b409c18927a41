//! What must be reached.

use std::ops::RangeInclusive;

use serde::Serialize;

use crate::peer::{PEERS, Role};
use crate::report::{self, Report};
use crate::select::CELLS;

/// A bound on the ratio to the floor.
struct Bound {
    server: &'static str,
    sizes: RangeInclusive<usize>,
    in_flight: usize,
    at_most: f64,
}

const SMALL: RangeInclusive<usize> = 0..=1024;
const MEDIUM: RangeInclusive<usize> = 16 * 1024..=16 * 1024;
const LARGE: RangeInclusive<usize> = 1024 * 1024..=1024 * 1024;

const fn bound(
    server: &'static str,
    sizes: RangeInclusive<usize>,
    in_flight: usize,
    at_most: f64,
) -> Bound {
    Bound {
        server,
        sizes,
        in_flight,
        at_most,
    }
}

/// All of them hold for the median of 25 rounds.
const BOUNDS: &[Bound] = &[
    bound("telsiz", SMALL, 1, 1.08),
    bound("telsiz", SMALL, 16, 1.15),
    bound("telsiz", MEDIUM, 1, 1.20),
    bound("telsiz", LARGE, 1, 1.00),
    bound("telsiz-recv", SMALL, 1, 1.10),
    bound("telsiz-recv", SMALL, 16, 1.25),
    bound("telsiz-recv", MEDIUM, 1, 1.25),
    bound("telsiz-recv", LARGE, 1, 1.05),
];

/// No server of others may be ahead of this one beyond the interval of the two's ratio.
const LEADER: &str = "telsiz";

/// Resident bytes per idle connection, fresh or after an echo.
const IDLE: &[(&str, f64)] = &[("telsiz", 1400.0)];

/// What became of one bound.
#[derive(Debug, Serialize)]
pub(crate) struct Verdict {
    pub(crate) outcome: Outcome,
    pub(crate) text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    Met,
    Missed,
    NotMeasured,
}

impl Outcome {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Missed => "NOT MET",
            Self::NotMeasured => "not measured",
        }
    }
}

impl Verdict {
    fn new(met: bool, text: String) -> Self {
        let outcome = if met { Outcome::Met } else { Outcome::Missed };
        Self { outcome, text }
    }

    fn not_measured(text: String) -> Self {
        Self {
            outcome: Outcome::NotMeasured,
            text,
        }
    }
}

/// Whether something was measured and nothing missed; of a whole run also that nothing was left out.
pub(crate) fn hold(verdicts: &[Verdict], whole: bool) -> bool {
    let any = |outcome| verdicts.iter().any(|verdict| verdict.outcome == outcome);
    any(Outcome::Met) && !any(Outcome::Missed) && !(whole && any(Outcome::NotMeasured))
}

/// Holds a report against all bounds.
pub(crate) fn judge(report: &Report) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for bound in BOUNDS {
        ratios(report, bound, &mut verdicts);
    }
    for peer in PEERS.iter().filter(|peer| peer.role == Role::Theirs) {
        lead(report, peer.name, &mut verdicts);
    }
    for (server, at_most) in IDLE {
        idle(report, server, *at_most, &mut verdicts);
    }
    verdicts
}

fn ratios(report: &Report, bound: &Bound, verdicts: &mut Vec<Verdict>) {
    let Bound {
        server, at_most, ..
    } = bound;
    let applies = |size, in_flight| bound.sizes.contains(&size) && bound.in_flight == in_flight;
    for cell in &report.cells {
        let Some(found) = cell.server(server) else {
            continue;
        };
        if applies(cell.cell.size, cell.cell.in_flight) {
            let ratio = found.ratio.median;
            let cell = cell.cell;
            verdicts.push(Verdict::new(
                ratio <= *at_most,
                format!("{server} at {cell}: {ratio:.3} of the floor, at most {at_most:.2}"),
            ));
        }
    }
    for cell in CELLS {
        let measured = report
            .cells
            .iter()
            .any(|report| report.cell == *cell && report.server(server).is_some());
        if applies(cell.size, cell.in_flight) && !measured {
            verdicts.push(Verdict::not_measured(format!(
                "{server} at {cell}: at most {at_most:.2} of the floor"
            )));
        }
    }
}

fn lead(report: &Report, other: &str, verdicts: &mut Vec<Verdict>) {
    for cell in &report.cells {
        let (Some(ours), Some(theirs)) = (cell.server(LEADER), cell.server(other)) else {
            continue;
        };
        let Some(ratio) = report::ratio(&ours.samples, &theirs.samples) else {
            continue;
        };
        verdicts.push(Verdict::new(
            ratio.low <= 1.0,
            format!(
                "{LEADER} at {}: {:.2} ({:.2} to {:.2}) of {other}, not above 1 beyond its interval",
                cell.cell, ratio.median, ratio.low, ratio.high
            ),
        ));
    }
}

fn idle(report: &Report, server: &str, at_most: f64, verdicts: &mut Vec<Verdict>) {
    let text = format!("{server}: resident bytes per idle connection, at most {at_most:.0}");
    verdicts.push(
        match report.idle.iter().find(|idle| idle.server.name == server) {
            Some(idle) => Verdict::new(
                idle.fresh <= at_most && idle.after_echo <= at_most,
                format!(
                    "{text}: {:.0}, {:.0} after an echo",
                    idle.fresh, idle.after_echo
                ),
            ),
            None => Verdict::not_measured(text),
        },
    );
}

#[cfg(test)]
mod tests {
    use load::Cell;

    use super::*;
    use crate::report::tests::{name, report};

    /// The verdict on what was measured, if it is the only one.
    fn outcome(report: &Report) -> Vec<Outcome> {
        judge(report)
            .iter()
            .map(|verdict| verdict.outcome)
            .filter(|outcome| *outcome != Outcome::NotMeasured)
            .collect()
    }

    #[test]
    fn a_bound_holds_up_to_its_value() {
        let at = |cpu: f64| {
            let cell = Cell::new(128, 100, 1);
            outcome(&report(cell, &[("floor", &[100.0]), ("telsiz", &[cpu])]))
        };
        assert_eq!(at(108.0), [Outcome::Met]);
        assert_eq!(at(108.1), [Outcome::Missed]);
    }

    #[test]
    fn other_servers_may_be_ahead_within_the_interval_only() {
        let with = |theirs: &[f64]| {
            let cell = Cell::new(20, 7, 7);
            let servers: &[(_, &[f64])] = &[
                ("floor", &[1.0; 4]),
                ("telsiz", &[1.0; 4]),
                ("yawc", theirs),
            ];
            outcome(&report(cell, servers))
        };
        assert_eq!(with(&[0.9, 0.9, 0.9, 1.1]), [Outcome::Met]);
        assert_eq!(with(&[0.9; 4]), [Outcome::Missed]);
        assert_eq!(with(&[1.1; 4]), [Outcome::Met]);
    }

    #[test]
    fn idle_memory_is_bound_fresh_and_after_an_echo() {
        let with = |fresh, after_echo| {
            let mut report = report(Cell::new(20, 7, 7), &[]);
            report.idle.push(report::Idle {
                server: name("telsiz"),
                fresh,
                after_echo,
            });
            outcome(&report)
        };
        assert_eq!(with(1400.0, 1400.0), [Outcome::Met]);
        assert_eq!(with(1400.0, 1401.0), [Outcome::Missed]);
    }

    #[test]
    fn every_default_cell_has_a_bound_and_counts_when_it_is_missing() {
        let verdicts = judge(&report(Cell::new(20, 7, 7), &[]));
        assert_eq!(verdicts.len(), 2 * CELLS.len() + IDLE.len());
        assert!(!hold(&verdicts, false));
        let mut verdicts = vec![Verdict::new(true, String::new())];
        assert!(hold(&verdicts, true));
        verdicts.push(Verdict::not_measured(String::new()));
        assert!(hold(&verdicts, false));
        assert!(!hold(&verdicts, true));
        verdicts.push(Verdict::new(false, String::new()));
        assert!(!hold(&verdicts, false));
    }
}

//! What must be reached.

use std::ops::RangeInclusive;

use load::{Cell, Work};
use serde::Serialize;

use crate::peer::{LEADER, Mode, PEERS, ROOMS, Role};
use crate::report::{self, Report};
use crate::select::CELLS;

/// A bound on the ratio to the floor, of echoes.
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

/// Bounds on the ratio of [`ROOMS`] to the floor, by messages under way: one `send` per message and member with one,
/// coalesced with more.
const FANOUT: &[(usize, f64)] = &[(1, 1.15), (16, 1.25)];

/// Resident bytes per connection of [`ROOMS`] that has joined a room.
const MEMBER: f64 = 2500.0;

/// Resident bytes per idle connection, fresh or after an echo.
const IDLE: &[(&str, Mode, f64)] = &[
    ("telsiz", Mode::Plain, 1400.0),
    ("telsiz", Mode::Deflate, 2048.0),
];

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
    pub(crate) fn new(met: bool, text: String) -> Self {
        let outcome = if met { Outcome::Met } else { Outcome::Missed };
        Self { outcome, text }
    }

    pub(crate) fn not_measured(text: String) -> Self {
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

/// Holds a report of echoes against all bounds.
pub(crate) fn judge(report: &Report) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for bound in BOUNDS {
        ratios(report, bound, &mut verdicts);
    }
    for peer in PEERS.iter().filter(|peer| peer.role == Role::Theirs) {
        lead(report, peer.name, &mut verdicts);
    }
    no_lead(report, &mut verdicts);
    for (server, mode, at_most) in IDLE {
        idle(report, server, *mode, *at_most, &mut verdicts);
    }
    verdicts
}

/// Holds a report of a fan-out against all bounds.
pub(crate) fn judge_fanout(report: &Report) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for (in_flight, at_most) in FANOUT {
        let text = format!("{ROOMS} with {in_flight} in flight: at most {at_most:.2} of the floor");
        let applies = |cell: &Cell| cell.work == Work::Fanout && cell.in_flight == *in_flight;
        let cells = report.cells.iter().filter(|report| applies(&report.cell));
        let found = cells.filter_map(|report| Some((report.cell, report.server(ROOMS)?)));
        let before = verdicts.len();
        verdicts.extend(found.map(|(cell, found)| {
            let ratio = found.ratio.median;
            Verdict::new(ratio <= *at_most, format!("{text}: {ratio:.3} at {cell}"))
        }));
        if verdicts.len() == before {
            verdicts.push(Verdict::not_measured(text));
        }
    }
    let text = format!("{ROOMS}: resident bytes per member of a room, at most {MEMBER:.0}");
    let mut members = report.members.iter();
    verdicts.push(match members.find(|member| member.server.name == ROOMS) {
        Some(member) => Verdict::new(
            member.bytes <= MEMBER,
            format!("{text}: {:.0}", member.bytes),
        ),
        None => Verdict::not_measured(text),
    });
    verdicts
}

fn ratios(report: &Report, bound: &Bound, verdicts: &mut Vec<Verdict>) {
    let Bound {
        server, at_most, ..
    } = bound;
    let applies = |cell: &Cell| {
        cell.work == Work::Echo
            && bound.sizes.contains(&cell.size)
            && bound.in_flight == cell.in_flight
    };
    for cell in &report.cells {
        let Some(found) = cell.server(server) else {
            continue;
        };
        if applies(&cell.cell) {
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
        if applies(cell) && !measured {
            verdicts.push(Verdict::not_measured(format!(
                "{server} at {cell}: at most {at_most:.2} of the floor"
            )));
        }
    }
}

/// No server of others may be ahead of [`LEADER`] beyond the interval of the two's ratio, if it did the same work.
fn lead(report: &Report, other: &str, verdicts: &mut Vec<Verdict>) {
    for cell in &report.cells {
        let (Some(ours), Some(theirs)) = (cell.server(LEADER), cell.server(other)) else {
            continue;
        };
        if theirs.uncompressed > 0.0 {
            continue;
        }
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

/// Where there is no bound on a ratio, others must have been there to be ahead of.
fn no_lead(report: &Report, verdicts: &mut Vec<Verdict>) {
    for cell in CELLS.iter().filter(|cell| cell.work != Work::Echo) {
        let others = |name| {
            PEERS
                .iter()
                .any(|peer| peer.role == Role::Theirs && peer.name == name)
        };
        let measured = report.cells.iter().any(|report| {
            report.cell == *cell
                && report.server(LEADER).is_some()
                && report
                    .servers
                    .iter()
                    .any(|server| others(server.server.name))
        });
        if !measured {
            verdicts.push(Verdict::not_measured(format!(
                "{LEADER} at {cell}: not above 1 of any other server"
            )));
        }
    }
}

fn idle(report: &Report, server: &str, mode: Mode, at_most: f64, verdicts: &mut Vec<Verdict>) {
    let about = match mode {
        Mode::Deflate => " that agreed on compression",
        _ => "",
    };
    let text = format!("{server}: resident bytes per idle connection{about}, at most {at_most:.0}");
    let mut found = report.idle.iter();
    verdicts.push(
        match found.find(|idle| idle.server.name == server && idle.mode == mode) {
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
    fn in_compressed_cells_only_those_that_compress_can_be_ahead() {
        let with = |uncompressed| {
            let cell = Cell::of(Work::Json, 77, 7, 7);
            let mut report = report(cell, &[("telsiz", &[1.0; 4]), ("yawc", &[0.9; 4])]);
            report.cells[0].servers[1].uncompressed = uncompressed;
            outcome(&report)
        };
        assert_eq!(with(0.0), [Outcome::Missed]);
        assert_eq!(with(1.0), []);
    }

    #[test]
    fn idle_memory_is_bound_fresh_and_after_an_echo() {
        let with = |mode, fresh, after_echo| {
            let mut report = report(Cell::new(20, 7, 7), &[]);
            report.idle.push(report::Idle {
                server: name("telsiz"),
                mode,
                fresh,
                after_echo,
            });
            outcome(&report)
        };
        for (mode, most) in [(Mode::Plain, 1400.0), (Mode::Deflate, 2048.0)] {
            assert_eq!(with(mode, most, most), [Outcome::Met]);
            assert_eq!(with(mode, most, most + 1.0), [Outcome::Missed]);
            assert_eq!(with(mode, most + 1.0, most), [Outcome::Missed]);
        }
    }

    #[test]
    fn a_fan_out_is_bound_by_its_floor_and_its_memory() {
        let with = |in_flight, cpu: f64, bytes| {
            let cell = Cell::of(Work::Fanout, 128, 1000, in_flight);
            let floor = crate::peer::reference(cell);
            let mut report = report(cell, &[(floor, &[100.0]), (ROOMS, &[cpu])]);
            report.members.push(report::Member {
                server: name(ROOMS),
                bytes,
            });
            let verdicts = judge_fanout(&report);
            [0, 1, 2].map(|index| verdicts[index].outcome)
        };
        use Outcome::{Met, Missed, NotMeasured};
        assert_eq!(with(1, 115.0, 2500.0), [Met, NotMeasured, Met]);
        assert_eq!(with(1, 115.1, 2500.0), [Missed, NotMeasured, Met]);
        assert_eq!(with(16, 125.0, 2501.0), [NotMeasured, Met, Missed]);
        assert_eq!(with(16, 125.1, 2500.0), [NotMeasured, Missed, Met]);
        let nothing = judge_fanout(&report(Cell::new(20, 7, 7), &[]));
        assert_eq!(nothing.len(), 3);
        assert!(!hold(&nothing, false));
    }

    #[test]
    fn every_default_cell_has_a_bound_and_counts_when_it_is_missing() {
        let verdicts = judge(&report(Cell::new(20, 7, 7), &[]));
        let echoes = CELLS.iter().filter(|cell| cell.work == Work::Echo).count();
        let others = CELLS.len() - echoes;
        assert!(others >= 4);
        assert_eq!(verdicts.len(), 2 * echoes + others + IDLE.len());
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

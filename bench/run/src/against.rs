//! Whether our ratios got worse since an earlier run.

use std::fs;
use std::path::Path;

use serde::Deserialize;

use crate::Error;
use crate::bounds::Verdict;
use crate::peer::{PEERS, Role};
use crate::report::Report;
use crate::stats::Estimate;

/// What is read of the JSON of an earlier run.
#[derive(Debug, Deserialize)]
pub(crate) struct Earlier {
    cells: Vec<Cell>,
}

#[derive(Debug, Deserialize)]
struct Cell {
    cell: String,
    servers: Vec<Server>,
}

#[derive(Debug, Deserialize)]
struct Server {
    server: String,
    ratio: Estimate,
}

impl Earlier {
    pub(crate) fn read(file: &Path) -> Result<Self, Error> {
        let text = fs::read_to_string(file)
            .map_err(|error| format!("cannot read {}: {error}", file.display()))?;
        serde_json::from_str(&text)
            .map_err(|error| format!("{} is no report: {error}", file.display()).into())
    }

    /// A ratio of ours got worse if the interval of its change is all above 1.
    pub(crate) fn judge(&self, report: &Report) -> Vec<Verdict> {
        let mut verdicts = Vec::new();
        for Cell { cell, servers } in &self.cells {
            let ours = |server: &&Server| {
                PEERS
                    .iter()
                    .any(|peer| peer.role == Role::Ours && peer.name == server.server)
            };
            for Server { server, ratio } in servers.iter().filter(ours) {
                let now = report
                    .cells
                    .iter()
                    .find(|found| found.cell.to_string() == *cell)
                    .and_then(|found| found.server(server));
                verdicts.push(match now {
                    Some(now) => {
                        let change = change(*ratio, now.ratio);
                        let Estimate { median, low, high } = change;
                        let text = format!(
                            "{server} at {cell}: {:.2} before, {:.2} now: {median:.2} ({low:.2} to {high:.2}) of that, \
                             not above 1 beyond its interval",
                            ratio.median, now.ratio.median
                        );
                        Verdict::new(low <= 1.0, text)
                    }
                    None => Verdict::not_measured(format!(
                        "{server} at {cell}: {:.2} before",
                        ratio.median
                    )),
                });
            }
        }
        verdicts
    }
}

/// One estimate divided by another that is independent of it. The distances of the limits from the medians, as factors,
/// add up as errors do: by their squares.
fn change(before: Estimate, now: Estimate) -> Estimate {
    let median = now.median / before.median;
    let wide = |one: f64, other: f64| one.ln().hypot(other.ln()).exp();
    Estimate {
        median,
        low: median / wide(now.median / now.low, before.high / before.median),
        high: median * wide(now.high / now.median, before.median / before.low),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bounds::Outcome;
    use crate::report::tests::report;

    fn estimate(low: f64, median: f64, high: f64) -> Estimate {
        Estimate { median, low, high }
    }

    #[test]
    fn a_change_is_as_uncertain_as_both() {
        let exact = change(estimate(1.0, 1.0, 1.0), estimate(1.1, 1.2, 1.3));
        assert!((exact.low - 1.1).abs() < 1e-9 && (exact.high - 1.3).abs() < 1e-9);
        let both = change(estimate(0.9, 1.0, 1.1), estimate(0.9, 1.0, 1.1));
        assert!(both.low < 0.9 && both.low > 0.8);
        assert!(both.high > 1.1 && both.high < 1.2);
    }

    #[test]
    fn only_what_is_worse_beyond_the_interval_is_missed() {
        let judged = |before: Estimate| {
            let now: &[(_, &[f64])] = &[
                ("floor", &[1.0; 4]),
                ("telsiz", &[1.2; 4]),
                ("yawc", &[9.0; 4]),
            ];
            let servers = ["telsiz", "yawc", "telsiz-recv"].map(|server| Server {
                server: server.into(),
                ratio: before,
            });
            let earlier = Earlier {
                cells: vec![Cell {
                    cell: "128/100/1".into(),
                    servers: servers.into(),
                }],
            };
            let verdicts = earlier.judge(&report(load::Cell::new(128, 100, 1), now));
            let outcomes = verdicts.iter().map(|verdict| verdict.outcome);
            outcomes.collect::<Vec<_>>()
        };
        let missing = Outcome::NotMeasured;
        assert_eq!(judged(estimate(1.0, 1.1, 1.15)), [Outcome::Missed, missing]);
        assert_eq!(judged(estimate(1.0, 1.1, 1.25)), [Outcome::Met, missing]);
        assert_eq!(judged(estimate(1.2, 1.3, 1.4)), [Outcome::Met, missing]);
    }

    #[test]
    fn the_baseline_is_a_report_of_every_cell_it_names() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../baseline.json");
        let earlier = Earlier::read(&file).expect("a baseline");
        for cell in &earlier.cells {
            let parsed: load::Cell = cell.cell.parse().expect("a cell");
            assert!(crate::select::CELLS.contains(&parsed));
            assert!(cell.servers.iter().any(|server| server.server == "telsiz"));
        }
        assert!(!earlier.cells.is_empty());
    }
}

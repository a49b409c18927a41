//! Reading a report of the testsuite and saying what it means.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::cases::{Finding, SECTIONS, judge};
use crate::failure::{About, Result};
use crate::places;
use crate::tally::Tally;

/// The result of one run.
pub(super) struct Verdict {
    cases: Vec<Case>,
    /// How many cases should have been run.
    expected: usize,
    report: PathBuf,
}

struct Case {
    id: String,
    behavior: String,
    close: String,
    finding: Finding,
}

impl Case {
    fn section(&self) -> Option<u32> {
        self.id.split('.').next()?.parse().ok()
    }

    /// The parts of its number, so that 1.2.10 comes after 1.2.9.
    fn order(&self) -> Vec<u32> {
        self.id
            .split('.')
            .filter_map(|part| part.parse().ok())
            .collect()
    }
}

impl Verdict {
    /// Reads `index.json`. A run that reports fewer cases than were to be run has failures.
    pub(super) fn read(
        folder: &Path,
        agent: &str,
        announced: usize,
        wanted: Option<usize>,
    ) -> Result<Self> {
        let index = folder.join("index.json");
        let text = fs::read_to_string(&index).about("read", &index)?;
        let index: Value = serde_json::from_str(&text)?;
        let Some(found) = index.get(agent).and_then(Value::as_object) else {
            return Err(format!("the report in {} does not name {agent}", folder.display()).into());
        };
        if announced == 0 {
            return Err("no case matches".into());
        }
        let mut cases: Vec<Case> = found
            .iter()
            .map(|(id, case)| {
                let text = |name: &str| case[name].as_str().unwrap_or("MISSING").to_owned();
                let (behavior, close) = (text("behavior"), text("behaviorClose"));
                Case {
                    id: id.clone(),
                    finding: judge(id, &behavior, &close),
                    behavior,
                    close,
                }
            })
            .collect();
        cases.sort_by_key(Case::order);
        Ok(Self {
            cases,
            expected: wanted.unwrap_or(announced).max(announced),
            report: folder.join("index.html"),
        })
    }

    pub(super) fn tally(&self) -> Tally {
        let wrong = count(&self.cases, &Finding::Wrong);
        Tally {
            passed: self.cases.len() - wrong,
            failed: wrong + self.missing(),
        }
    }

    fn missing(&self) -> usize {
        self.expected.saturating_sub(self.cases.len())
    }

    /// Prints a line for each section and one for each case that is not OK.
    pub(super) fn print(&self) {
        let mut rest: Vec<&Case> = self.cases.iter().collect();
        println!(
            "  {:<28} {:>5} {:>5} {:>14} {:>6}",
            "section", "cases", "OK", "informational", "wrong"
        );
        for section in &SECTIONS {
            let (here, other) = rest
                .into_iter()
                .partition(|case| case.section() == Some(section.number));
            rest = other;
            line(&format!("{:>2} {}", section.number, section.title), &here);
        }
        line("   Others", &rest);
        for case in &self.cases {
            match case.finding {
                Finding::Ok => {}
                Finding::Informational => println!("  informational: {}", case.id),
                Finding::Wrong => println!(
                    "  WRONG: {} behaved {}, closed {}",
                    case.id, case.behavior, case.close
                ),
            }
        }
        if self.missing() > 0 {
            println!("  MISSING: {} cases have no result", self.missing());
        }
        println!("  report: {}", places::shown(&self.report));
    }
}

fn line(title: &str, cases: &[&Case]) {
    if !cases.is_empty() {
        println!(
            "  {title:<28} {:>5} {:>5} {:>14} {:>6}",
            cases.len(),
            count(cases.iter().copied(), &Finding::Ok),
            count(cases.iter().copied(), &Finding::Informational),
            count(cases.iter().copied(), &Finding::Wrong)
        );
    }
}

fn count<'a>(cases: impl IntoIterator<Item = &'a Case>, finding: &Finding) -> usize {
    cases
        .into_iter()
        .filter(|case| case.finding == *finding)
        .count()
}

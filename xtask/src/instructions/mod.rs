//! `instructions`: what operations cost in instructions, against the baseline in the repository.

mod baseline;
mod callgrind;
mod compare;
mod machine;

use std::process::ExitCode;
use std::sync::Mutex;
use std::thread;

use clap::Args;

use self::baseline::Baseline;
use self::callgrind::Subject;
use self::compare::{Row, Verdict};
use crate::failure::Result;
use crate::places;
use crate::summary::{self, Line};
use crate::tally::Tally;

/// What to count.
#[derive(Args, Default)]
pub(crate) struct Options {
    /// Only the scenarios whose name contains one of these
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Keep what was counted as the new baseline
    #[arg(long, conflicts_with = "names")]
    save: bool,
}

impl Options {
    fn choose(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|asked| name.contains(asked))
    }
}

pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    if options.save {
        return save();
    }
    Ok(summary::close(&lines(options)?))
}

/// Counts anew, and keeps that.
fn save() -> Result<ExitCode> {
    let subject = Subject::build()?;
    let counts = count(&subject, &subject.scenarios()?)?;
    let baseline = Baseline {
        machine: machine::this(&subject)?,
        counts,
    };
    baseline.write()?;
    println!(
        "{} scenarios are kept in {}.",
        baseline.counts.len(),
        places::shown(&baseline::file())
    );
    Ok(ExitCode::SUCCESS)
}

/// Counts the chosen scenarios and compares them with the baseline: each passes or fails.
pub(crate) fn lines(options: &Options) -> Result<Vec<Line>> {
    let baseline = Baseline::read()?;
    let subject = Subject::build()?;
    let differences = machine::differences(&baseline.machine, &machine::this(&subject)?);
    if let Some(processor) = differences.iter().find(|it| it.prevents_comparison()) {
        println!("SKIPPED: {processor}. Other instructions are chosen on it: nothing is compared.");
        let nothing = Ok(Tally::default());
        return Ok(vec![Line::of("instructions: SKIPPED", nothing)]);
    }
    let is_chosen = |name: &String| options.choose(name);
    let scenarios: Vec<_> = subject.scenarios()?.into_iter().filter(is_chosen).collect();
    let mut before = baseline.counts;
    before.retain(|name, _| is_chosen(name));
    let rows = compare::rows(&before, &count(&subject, &scenarios)?);
    if rows.is_empty() {
        return Err("no scenario has such a name".into());
    }
    compare::print(&rows);
    for complaint in rows.iter().filter_map(Row::complaint) {
        println!("FAILED: {complaint}");
    }
    if rows.iter().any(|row| row.verdict() == Verdict::Fell) {
        println!("Something fell: `cargo xtask instructions --save` keeps that.");
    }
    if !differences.is_empty() {
        println!("\nThe baseline was counted with other tools, which changes counts too:");
        for difference in &differences {
            println!("  {difference}");
        }
        println!("If the commit before has risen as much with these, renew the baseline there:");
        println!("`cargo xtask instructions --save`, in a commit of its own.");
    }
    Ok(summed(&rows))
}

/// One line for all that passed, and one with the name of each that did not.
fn summed(rows: &[Row]) -> Vec<Line> {
    let (passed, failed): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row.passes());
    let passed = Tally {
        passed: passed.len(),
        failed: 0,
    };
    let mut lines = vec![Line::of("instructions", Ok(passed))];
    lines.extend(failed.into_iter().map(|row| {
        let name = format!("instructions {}", row.name());
        Line::of(name, Ok(Tally::one(false)))
    }));
    lines
}

/// Counts all `scenarios`, on all processors: that one waits for another changes no count.
fn count(subject: &Subject, scenarios: &[String]) -> Result<baseline::Counts> {
    let waiting = Mutex::new(scenarios.iter());
    let next = || waiting.lock().ok()?.next();
    let work = || {
        let mut counts = Vec::new();
        while let Some(name) = next() {
            // What failed is shown where it is waited for.
            let counted = subject.count(name).map_err(|failure| failure.to_string());
            counts.push((name.clone(), counted));
        }
        counts
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let counts: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let counts = threads.into_iter().flat_map(|thread| thread.join());
        counts.flatten().collect()
    });
    counts
        .into_iter()
        .map(|(name, counted)| Ok((name, counted?)))
        .collect()
}

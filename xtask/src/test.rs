//! `test`: everything that a change must pass, with one summary at the end.

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};

use crate::conformance;
use crate::deny;
use crate::failure::Result;
use crate::fuzz;
use crate::install;
use crate::instructions;
use crate::interop;
use crate::places;
use crate::release;
use crate::soak;
use crate::step::Step;
use crate::summary::{self, Line};
use crate::tally::Tally;

/// What to run.
#[derive(Args)]
pub(crate) struct Options {
    /// Only these parts, all of them by default
    #[arg(value_enum, value_name = "PART")]
    parts: Vec<Part>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Part {
    /// cargo fmt --check
    Format,
    /// cargo clippy, with warnings as errors
    Lint,
    /// cargo test --workspace, doc tests included
    Rust,
    /// cargo clippy and cargo test in bench/, a workspace of its own
    Bench,
    /// cargo clippy and cargo test in fuzz/, a workspace of its own, then 20 s of each target
    Fuzz,
    /// cargo build --release
    Release,
    /// What operations cost in instructions, against the baseline
    Instructions,
    /// Our server under other people's clients
    Interop,
    /// Our server under 3 minutes of load, killed and started again
    Soak,
    /// The Autobahn testsuite, both roles
    Conformance,
    /// Licences, bans and sources of dependencies
    Deny,
}

pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let parts = if options.parts.is_empty() {
        Part::value_variants()
    } else {
        &options.parts
    };
    let mut lines = Vec::new();
    for part in parts {
        let (name, about) = part.words();
        println!("\n== {name}: {about}");
        let start = Instant::now();
        match part.run(&name) {
            Ok(found) => lines.extend(found),
            Err(failure) => lines.push(Line::of(name, Err(failure))),
        }
        println!("-- {}", spent(start.elapsed()));
    }
    Ok(summary::close(&lines))
}

impl Part {
    /// Its name and what it is about, as `--help` has them.
    fn words(self) -> (String, String) {
        let value = self.to_possible_value();
        let name = value.as_ref().map(|value| value.get_name().to_owned());
        let about = value.as_ref().and_then(|value| value.get_help());
        (
            name.unwrap_or_default(),
            about.map(ToString::to_string).unwrap_or_default(),
        )
    }

    fn run(self, name: &str) -> Result<Vec<Line>> {
        let counted = match self {
            Self::Format => format(),
            Self::Lint => lint(places::root()).map(|()| Tally::one(true)),
            Self::Rust => rust(),
            Self::Bench => bench(),
            Self::Fuzz => return fuzzed(name),
            Self::Release => release::binary().map(|_| Tally::one(true)),
            Self::Soak => soak::check(&soak::Options::default()).map(|()| Tally::one(true)),
            Self::Deny => deny::check().map(|()| Tally::one(true)),
            Self::Instructions => return instructions::lines(&instructions::Options::default()),
            Self::Interop => return interop::lines(&interop::Options::default()),
            Self::Conformance => return conformance::lines(&conformance::Options::default()),
        };
        Ok(vec![Line::of(name, counted)])
    }
}

fn format() -> Result<Tally> {
    let check = ["fmt", "--all", "--check"];
    Step::cargo(&check).run()?;
    for workspace in ["bench", "fuzz"] {
        Step::cargo(&check)
            .dir(&places::root().join(workspace))
            .run()?;
    }
    Ok(Tally::one(true))
}

fn lint(workspace: &Path) -> Result<()> {
    Step::cargo(&["clippy", "--workspace", "--all-targets", "--quiet"])
        .args(["--", "-D", "warnings"])
        .dir(workspace)
        .run()
}

fn rust() -> Result<Tally> {
    // The tests of our client start peers in Python and JavaScript.
    install::interop_python()?;
    install::npm_packages(&places::root().join("interop"))?;
    tests(places::root())
}

fn bench() -> Result<Tally> {
    let workspace = places::root().join("bench");
    lint(&workspace)?;
    tests(&workspace)
}

/// The tests play the corpora again and compare with tungstenite; then each target is run for a while.
fn fuzzed(name: &str) -> Result<Vec<Line>> {
    // Its library is built for clippy already.
    install::cxx()?;
    let workspace = places::root().join("fuzz");
    let counted = lint(&workspace).and_then(|()| tests(&workspace));
    let mut lines = vec![Line::of(name, counted)];
    lines.extend(fuzz::lines(Duration::from_secs(20))?);
    Ok(lines)
}

/// Runs the tests of all crates. One crate's failure does not keep the others from being tested.
fn tests(workspace: &Path) -> Result<Tally> {
    let mut tally = Tally::default();
    let status = Step::cargo(&["test", "--workspace", "--no-fail-fast"])
        .dir(workspace)
        .watch(|line| {
            if let Some(counted) = Tally::of_cargo_line(line) {
                tally += counted;
            }
        })?;
    Ok(if status.success() {
        tally
    } else {
        tally.with_failure()
    })
}

fn spent(time: Duration) -> String {
    format!("{} min {:02} s", time.as_secs() / 60, time.as_secs() % 60)
}

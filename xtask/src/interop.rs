//! `interop`: our server under other people's clients.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use crate::failure::{About, Result};
use crate::install;
use crate::places;
use crate::release;
use crate::step::Step;
use crate::summary::{self, Line};
use crate::tally::Tally;

/// What to run.
#[derive(Args, Default)]
pub(crate) struct Options {
    /// Only the suites whose name contains one of these
    #[arg(value_name = "SUITE")]
    suites: Vec<String>,
    /// Only the tests that match: an expression of pytest -k, a pattern of node --test-name-pattern
    #[arg(long, value_name = "PATTERN")]
    test: Option<String>,
}

/// A suite: the tests in a folder below `interop/clients`.
struct Suite {
    name: &'static str,
    runner: Runner,
    /// Drives a real browser.
    browser: bool,
}

#[derive(Clone, Copy)]
enum Runner {
    Pytest,
    Node,
}

const fn suite(name: &'static str, runner: Runner, browser: bool) -> Suite {
    Suite {
        name,
        runner,
        browser,
    }
}

const SUITES: [Suite; 5] = [
    suite("raw", Runner::Pytest, false),
    suite("python-websockets", Runner::Pytest, false),
    suite("python-websocket-client", Runner::Pytest, false),
    suite("npm-ws", Runner::Node, false),
    suite("chromium", Runner::Node, true),
];

/// What all suites need: the server, and certificates for it.
struct Subject {
    binary: PathBuf,
    certificates: PathBuf,
    python: PathBuf,
}

pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    Ok(summary::close(&lines(options)?))
}

/// Runs the chosen suites and counts for each.
pub(crate) fn lines(options: &Options) -> Result<Vec<Line>> {
    let chosen: Vec<&Suite> = SUITES
        .iter()
        .filter(|suite| options.choose(suite))
        .collect();
    if chosen.is_empty() {
        let names: Vec<&str> = SUITES.iter().map(|suite| suite.name).collect();
        return Err(format!("no such suite; there are {}", names.join(", ")).into());
    }
    let subject = Subject::prepare()?;
    let mut lines = Vec::new();
    for suite in chosen {
        println!("\nInteroperation: {}", suite.name);
        let counted = suite.run(&subject, options.test.as_deref());
        lines.push(Line::of(format!("interop {}", suite.name), counted));
    }
    Ok(lines)
}

impl Options {
    fn choose(&self, suite: &Suite) -> bool {
        self.suites.is_empty() || self.suites.iter().any(|asked| suite.name.contains(asked))
    }
}

impl Subject {
    fn prepare() -> Result<Self> {
        let python = install::interop_python()?;
        let certificates = places::tools().join("certificates");
        Step::new(&python)
            .arg(places::root().join("interop/certificates.py"))
            .arg(&certificates)
            .run()?;
        Ok(Self {
            binary: release::binary()?,
            certificates,
            python,
        })
    }
}

impl Suite {
    fn run(&self, subject: &Subject, test: Option<&str>) -> Result<Tally> {
        let folder = places::root().join("interop/clients").join(self.name);
        let report = places::reports().join(format!("interop-{}", self.name));
        if let Some(parent) = report.parent() {
            fs::create_dir_all(parent).about("create", parent)?;
        }
        if report.exists() {
            fs::remove_file(&report).about("remove", &report)?;
        }
        let mut step = match self.runner {
            Runner::Pytest => pytest(&subject.python, &folder, &report, test),
            Runner::Node => node(&folder, &report, test)?,
        };
        step = step
            .env("TELSIZ_BIN", &subject.binary)
            .env("TELSIZ_CERTIFICATES", &subject.certificates);
        if self.browser {
            step = step.env("CHROMIUM", install::chromium()?);
        }
        let status = step.watch(|_| {})?;
        let text = fs::read_to_string(&report).about("read", &report)?;
        let tally = match self.runner {
            Runner::Pytest => Tally::of_junit(&text),
            Runner::Node => Tally::of_tap(&text),
        };
        let Some(tally) = tally else {
            return Err(format!("cannot find the figures in {}", report.display()).into());
        };
        let nothing_asked_for = test.is_some() && tally == Tally::default();
        if status.success() || nothing_asked_for {
            Ok(tally)
        } else {
            Ok(tally.with_failure())
        }
    }
}

fn pytest(python: &Path, folder: &Path, report: &Path, test: Option<&str>) -> Step {
    let mut junit = std::ffi::OsString::from("--junitxml=");
    junit.push(report);
    let step = Step::new(python)
        .args(["-m", "pytest", "--quiet", "-p", "no:cacheprovider"])
        .arg(junit)
        .env("PYTHONDONTWRITEBYTECODE", "1");
    match test {
        Some(test) => step.args(["-k", test]).arg(folder),
        None => step.arg(folder),
    }
}

fn node(folder: &Path, report: &Path, test: Option<&str>) -> Result<Step> {
    install::npm_packages(&places::root().join("interop"))?;
    let mut destination = std::ffi::OsString::from("--test-reporter-destination=");
    destination.push(report);
    let mut step = Step::new(install::node()?)
        .arg("--test")
        .args(["--test-reporter=spec", "--test-reporter-destination=stdout"])
        .arg("--test-reporter=tap")
        .arg(destination);
    if let Some(test) = test {
        step = step.arg(format!("--test-name-pattern={test}"));
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).about("read", folder)? {
        let file = entry?.path();
        if file.to_string_lossy().ends_with(".test.js") {
            files.push(file);
        }
    }
    files.sort();
    Ok(step.args(files))
}

//! `fuzz`: the targets in `fuzz/`, under cargo-fuzz.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use crate::failure::{About, Result};
use crate::install;
use crate::places;
use crate::step::Step;
use crate::summary::Line;
use crate::tally::Tally;

/// What to run, and for how long.
#[derive(Args)]
pub(crate) struct Options {
    /// Only these targets, all of them by default
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
    /// How long to run each
    #[arg(long, value_name = "N", default_value_t = 10)]
    minutes: u64,
    /// Make the corpora of these targets as small as they can be with all that was found, instead of running
    #[arg(long)]
    minimise: bool,
}

/// Runs the chosen targets, one after the other, until one finds something.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let fuzzer = Fuzzer::build()?;
    let all = targets()?;
    let chosen = match &options.targets[..] {
        [] => &all,
        some => some,
    };
    for target in chosen {
        if !all.contains(target) {
            return Err(format!("no such target; there are {}", all.join(", ")).into());
        }
        match options.minimise {
            true => fuzzer.minimise(target)?,
            false => {
                let time = Duration::from_secs(60 * options.minutes);
                fuzzer.target(target, time)?.run()?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// How many targets run at once when all of them have to.
const AT_ONCE: usize = 2;

/// How much longer than asked for a run may take: to start, and to see that it ends.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs every target for `time` and counts each as one test.
pub(crate) fn lines(time: Duration) -> Result<Vec<Line>> {
    let fuzzer = Fuzzer::build()?;
    let mut lines = Vec::new();
    for targets in targets()?.chunks(AT_ONCE) {
        println!("{}: {} s", targets.join(", "), time.as_secs());
        let start = |target: &String| {
            let log = places::reports().join(format!("fuzz-{target}.log"));
            fuzzer.target(target, time)?.start(&log)
        };
        let runs: Vec<_> = targets.iter().map(start).collect();
        for (target, run) in targets.iter().zip(runs) {
            let ended = run.and_then(|mut run| match run.ends(time + PATIENCE)?.success() {
                true => Ok(Tally::one(true)),
                false => Err(run.failure("found something")),
            });
            lines.push(Line::of(format!("fuzz {target}"), ended));
        }
    }
    Ok(lines)
}

/// The names of the targets.
fn targets() -> Result<Vec<String>> {
    let folder = workspace().join("fuzz_targets");
    let mut names = Vec::new();
    for path in files(&folder)? {
        if let Some(name) = path.file_stem().and_then(|name| name.to_str()) {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

fn workspace() -> PathBuf {
    places::root().join("fuzz")
}

/// cargo-fuzz, with all targets built. Without a sanitizer it needs no nightly Rust: we have no `unsafe` for one to
/// watch.
struct Fuzzer(PathBuf);

impl Fuzzer {
    fn build() -> Result<Self> {
        let fuzzer = Self(install::cargo_fuzz()?);
        fuzzer.step("build").run()?;
        Ok(fuzzer)
    }

    fn step(&self, command: &str) -> Step {
        Step::new(&self.0)
            .args([command, "--sanitizer", "none"])
            .dir(&workspace())
    }

    /// Runs `target` for `time`, from the corpus and what earlier runs found. What it finds new goes to the latter.
    fn target(&self, target: &str, time: Duration) -> Result<Step> {
        let step = self
            .step("run")
            .arg(target)
            .args([found(target)?, corpus(target)])
            .arg("--")
            .arg(format!("-max_total_time={}", time.as_secs()))
            .args(["-timeout=10", "-rss_limit_mb=2048", "-max_len=4096"]);
        let words = workspace().join("words").join(target);
        Ok(match words.is_file() {
            true => step.arg(format!("-dict={}", words.display())),
            false => step,
        })
    }

    /// Takes what earlier runs found into the corpus, and out of it what adds nothing. What was made by hand stays:
    /// an input may show more than which lines it runs.
    fn minimise(&self, target: &str) -> Result<()> {
        let found = found(target)?;
        let corpus = corpus(target);
        for file in files(&corpus)? {
            copy_into(&file, &found)?;
        }
        self.step("cmin")
            .arg(target)
            .arg(&found)
            // How often a line was run does not count: the repository is to stay small.
            .args([
                "--",
                "-set_cover_merge=1",
                "-use_counters=0",
                "-max_len=4096",
            ])
            .run()?;
        for file in files(&corpus)?.iter().filter(|file| is_hash(file)) {
            fs::remove_file(file).about("remove", file)?;
        }
        for file in files(&found)? {
            copy_into(&file, &corpus)?;
        }
        Ok(())
    }
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).about("read", folder)?;
    let paths = entries.map(|entry| Ok(entry.about("read", folder)?.path()));
    paths.collect()
}

/// Whether the fuzzer gave the file its name.
fn is_hash(file: &Path) -> bool {
    let name = file.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name.len() == 40 && name.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn copy_into(file: &Path, folder: &Path) -> Result<()> {
    let name = file.file_name().unwrap_or_default();
    fs::copy(file, folder.join(name)).about("copy", file)?;
    Ok(())
}

/// The inputs that stand in the repository.
fn corpus(target: &str) -> PathBuf {
    workspace().join("corpus").join(target)
}

/// The inputs that runs on this machine found.
fn found(target: &str) -> Result<PathBuf> {
    let folder = workspace().join("target").join("found").join(target);
    fs::create_dir_all(&folder).about("create", &folder)?;
    Ok(folder)
}

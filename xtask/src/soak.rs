//! `soak`: our server under minutes of load, killed and started again, and an oracle.

use std::process::ExitCode;

use clap::Args;

use crate::failure::Result;
use crate::places;
use crate::release;
use crate::step::Step;

/// How long to go on, and with which choices.
#[derive(Args)]
pub(crate) struct Options {
    /// How long to go on, besides what the checks take; at least 2
    #[arg(long, value_name = "N", default_value_t = 3)]
    minutes: u64,
    /// What the clients choose follows from this; another one each time by default
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            minutes: 3,
            seed: None,
        }
    }
}

pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    check(options)?;
    Ok(ExitCode::SUCCESS)
}

/// Goes on until the time is over or something is found, which is an error.
pub(crate) fn check(options: &Options) -> Result<()> {
    let server = release::binary()?;
    // What the server does is measured, and what its clients do is cheap enough.
    Step::cargo(&["build", "--package", "soak"]).run()?;
    let mut step = Step::new(places::target().join("debug").join("soak"))
        .arg("--server")
        .arg(server)
        .args(["--minutes", &options.minutes.to_string()]);
    if let Some(seed) = options.seed {
        step = step.args(["--seed", &seed.to_string()]);
    }
    step.run()
}

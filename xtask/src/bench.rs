//! `bench`: echoes, fan-out and stored messages, against bare epoll loops and other libraries.

use std::process::ExitCode;

use clap::Args;

use crate::failure::Result;
use crate::install;
use crate::places;
use crate::step::Step;

/// How to build, and what to hand on.
#[derive(Args, Default)]
pub(crate) struct Options {
    /// Build for any processor of this architecture instead of for this one
    #[arg(long)]
    no_native: bool,
    /// What the runner takes: nothing for echoes, `fanout` or `publish`, and their options; `cargo xtask bench -- --help`
    /// lists them, as does `cargo xtask bench fanout --help`
    #[arg(
        value_name = "RUNNER",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    runner: Vec<String>,
}

/// Builds everything that is measured, all of it alike, then measures.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let bench = places::root().join("bench");
    let target = bench.join("target");
    let flags = std::env::var("RUSTFLAGS").unwrap_or_default();
    let flags = if options.no_native {
        flags
    } else {
        format!("{flags} -C target-cpu=native").trim_start().into()
    };
    let build = |arguments: &[&str]| Step::cargo(arguments).env("RUSTFLAGS", &flags);

    // A folder of its own, so that the flags do not make other chores build everything again.
    build(&["build", "--release", "--package", "telsiz-server"])
        .env("CARGO_TARGET_DIR", target.join("telsiz"))
        .run()?;
    build(&["build", "--release", "--workspace"])
        .dir(&bench)
        .env("CARGO_TARGET_DIR", &target)
        .run()?;
    // The one server that is no program of ours; without it the others can still be measured.
    let node =
        install::node().and_then(|_| install::npm_packages(&bench.join("servers").join("npm-ws")));
    if let Err(failure) = node {
        eprintln!("npm ws cannot be installed: {failure}");
    }

    Step::new(target.join("release").join("run"))
        .args(&options.runner)
        .dir(&std::env::current_dir()?)
        .run()?;
    Ok(ExitCode::SUCCESS)
}

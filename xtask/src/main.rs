//! The chores of the project: `cargo xtask` lists them, `cargo xtask NAME` does one.

mod background;
mod bench;
mod conformance;
mod deny;
mod failure;
mod fuzz;
mod install;
mod instructions;
mod interop;
mod places;
mod release;
mod soak;
mod stamp;
mod step;
mod summary;
mod tally;
mod test;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

#[derive(Parser)]
#[command(
    name = "xtask",
    bin_name = "cargo xtask",
    about = "The chores of the project"
)]
struct Arguments {
    #[command(subcommand)]
    chore: Option<Chore>,
}

/// Every chore; the first line of each comment is what the list says about it.
#[derive(Subcommand)]
enum Chore {
    /// Install what the tests need and run them all: this is what a change must pass
    Test(test::Options),
    /// Run the Autobahn testsuite against our server and our client
    Conformance(conformance::Options),
    /// Run the suites that drive our server with other people's clients
    Interop(interop::Options),
    /// Measure us against bare epoll loops and other libraries: echoes, `fanout`, `publish`
    Bench(bench::Options),
    /// Fuzz: cargo-fuzz on the targets in fuzz/
    Fuzz(fuzz::Options),
    /// Load our server for minutes with clients of all kinds, kill it, start it again, and check what it said
    Soak(soak::Options),
    /// Count the instructions of single operations and compare them with the baseline
    Instructions(instructions::Options),
    /// Check licences, banned crates and sources of all dependencies
    Deny,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().chore {
        None => Ok(list()),
        Some(Chore::Test(options)) => test::run(&options),
        Some(Chore::Conformance(options)) => conformance::run(&options),
        Some(Chore::Interop(options)) => interop::run(&options),
        Some(Chore::Bench(options)) => bench::run(&options),
        Some(Chore::Fuzz(options)) => fuzz::run(&options),
        Some(Chore::Soak(options)) => soak::run(&options),
        Some(Chore::Instructions(options)) => instructions::run(&options),
        Some(Chore::Deny) => deny::check().map(|()| ExitCode::SUCCESS),
    };
    match done {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Prints a line for each chore.
fn list() -> ExitCode {
    println!("Chores (cargo xtask NAME; --help after a name says more):\n");
    for chore in Arguments::command().get_subcommands() {
        let about = chore
            .get_about()
            .map(ToString::to_string)
            .unwrap_or_default();
        println!("  {:<12} {about}", chore.get_name());
    }
    ExitCode::SUCCESS
}

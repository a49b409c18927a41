//! The `telsiz` command: a realtime messaging server, and a client to try it with.

use std::process::ExitCode;

use tokio::runtime::Runtime;

use crate::cli::Command;
use crate::failure::Failure;
use crate::log::LogFormat;

mod admission;
mod apps;
mod audience;
mod banner;
mod cli;
mod client_address;
mod clock;
mod close;
mod closes;
mod config;
mod connect;
mod connections;
mod conversation;
mod engine;
mod failure;
mod gate;
mod heartbeat;
mod http;
mod json;
mod lang;
mod limits;
mod limits_hit;
mod listen;
mod live;
mod log;
mod metrics;
mod names;
mod open_files;
mod origin;
mod rate;
mod rate_limit;
mod ready;
mod reload;
mod rooms;
mod rules;
mod serve;
mod service;
mod signals;
mod stop;
mod tally;
#[cfg(test)]
mod testing;
mod timestamp;
mod traffic;
mod unopened;

/// What one thread allocates another often frees, which this does cheaply.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn run() -> Result<(), Failure> {
    let Some(command) = cli::parse()? else {
        return Ok(());
    };
    match command {
        Command::Serve(asked) => {
            let config = asked.read()?;
            log::to_stderr(&config.settings.log, config.settings.log_format);
            config.warn();
            runtime()?.block_on(serve::run(asked, config))
        }
        Command::Connect(connect) => {
            log::to_stderr(&config::log_of_environment()?, LogFormat::Human);
            runtime()?.block_on(connect::run(connect))
        }
        Command::Config(command) => command.run(),
    }
}

/// The workers of a server have runtimes of their own; this one accepts.
fn runtime() -> Result<Runtime, Failure> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().build();
    runtime.map_err(|error| Failure::Failed(format!("cannot start: {error}")))
}

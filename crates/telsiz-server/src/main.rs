//! The `telsiz` command: a realtime messaging server, and a client to try it with.

use std::io::IsTerminal;
use std::process::ExitCode;

use tokio::runtime::Runtime;

use crate::cli::Command;
use crate::config::LogFilter;
use crate::failure::Failure;

mod admission;
mod apps;
mod audience;
mod banner;
mod cli;
mod client_address;
mod clock;
mod close;
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
mod names;
mod open_files;
mod origin;
mod rate;
mod rate_limit;
mod reload;
mod rooms;
mod rules;
mod serve;
mod service;
mod signals;
mod stop;
#[cfg(test)]
mod testing;
mod timestamp;
mod traffic;

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
            log_to_stderr(&config.settings.log);
            config.warn();
            runtime()?.block_on(serve::run(asked, config))
        }
        Command::Connect(connect) => {
            log_to_stderr(&config::log_of_environment()?);
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

fn log_to_stderr(log: &LogFilter) {
    tracing_subscriber::fmt()
        .with_env_filter(log.filter())
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
}

//! The `telsiz` command: a realtime messaging server, and a client to try it with.

use std::env;
use std::io::IsTerminal;
use std::process::ExitCode;

use tracing_subscriber::EnvFilter;

use crate::cli::Command;
use crate::failure::Failure;

mod apps;
mod audience;
mod banner;
mod cli;
mod clock;
mod close;
mod connect;
mod connections;
mod conversation;
mod engine;
mod failure;
mod gate;
mod http;
mod json;
mod lang;
mod limits;
mod listen;
mod names;
mod origin;
mod rate;
mod rooms;
mod rules;
mod serve;
mod signals;
#[cfg(test)]
mod testing;
mod timestamp;
mod traffic;

/// What is logged unless `TELSIZ_LOG` says otherwise.
const LOG: &str = "warn,telsiz=info";

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
    log_to_stderr()?;
    // The workers of a server have runtimes of their own; this one accepts.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Failed(format!("cannot start: {error}")))?;
    match command {
        Command::Serve(serve) => runtime.block_on(serve::run(serve)),
        Command::Connect(connect) => runtime.block_on(connect::run(connect)),
    }
}

fn log_to_stderr() -> Result<(), Failure> {
    let asked = env::var("TELSIZ_LOG").unwrap_or_default();
    let filter = match &*asked {
        "" => EnvFilter::new(LOG),
        asked => EnvFilter::try_new(asked).map_err(|error| {
            Failure::Usage(format!(
                "TELSIZ_LOG: {error}; expected a level, such as debug"
            ))
        })?,
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    Ok(())
}

//! The soak test: loads the real server for minutes, kills and starts it again, and checks what it said.

mod checks;
mod clients;
mod http;
mod oracle;
mod plan;
mod process;
mod random;
mod report;
mod run;
mod seats;
mod server;
mod tally;
mod world;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, value_parser};

use crate::run::Run;
use crate::server::Server;

/// Loads the server, kills and starts it again, and checks what it said
#[derive(Parser)]
struct Options {
    /// The server
    #[arg(long, value_name = "FILE")]
    server: PathBuf,
    /// How long to go on, besides what the checks take; at least 2
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = value_parser!(u64).range(2..))]
    minutes: u64,
    /// What the clients choose follows from this; another one each time by default
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    let options = Options::parse();
    let seed = options.seed.unwrap_or_else(any_seed);
    let folder = std::env::temp_dir().join(format!("telsiz-soak-{seed}-{}", std::process::id()));
    println!("seed {seed}, in {}", folder.display());
    let server = match Server::new(&options.server, &folder) {
        Ok(server) => server,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    let mut run = Run::new(server, seed);
    run.go(Duration::from_secs(60 * options.minutes)).await;
    let found = run.world.found();
    if found.is_empty() {
        report::summary(&run);
        // It is in nobody's way.
        let _ = fs::remove_dir_all(&folder);
        println!("\nnothing found (seed {seed})");
        return ExitCode::SUCCESS;
    }
    report::violations(&run, &found);
    report::summary(&run);
    println!(
        "\n{} found (seed {seed}); the data of the server and its log stay in {}",
        found.len(),
        folder.display()
    );
    ExitCode::FAILURE
}

/// A seed that was probably never used before.
fn any_seed() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| now.as_nanos() as u64 % 1_000_000_000)
}

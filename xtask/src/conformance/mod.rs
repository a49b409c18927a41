//! `conformance`: the Autobahn testsuite against both of our roles.

mod cases;
mod role;
mod verdict;

use std::process::ExitCode;

use clap::Args;

use crate::failure::Result;
use crate::install;
use crate::summary::{self, Line};
use role::Role;

/// What to run.
#[derive(Args, Default)]
pub(crate) struct Options {
    /// Only our server, under Autobahn's fuzzing client
    #[arg(long)]
    server: bool,
    /// Only our client, under Autobahn's fuzzing server
    #[arg(long)]
    client: bool,
    /// Only these cases, for example 5.* or 7.1.6
    #[arg(long, num_args = 1.., value_name = "GLOB")]
    cases: Vec<String>,
    /// Every case of each section, also where a sample is the rule
    #[arg(long)]
    full: bool,
    /// Test the server that runs at this URL instead of ours
    #[arg(long, value_name = "URL", conflicts_with = "client")]
    server_url: Option<String>,
    /// Test this client instead of ours: a shell command that is given the URL of the fuzzing server
    #[arg(long, value_name = "COMMAND", conflicts_with = "server")]
    client_command: Option<String>,
}

impl Options {
    fn roles(&self) -> Vec<Role> {
        let both = self.server == self.client;
        let mut roles = Vec::new();
        if (both && self.client_command.is_none()) || self.server {
            roles.push(Role::Server {
                url: self.server_url.clone(),
            });
        }
        if (both && self.server_url.is_none()) || self.client {
            roles.push(Role::Client {
                command: self.client_command.clone(),
            });
        }
        roles
    }
}

pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    Ok(summary::close(&lines(options)?))
}

/// Runs the chosen cases in the chosen roles, prints what came of them and counts for each role.
pub(crate) fn lines(options: &Options) -> Result<Vec<Line>> {
    let autobahn = install::autobahn()?;
    let selection = cases::select(&options.cases, options.full);
    let mut lines = Vec::new();
    for role in options.roles() {
        println!("\nAutobahn against {role}");
        let counted = role.run(&autobahn, &selection).map(|verdict| {
            verdict.print();
            verdict.tally()
        });
        lines.push(Line::of(format!("conformance {}", role.name()), counted));
    }
    Ok(lines)
}

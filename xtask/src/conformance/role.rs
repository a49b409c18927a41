//! The two roles under test.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use super::cases::Selection;
use super::verdict::Verdict;
use crate::background::free_address;
use crate::failure::{About, Result};
use crate::install::Autobahn;
use crate::places;
use crate::release;
use crate::step::Step;

/// The name under which the report lists us.
const AGENT: &str = "telsiz";

/// How long a server may take until it listens, and a whole run until it ends.
const START: Duration = Duration::from_secs(60);
const RUN: Duration = Duration::from_secs(45 * 60);

/// What is tested: a server or a client, ours unless another one is given.
pub(super) enum Role {
    Server { url: Option<String> },
    Client { command: Option<String> },
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Server { url: None } => f.write_str("our server"),
            Self::Server { url: Some(url) } => write!(f, "the server at {url}"),
            Self::Client { command: None } => f.write_str("our client"),
            Self::Client {
                command: Some(command),
            } => write!(f, "the client `{command}`"),
        }
    }
}

impl Role {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Server { .. } => "server",
            Self::Client { .. } => "client",
        }
    }

    /// Runs the cases and reads the report.
    pub(super) fn run(&self, autobahn: &Autobahn, cases: &Selection) -> Result<Verdict> {
        let folder = places::reports().join(format!("conformance-{}", self.name()));
        if folder.exists() {
            fs::remove_dir_all(&folder).about("remove", &folder)?;
        }
        fs::create_dir_all(&folder).about("create", &folder)?;
        let log = folder.join("wstest.log");
        match self {
            Self::Server { url } => test_server(autobahn, cases, &folder, &log, url.as_deref())?,
            Self::Client { command } => {
                test_client(autobahn, cases, &folder, &log, command.as_deref())?;
            }
        }
        Verdict::read(&folder, AGENT, announced(&log)?, cases.count)
    }
}

fn test_server(
    autobahn: &Autobahn,
    cases: &Selection,
    folder: &Path,
    log: &Path,
    url: Option<&str>,
) -> Result<()> {
    let address = free_address()?;
    let mut server = None;
    let url = match url {
        Some(url) => url.to_owned(),
        None => {
            let step = our_server(address)?;
            let started = server.insert(step.start(&folder.join("server.log"))?);
            started.listens_at(address, START)?;
            format!("ws://{address}")
        }
    };
    let specification = specification(
        folder,
        json!({ "servers": [{ "agent": AGENT, "url": url }], "options": { "failByDrop": false } }),
        cases,
    )?;
    let mut wstest = autobahn
        .wstest("fuzzingclient", &specification)
        .start(log)?;
    if !wstest.ends(RUN)?.success() {
        return Err(wstest.failure("failed"));
    }
    Ok(())
}

fn test_client(
    autobahn: &Autobahn,
    cases: &Selection,
    folder: &Path,
    log: &Path,
    command: Option<&str>,
) -> Result<()> {
    let address = free_address()?;
    let url = format!("ws://{address}");
    let specification = specification(folder, json!({ "url": url }), cases)?;
    let mut wstest = autobahn
        .wstest("fuzzingserver", &specification)
        .start(log)?;
    wstest.listens_at(address, START)?;
    let client = match command {
        Some(command) => Step::new("sh").args(["-c", &format!("{command} {url}")]),
        None => our_client(&url)?,
    };
    let mut client = client.start(&folder.join("client.log"))?;
    if !client.ends(RUN)?.success() {
        return Err(client.failure("failed"));
    }
    Ok(())
}

/// Our echo server, allowing what sections 9.3 and 9.4 send: 16 MiB, in as many as 65,536 fragments.
fn our_server(address: SocketAddr) -> Result<Step> {
    Ok(Step::new(release::binary()?)
        .args([
            "serve",
            "echo",
            "--memory",
            "--listen",
            &address.to_string(),
        ])
        .args(["--max-message-size", "16777216", "--max-fragments", "65536"]))
}

/// Our client: an example of the library that asks the fuzzing server for its cases.
fn our_client(url: &str) -> Result<Step> {
    Step::cargo(&["build", "--release", "--package", "telsiz"])
        .args(["--example", "autobahn_client"])
        .run()?;
    let client = places::target().join("release/examples/autobahn_client");
    Ok(Step::new(client).arg(url))
}

/// Writes what `wstest` is to do, and returns the file.
fn specification(
    folder: &Path,
    mut specification: serde_json::Value,
    cases: &Selection,
) -> Result<PathBuf> {
    specification["outdir"] = json!(folder);
    specification["cases"] = json!(cases.patterns);
    specification["exclude-cases"] = json!([]);
    specification["exclude-agent-cases"] = json!({});
    let file = folder.join("specification.json");
    fs::write(&file, specification.to_string()).about("write", &file)?;
    Ok(file)
}

/// How many cases `wstest` set out to run, from its own words: "Ok, will run N test cases …".
fn announced(log: &Path) -> Result<usize> {
    let text = fs::read_to_string(log).about("read", log)?;
    text.lines()
        .find_map(|line| {
            let (count, _) = line.strip_prefix("Ok, will run ")?.split_once(' ')?;
            count.parse().ok()
        })
        .ok_or_else(|| format!("{} does not say how many cases it runs", log.display()).into())
}

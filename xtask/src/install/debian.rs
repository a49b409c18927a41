//! Programs that come from the machine's package manager.

use std::path::PathBuf;

use crate::failure::Result;
use crate::places;
use crate::step::Step;

/// The first of `programs` that stands on the path.
pub(super) fn on_path(programs: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    programs.iter().find_map(|program| {
        std::env::split_paths(&path)
            .map(|folder| folder.join(program))
            .find(|file| file.is_file())
    })
}

/// Finds a program by any of its names; installs the Debian package if it is missing and that is possible.
pub(super) fn program(programs: &[&str], package: &str) -> Result<PathBuf> {
    if let Some(found) = on_path(programs) {
        return Ok(found);
    }
    self::package(package)?;
    on_path(programs).ok_or_else(|| {
        format!(
            "{} is not on the path after `apt-get install {package}`",
            programs[0]
        )
        .into()
    })
}

/// Installs a Debian package, or says how to.
pub(super) fn package(package: &str) -> Result<()> {
    let by_hand =
        format!("{package} is missing: install it first (on Debian: apt-get install {package})");
    if on_path(&["apt-get"]).is_none() || !is_root() {
        return Err(by_hand.into());
    }
    println!("Installing {package} ...");
    let log = places::reports().join(format!("apt-get-{package}.log"));
    apt_get(&["update"]).run_into(&log)?;
    apt_get(&["install", "--yes", "--no-install-recommends", package])
        .run_into(&log)
        .map_err(|failure| format!("{by_hand}\n{failure}").into())
}

fn apt_get(arguments: &[&str]) -> Step {
    Step::new("apt-get")
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
}

fn is_root() -> bool {
    Step::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|id| id.trim() == "0")
}

/// A C++ compiler.
pub(crate) fn cxx() -> Result<PathBuf> {
    program(&["c++"], "g++")
}

/// The Chromium that the browser suite drives: `$CHROMIUM`, else the one on the path, else Debian's.
pub(crate) fn chromium() -> Result<PathBuf> {
    match std::env::var_os("CHROMIUM") {
        Some(file) => Ok(file.into()),
        None => program(
            &["chromium", "chromium-browser", "google-chrome"],
            "chromium",
        ),
    }
}

/// Valgrind, whose tool callgrind counts instructions.
pub(crate) fn valgrind() -> Result<PathBuf> {
    program(&["valgrind"], "valgrind")
}

/// The oldest Node that the suites in JavaScript run on.
const NODE: u32 = 20;

/// Node, for the suites in JavaScript.
pub(crate) fn node() -> Result<PathBuf> {
    let node = program(&["node", "nodejs"], "nodejs")?;
    let version = Step::new(&node).arg("--version").output()?;
    let major = version.trim_start_matches('v').split('.').next();
    match major.and_then(|major| major.parse::<u32>().ok()) {
        Some(major) if major >= NODE => Ok(node),
        _ => Err(format!(
            "Node {NODE} or newer is needed, this one is {}",
            version.trim()
        )
        .into()),
    }
}

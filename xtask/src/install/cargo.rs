//! Programs that cargo builds from their sources.

use std::path::PathBuf;

use super::debian;
use crate::failure::Result;
use crate::places;
use crate::stamp;
use crate::step::Step;

/// Returns where cargo-deny lies.
pub(crate) fn cargo_deny() -> Result<PathBuf> {
    built("cargo-deny", "0.20.2")
}

/// Returns where cargo-fuzz lies. The library that it fuzzes with is C++, which is built with the targets.
pub(crate) fn cargo_fuzz() -> Result<PathBuf> {
    debian::cxx()?;
    built("cargo-fuzz", "0.13.2")
}

/// Builds a program, without optimisation: that takes a third of the time.
fn built(name: &str, version: &str) -> Result<PathBuf> {
    let folder = places::tools().join(name);
    stamp::once(&folder, version, || {
        println!("Installing {name} {version} (this takes a few minutes) ...");
        Step::cargo(&["install", "--quiet", "--locked", name, "--version", version])
            .args(["--debug", "--root"])
            .arg(&folder)
            .env("CARGO_PROFILE_DEV_DEBUG", "false")
            .run()
    })?;
    Ok(folder.join("bin").join(name))
}

//! cargo-deny, built from its sources.

use std::path::PathBuf;

use crate::failure::Result;
use crate::places;
use crate::stamp;
use crate::step::Step;

const VERSION: &str = "0.20.2";

/// Returns where cargo-deny lies. It is built without optimisation: that takes a third of the time.
pub(crate) fn cargo_deny() -> Result<PathBuf> {
    let folder = places::tools().join("cargo-deny");
    stamp::once(&folder, VERSION, || {
        println!("Installing cargo-deny {VERSION} (this takes a few minutes) ...");
        Step::cargo(&[
            "install",
            "--quiet",
            "--locked",
            "cargo-deny",
            "--version",
            VERSION,
        ])
        .args(["--debug", "--root"])
        .arg(&folder)
        .env("CARGO_PROFILE_DEV_DEBUG", "false")
        .run()
    })?;
    Ok(folder.join("bin/cargo-deny"))
}

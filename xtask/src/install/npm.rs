//! Packages from npm.

use std::fs;

use super::debian;
use crate::failure::{About, Result};
use crate::places;
use crate::stamp;
use crate::step::Step;

/// Installs the packages that the suites in JavaScript use, exactly as locked.
pub(crate) fn npm_packages() -> Result<()> {
    let folder = places::root().join("interop");
    let lock = folder.join("package-lock.json");
    let wanted = fs::read_to_string(&lock).about("read", &lock)?;
    stamp::once(&folder.join("node_modules"), &wanted, || {
        println!("Installing interop/package-lock.json ...");
        Step::new(debian::program(&["npm"], "npm")?)
            .args([
                "ci",
                "--no-audit",
                "--no-fund",
                "--ignore-scripts",
                "--loglevel=error",
            ])
            .dir(&folder)
            .run()
    })
}

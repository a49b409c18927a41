//! Packages from npm.

use std::fs;
use std::path::Path;

use super::debian;
use crate::failure::{About, Result};
use crate::places;
use crate::stamp;
use crate::step::Step;

/// Installs the packages that a folder locks, exactly as it does.
pub(crate) fn npm_packages(folder: &Path) -> Result<()> {
    let lock = folder.join("package-lock.json");
    let wanted = fs::read_to_string(&lock).about("read", &lock)?;
    stamp::once(&folder.join("node_modules"), &wanted, || {
        println!("Installing {} ...", places::shown(&lock));
        Step::new(debian::program(&["npm"], "npm")?)
            .args([
                "ci",
                "--no-audit",
                "--no-fund",
                "--ignore-scripts",
                "--loglevel=error",
            ])
            .dir(folder)
            .run()
    })
}

//! The release binary: the server that suites start.

use std::path::PathBuf;

use crate::failure::Result;
use crate::places;
use crate::step::Step;

/// Builds `telsiz` as it is released and returns where it lies.
pub(crate) fn binary() -> Result<PathBuf> {
    Step::cargo(&["build", "--release", "--package", "telsiz-server"]).run()?;
    Ok(places::target().join("release").join("telsiz"))
}

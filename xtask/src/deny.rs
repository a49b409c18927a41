//! `deny`: licences, bans and sources of all dependencies.

use crate::failure::Result;
use crate::install;
use crate::step::Step;

/// What is checked. Advisories are not: their database is a git repository, which not every machine reaches.
const CHECKS: [&str; 3] = ["licenses", "bans", "sources"];

pub(crate) fn check() -> Result<()> {
    let cargo_deny = install::cargo_deny()?;
    Step::new(cargo_deny)
        .args(["--all-features", "check"])
        .args(CHECKS)
        .arg("--hide-inclusion-graph")
        .run()
}

//! Installs that happen once: a stamp beside what was installed holds what it was installed from.

use std::fs;
use std::path::Path;

use crate::failure::{About, Result};

const STAMP: &str = ".installed-from";

/// Runs `install` unless `folder` was installed from exactly `wanted` before.
///
/// The folder is removed first, so that nothing of an older or a broken install stays.
pub(crate) fn once(
    folder: &Path,
    wanted: &str,
    install: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let stamp = folder.join(STAMP);
    if fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(());
    }
    if folder.exists() {
        fs::remove_dir_all(folder).about("remove", folder)?;
    }
    if let Some(parent) = folder.parent() {
        fs::create_dir_all(parent).about("create", parent)?;
    }
    install()?;
    fs::write(&stamp, wanted).about("write", &stamp)
}

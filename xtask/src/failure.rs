//! What a chore says when it cannot do its work.

use std::error::Error;
use std::path::Path;

/// The result of a chore or of a part of one; the error is a sentence for the person at the terminal.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Says which file or folder an I/O error is about.
pub(crate) trait About<T> {
    /// Names the path and what was tried with it, as in "cannot read FILE: …".
    fn about(self, verb: &str, path: &Path) -> Result<T>;
}

impl<T> About<T> for std::io::Result<T> {
    fn about(self, verb: &str, path: &Path) -> Result<T> {
        self.map_err(|error| format!("cannot {verb} {}: {error}", path.display()).into())
    }
}

//! Why the command ends without success.

use std::fmt::{self, Display};
use std::process::ExitCode;

/// Why the command ends without success, in one line that says what to do.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It was called wrongly: exit code 2.
    Usage(String),
    /// It could not do what it was asked to: exit code 1.
    Failed(String),
}

impl Failure {
    /// Says so on standard error.
    pub(crate) fn report(&self) -> ExitCode {
        eprintln!("error: {self}");
        ExitCode::from(match self {
            Self::Usage(_) => 2,
            Self::Failed(_) => 1,
        })
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Usage(message) | Self::Failed(message)) = self;
        f.write_str(message)
    }
}

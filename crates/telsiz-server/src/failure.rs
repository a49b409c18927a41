//! Why the command ends without success.

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
        let (message, code) = match self {
            Self::Usage(message) => (message, 2),
            Self::Failed(message) => (message, 1),
        };
        eprintln!("error: {message}");
        ExitCode::from(code)
    }
}

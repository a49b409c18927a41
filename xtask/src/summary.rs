//! The table at the end of a chore that runs tests.

use std::process::ExitCode;

use crate::failure::Result;
use crate::tally::Tally;

/// What one part of a chore came to.
pub(crate) struct Line {
    name: String,
    tally: Tally,
}

impl Line {
    /// A part that counted its tests; one that could not even do that has failed once.
    pub(crate) fn of(name: impl Into<String>, counted: Result<Tally>) -> Self {
        Self {
            name: name.into(),
            tally: counted.unwrap_or_else(|failure| {
                println!("{failure}");
                Tally::one(false)
            }),
        }
    }
}

/// Prints a line for each part and the sum alone on the last line, and says how the chore ends.
pub(crate) fn close(lines: &[Line]) -> ExitCode {
    let mut sum = Tally::default();
    println!("\n{:<34} {:>7} {:>7}", "", "passed", "failed");
    for Line { name, tally } in lines {
        sum += *tally;
        println!("{name:<34} {:>7} {:>7}", tally.passed, tally.failed);
    }
    println!("\n{sum}");
    // A run that ran nothing has not shown that anything works.
    if sum.failed == 0 && sum.passed > 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

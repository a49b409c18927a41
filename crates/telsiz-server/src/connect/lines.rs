//! The lines of standard input.

use std::io;
use std::thread;

use tokio::sync::mpsc;

/// How many lines are read ahead.
const AHEAD: usize = 64;

/// Reads standard input, line by line, in a thread of its own: a read cannot be given
/// up, and the process must be able to end during one.
pub(super) fn read() -> mpsc::Receiver<io::Result<String>> {
    let (lines, read) = mpsc::channel(AHEAD);
    thread::spawn(move || {
        for line in io::stdin().lines() {
            let failed = line.is_err();
            if lines.blocking_send(line).is_err() || failed {
                break;
            }
        }
    });
    read
}

//! What `telsiz connect` prints.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};

use http::Response;
use telsiz::Message;

/// How many bytes of a binary message are shown in a terminal.
const BYTES_SHOWN: usize = 32;

/// Where messages are shown: marked in a terminal, by themselves elsewhere. Everything
/// else goes to standard error.
#[derive(Clone, Copy, Debug)]
pub(super) struct Screen {
    terminal: bool,
}

impl Screen {
    /// Standard output.
    pub(super) fn new() -> Self {
        Self {
            terminal: io::stdout().is_terminal(),
        }
    }

    /// Shows a message that came.
    pub(super) fn show(self, message: &Message) -> io::Result<()> {
        let shown = match self.terminal {
            true => marked(message),
            false => bare(message),
        };
        let mut out = io::stdout().lock();
        writeln!(out, "{shown}")?;
        out.flush()
    }

    /// Says what happened.
    pub(super) fn note(self, text: &str) {
        eprintln!("{}", printable(text));
    }

    /// Shows an HTTP answer that came in place of a WebSocket.
    pub(super) fn show_rejection<B: AsRef<[u8]>>(self, response: &Response<B>) {
        let mut shown = format!("{:?} {}\n", response.version(), response.status());
        for (name, value) in response.headers() {
            let value = String::from_utf8_lossy(value.as_bytes());
            // Writing to a string cannot fail.
            let _ = writeln!(shown, "{name}: {value}");
        }
        let body = String::from_utf8_lossy(response.body().as_ref());
        let _ = write!(shown, "\n{}", body.trim_end());
        for line in shown.lines() {
            eprintln!("{}", printable(line));
        }
    }
}

fn marked(message: &Message) -> String {
    match message {
        Message::Text(text) => format!("< {}", printable(text).replace('\n', "\n  ")),
        Message::Binary(bytes) => {
            let shown = hex(bytes.get(..BYTES_SHOWN).unwrap_or(bytes), " ");
            let more = if bytes.len() > BYTES_SHOWN {
                " …"
            } else {
                ""
            };
            format!("< ({} bytes) {shown}{more}", bytes.len())
        }
    }
}

fn bare(message: &Message) -> String {
    match message {
        Message::Text(text) => text.to_string(),
        Message::Binary(bytes) => hex(bytes, ""),
    }
}

fn hex(bytes: &[u8], between: &str) -> String {
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.join(between)
}

/// The text without what would command a terminal.
fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\t' => printable.push(character),
            _ if character.is_control() => printable.extend(character.escape_default()),
            _ => printable.push(character),
        }
    }
    printable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_sees_marks_and_no_commands() {
        assert_eq!(
            marked(&Message::text("günaydın\n\x1b[2J")),
            "< günaydın\n  \\u{1b}[2J"
        );
        assert_eq!(marked(&Message::binary(vec![0, 255])), "< (2 bytes) 00 ff");
        let long = marked(&Message::binary(vec![7; 33]));
        assert!(
            long.starts_with("< (33 bytes) 07 07") && long.ends_with("07 …"),
            "{long}"
        );
    }

    #[test]
    fn a_pipe_gets_the_message_alone() {
        assert_eq!(bare(&Message::text("a\x1b[2Jb")), "a\x1b[2Jb");
        assert_eq!(bare(&Message::binary(vec![0, 255])), "00ff");
    }
}

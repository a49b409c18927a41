//! The codes that connections were closed with.

use telsiz::{CloseFrame, Outcome};

use crate::tally::Tally;

/// The codes that are counted each, those that have to share a name, and that there was none.
const CODES: [&str; 18] = [
    "1000", "1001", "1002", "1003", "1005", "1007", "1008", "1009", "1010", "1011", "1012", "1013",
    "1014", "4008", "4009", "3xxx", "4xxx", "none",
];

/// Counts the codes of Close frames. Peers choose what they send: there are never more names than
/// these.
#[derive(Debug, Default)]
pub(crate) struct Closes {
    received: Tally<{ CODES.len() }>,
    sent: Tally<{ CODES.len() }>,
}

impl Closes {
    /// A connection is over.
    pub(crate) fn count(&self, outcome: Option<&Outcome>) {
        let received = outcome.and_then(|outcome| outcome.received.as_ref());
        let sent = outcome.and_then(|outcome| outcome.sent.as_ref());
        self.received.count(index(received));
        self.sent.count(index(sent));
    }

    /// How often each code came and went.
    pub(crate) fn counts(&self) -> impl Iterator<Item = ([&'static str; 2], u64)> {
        let ways = [("received", &self.received), ("sent", &self.sent)];
        ways.into_iter().flat_map(|(way, tally)| {
            let counts = CODES.into_iter().zip(tally.counts());
            counts.map(move |(code, count)| ([way, code], count))
        })
    }
}

fn index(frame: Option<&CloseFrame>) -> usize {
    let name = match frame.map(|frame| u16::from(frame.code())) {
        None => return CODES.len() - 1,
        Some(code) => code.to_string(),
    };
    let known = CODES.iter().position(|known| *known == name);
    let shared = || match name.as_bytes().first() {
        Some(b'3') => CODES.len() - 3,
        _ => CODES.len() - 2,
    };
    known.unwrap_or_else(shared)
}

#[cfg(test)]
mod tests {
    use telsiz::CloseCode;

    use super::*;
    use crate::close;

    #[test]
    fn codes_that_peers_choose_share_a_name() {
        let name = |code| {
            let code = CloseCode::new(code).expect("a code");
            CODES[index(Some(&CloseFrame::from(code)))]
        };
        for (code, expected) in [
            (1000, "1000"),
            (1014, "1014"),
            (3000, "3xxx"),
            (3999, "3xxx"),
            (4000, "4xxx"),
            (4007, "4xxx"),
            (4008, "4008"),
            (4010, "4xxx"),
            (4999, "4xxx"),
        ] {
            assert_eq!(name(code), expected);
        }
        assert_eq!(CODES[index(None)], "none");
        assert_eq!(CODES[index(Some(&close::TOO_SLOW))], "4008");
        assert_eq!(
            CODES[index(Some(&CloseFrame::from(CloseCode::NO_STATUS)))],
            "1005"
        );
    }
}

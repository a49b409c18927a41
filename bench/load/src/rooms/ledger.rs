//! Which message each member of a room has to get next, and whether that is what came.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::speech::{self, Said, said};
use crate::Error;

/// The messages of one room. Members are known by their connection; they are `connections` in a row.
pub(crate) struct Ledger {
    size: usize,
    first_connection: usize,
    /// How many messages each member has got.
    members: Vec<u64>,
    /// The messages that not everyone has, the oldest first.
    under_way: VecDeque<Message>,
    /// How many messages everyone has: also the number of the oldest of the others.
    pub(crate) delivered: u64,
    /// Bytes of all deliveries, with the headers of their frames.
    pub(crate) bytes: u64,
}

struct Message {
    text: String,
    /// The frame in which the first member got it. The others must get the same.
    frame: Vec<u8>,
    missing: usize,
    published: Instant,
}

impl Ledger {
    pub(crate) fn new(size: usize, first_connection: usize, connections: usize) -> Self {
        Self {
            size,
            first_connection,
            members: vec![0; connections],
            under_way: VecDeque::new(),
            delivered: 0,
            bytes: 0,
        }
    }

    /// How many messages were published.
    pub(crate) fn published(&self) -> u64 {
        self.delivered + self.under_way.len() as u64
    }

    /// Enters the next message and returns its text.
    pub(crate) fn publish(&mut self) -> &str {
        let text = speech::text(self.published(), self.size);
        self.under_way.push_back(Message {
            text,
            frame: Vec::new(),
            missing: self.members.len(),
            published: Instant::now(),
        });
        self.under_way.back().map_or("", |message| &message.text)
    }

    /// Checks a text frame that a connection got. Returns what was said if that is no message of the room; `took` is told
    /// about each message that everyone has from now on.
    pub(crate) fn take<'a>(
        &mut self,
        connection: usize,
        frame: &[u8],
        payload: &'a [u8],
        mut took: impl FnMut(Duration),
    ) -> Result<Option<Said<'a>>, Error> {
        let member = connection - self.first_connection;
        let due = self.members[member];
        let place = (due - self.delivered) as usize;
        let message = self.under_way.get_mut(place);
        // All but the first come this way.
        let known = message.filter(|message| message.frame == frame);
        let message = match known {
            Some(message) => message,
            None => {
                let text = match said(payload) {
                    Said::Chat(text) => text,
                    other => return Ok(Some(other)),
                };
                let came = speech::number(text);
                let Some(message) = self.under_way.get_mut(place) else {
                    return Err(Error::Surplus { connection });
                };
                if message.text.as_bytes() != text {
                    return Err(Error::WrongMessage {
                        connection,
                        due,
                        came,
                    });
                }
                if !message.frame.is_empty() {
                    return Err(Error::OtherWords {
                        connection,
                        message: due,
                    });
                }
                message.frame.extend(frame);
                message
            }
        };
        message.missing -= 1;
        self.members[member] += 1;
        self.bytes += frame.len() as u64;
        while let Some(message) = self.under_way.front()
            && message.missing == 0
        {
            took(message.published.elapsed());
            self.under_way.pop_front();
            self.delivered += 1;
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chat(text: &str) -> String {
        format!(r#"{{"type":"chat","message":"{text}"}}"#)
    }

    #[test]
    fn a_message_is_delivered_when_everyone_has_it() {
        let mut ledger = Ledger::new(20, 5, 2);
        let payloads = [0, 1].map(|_| chat(ledger.publish()));
        let mut told = 0;
        for (connection, number, delivered) in [(5, 0, 0), (5, 1, 0), (6, 0, 1), (6, 1, 2)] {
            let payload = payloads[number].as_bytes();
            let other = ledger.take(connection, payload, payload, |_| told += 1);
            assert_eq!(other.expect("fine"), None);
            assert_eq!(ledger.delivered, delivered);
        }
        assert_eq!((told, ledger.published()), (2, 2));
        assert_eq!(ledger.bytes, 4 * payloads[0].len() as u64);
    }

    #[test]
    fn what_nobody_waits_for_is_too_much() {
        let mut ledger = Ledger::new(20, 0, 2);
        let first = chat(ledger.publish());
        let mut take = |connection| {
            let payload = first.as_bytes();
            ledger.take(connection, payload, payload, |_| {}).err()
        };
        assert!(take(0).is_none());
        assert!(matches!(take(0), Some(Error::Surplus { connection: 0 })));
        assert!(take(1).is_none());
        assert!(matches!(take(1), Some(Error::Surplus { connection: 1 })));
    }

    #[test]
    fn other_things_are_for_others() {
        let mut ledger = Ledger::new(20, 0, 1);
        let done = br#"{"type":"ok","id":3}"#;
        let other = ledger.take(0, done, done, |_| {}).expect("fine");
        assert_eq!(other, Some(Said::Done(Some(3))));
    }
}

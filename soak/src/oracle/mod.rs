//! What everybody has to agree on: what stands where in the logs of the rooms.

mod reader;
mod violation;

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

pub(crate) use self::reader::{Joined, Reader, Since};
pub(crate) use self::violation::Violation;

/// How much of a log the server promises to keep, in messages.
pub(crate) const KEEP: u64 = 100;

/// What was told of all logs, by whomever: each client, each acknowledgement and each page of a history says it
/// here, and whoever contradicts what is known is in the wrong.
#[derive(Debug, Default)]
pub(crate) struct Oracle {
    logs: HashMap<String, Log>,
}

/// What is known of the log of a room.
#[derive(Debug)]
struct Log {
    /// The same for ever, also after restarts.
    epoch: String,
    newest: u64,
    said: HashMap<u64, Said>,
    /// Where each text stands. They are all different.
    places: HashMap<u64, u64>,
}

#[derive(Debug)]
struct Said {
    hash: u64,
    /// The beginning of the text, for people.
    head: String,
}

/// A message as it stands in a log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) epoch: &'a str,
    pub(crate) seq: u64,
    pub(crate) client: &'a str,
    pub(crate) text: &'a str,
}

impl Oracle {
    /// Somebody was told that this stands there: it was delivered, acknowledged or shown in a history.
    pub(crate) fn stands(&mut self, room: &str, entry: Entry<'_>) -> Result<(), Violation> {
        let Entry { seq, .. } = entry;
        let log = self.log(room, entry.epoch)?;
        let hash = entry.hash();
        match log.said.get(&seq) {
            Some(known) if known.hash == hash => return Ok(()),
            Some(known) => {
                return Err(Violation::Contradiction {
                    room: room.into(),
                    seq,
                    known: known.head.clone(),
                    told: entry.head(),
                });
            }
            None => {}
        }
        if let Some(&first) = log.places.get(&hash) {
            return Err(Violation::Twice {
                room: room.into(),
                places: (first, seq),
                told: entry.head(),
            });
        }
        log.places.insert(hash, seq);
        let head = entry.head();
        log.said.insert(seq, Said { hash, head });
        log.newest = log.newest.max(seq);
        Ok(())
    }

    /// The server says that the log ends here; `known` was its newest message before it was asked.
    pub(crate) fn ends(
        &mut self,
        room: &str,
        epoch: &str,
        seq: u64,
        known: u64,
    ) -> Result<(), Violation> {
        self.log(room, epoch)?;
        match seq < known {
            true => Err(Violation::Forgotten {
                room: room.into(),
                newest: seq,
                known,
            }),
            false => Ok(()),
        }
    }

    /// The server shows all that it keeps of a log, oldest first; `known` was its newest message before it was asked.
    pub(crate) fn history(
        &mut self,
        room: &str,
        entries: &[Entry<'_>],
        known: u64,
    ) -> Result<(), Violation> {
        let newest = entries.last().map_or(0, |entry| entry.seq);
        if let Some(last) = entries.last() {
            self.ends(room, last.epoch, newest, known)?;
        } else if known > 0 {
            return Err(Violation::Forgotten {
                room: room.into(),
                newest,
                known,
            });
        }
        if (entries.len() as u64) < KEEP.min(newest) {
            return Err(Violation::ShortHistory {
                room: room.into(),
                shown: entries.len(),
                newest,
            });
        }
        for pair in entries.windows(2) {
            if pair[1].seq != pair[0].seq + 1 {
                return Err(Violation::Gap {
                    room: room.into(),
                    last: pair[0].seq,
                    told: pair[1].seq,
                });
            }
        }
        for entry in entries {
            self.stands(room, *entry)?;
        }
        Ok(())
    }

    /// The newest message that anybody knows of a room; 0 if there is none.
    pub(crate) fn newest(&self, room: &str) -> u64 {
        self.logs.get(room).map_or(0, |log| log.newest)
    }

    /// The epoch of a room, if anybody knows it.
    pub(crate) fn epoch(&self, room: &str) -> Option<&str> {
        self.logs.get(room).map(|log| &*log.epoch)
    }

    /// How many messages are known in all, and how many there must be that nobody was told of.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let said = self.logs.values().map(|log| log.said.len() as u64).sum();
        let newest: u64 = self.logs.values().map(|log| log.newest).sum();
        (said, newest - said)
    }

    fn log(&mut self, room: &str, epoch: &str) -> Result<&mut Log, Violation> {
        let log = self.logs.entry(room.into()).or_insert_with(|| Log {
            epoch: epoch.into(),
            newest: 0,
            said: HashMap::new(),
            places: HashMap::new(),
        });
        match log.epoch == epoch {
            true => Ok(log),
            false => Err(Violation::AnotherEpoch {
                room: room.into(),
                known: log.epoch.clone(),
                told: epoch.into(),
            }),
        }
    }
}

impl Entry<'_> {
    fn hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.client, self.text).hash(&mut hasher);
        hasher.finish()
    }

    fn head(&self) -> String {
        let text: String = self.text.chars().take(40).collect();
        format!("{}: {text}", self.client)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(seq: u64, text: &str) -> Entry<'_> {
        Entry {
            epoch: "e",
            seq,
            client: "ali",
            text,
        }
    }

    fn oracle(texts: &[&str]) -> Oracle {
        let mut oracle = Oracle::default();
        for (seq, text) in (1..).zip(texts) {
            oracle.stands("oda", entry(seq, text)).expect("it is new");
        }
        oracle
    }

    #[test]
    fn what_all_say_alike_is_right() {
        let mut oracle = oracle(&["a", "b"]);
        for _ in 0..2 {
            assert_eq!(oracle.stands("oda", entry(2, "b")), Ok(()));
        }
        assert_eq!(oracle.stands("başka", entry(2, "b")), Ok(()));
        assert_eq!((oracle.newest("oda"), oracle.newest("yok")), (2, 0));
        assert_eq!(oracle.counts(), (3, 1));
    }

    #[test]
    fn two_messages_at_one_place_are_found() {
        let found = oracle(&["a", "b"]).stands("oda", entry(2, "c"));
        assert!(
            matches!(found, Err(Violation::Contradiction { seq: 2, .. })),
            "{found:?}"
        );
        let of_another = Entry {
            client: "veli",
            ..entry(2, "b")
        };
        let found = oracle(&["a", "b"]).stands("oda", of_another);
        assert!(
            matches!(found, Err(Violation::Contradiction { seq: 2, .. })),
            "{found:?}"
        );
    }

    #[test]
    fn a_message_at_two_places_is_found() {
        let found = oracle(&["a", "b"]).stands("oda", entry(3, "a"));
        let expected = matches!(found, Err(Violation::Twice { places: (1, 3), .. }));
        assert!(expected, "{found:?}");
    }

    #[test]
    fn a_log_that_goes_on_in_another_epoch_is_found() {
        let mut oracle = oracle(&["a"]);
        let epoch = Entry {
            epoch: "f",
            ..entry(2, "b")
        };
        let found = oracle.stands("oda", epoch);
        assert!(
            matches!(found, Err(Violation::AnotherEpoch { .. })),
            "{found:?}"
        );
        let found = oracle.ends("oda", "f", 1, 1);
        assert!(
            matches!(found, Err(Violation::AnotherEpoch { .. })),
            "{found:?}"
        );
    }

    #[test]
    fn an_acknowledged_message_that_is_gone_is_found() {
        let mut oracle = oracle(&["a", "b"]);
        assert_eq!(oracle.ends("oda", "e", 2, 2), Ok(()));
        let gone = |found: Result<(), Violation>| {
            assert!(
                matches!(found, Err(Violation::Forgotten { known: 2, .. })),
                "{found:?}"
            );
        };
        gone(oracle.ends("oda", "e", 1, 2));
        gone(oracle.history("oda", &[entry(1, "a")], 2));
        gone(oracle.history("oda", &[], 2));
        // Another one took its place.
        let found = oracle.history("oda", &[entry(1, "a"), entry(2, "c")], 2);
        assert!(
            matches!(found, Err(Violation::Contradiction { .. })),
            "{found:?}"
        );
    }

    #[test]
    fn a_history_with_a_gap_or_too_short_or_out_of_order_is_found() {
        let mut oracle = oracle(&["a", "b", "c"]);
        let all = [entry(1, "a"), entry(2, "b"), entry(3, "c")];
        assert_eq!(oracle.history("oda", &all, 3), Ok(()));
        let found = oracle.history("oda", &all[1..], 3);
        assert!(
            matches!(found, Err(Violation::ShortHistory { shown: 2, .. })),
            "{found:?}"
        );
        for wrong in [
            [all[0], all[1], all[1], all[2]].as_slice(),
            &[all[1], all[0], all[2]],
            &[all[0], all[2], entry(4, "d"), entry(5, "e"), entry(6, "f")],
        ] {
            let found = oracle.history("oda", wrong, 3);
            assert!(found.is_err(), "{wrong:?}");
        }
    }
}

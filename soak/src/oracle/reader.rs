//! What one client heard of one room, and what has to come next.

use super::{KEEP, Violation};

/// A client that reads a room.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    room: String,
    /// The newest message that it knows of.
    last: Option<u64>,
    is_present: bool,
}

/// The position that a client comes back with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Since {
    /// It wants only what is new.
    Nothing,
    /// What it knows.
    Known(u64),
    /// A position that never was.
    Nowhere,
}

/// What a client is told that joins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Joined {
    pub(crate) newest: u64,
    pub(crate) recovered: bool,
}

impl Reader {
    pub(crate) fn new(room: &str) -> Self {
        Self {
            room: room.into(),
            last: None,
            is_present: false,
        }
    }

    /// The newest message that it knows of.
    pub(crate) fn last(&self) -> Option<u64> {
        self.last
    }

    pub(crate) fn is_present(&self) -> bool {
        self.is_present
    }

    /// It left, or its connection ended.
    pub(crate) fn leave(&mut self) {
        self.is_present = false;
    }

    /// It joined. `recovered` may be false only if the log does not reach back.
    pub(crate) fn join(&mut self, since: Since, told: Joined) -> Result<(), Violation> {
        let Joined { newest, recovered } = told;
        self.is_present = true;
        let room = self.room.clone();
        let since = match since {
            Since::Known(since) if recovered && since <= newest => since,
            Since::Known(since) if !recovered && newest > since + KEEP => newest,
            Since::Known(since) => {
                return Err(Violation::NotRecovered {
                    room,
                    since,
                    newest,
                });
            }
            Since::Nothing | Since::Nowhere if recovered => {
                return Err(Violation::RecoveredFromNowhere { room });
            }
            Since::Nothing | Since::Nowhere => newest,
        };
        self.last = Some(since);
        Ok(())
    }

    /// A message came.
    pub(crate) fn hear(&mut self, told: u64) -> Result<(), Violation> {
        let room = || self.room.clone();
        let Some(last) = self.last.filter(|_| self.is_present) else {
            return Err(Violation::Uninvited { room: room(), told });
        };
        match told {
            _ if told == last + 1 => self.last = Some(told),
            _ if told <= last => {
                let room = room();
                return Err(Violation::Again { room, last, told });
            }
            _ => {
                let room = room();
                return Err(Violation::Gap { room, last, told });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(newest: u64, recovered: bool) -> Joined {
        Joined { newest, recovered }
    }

    fn reader_at(newest: u64) -> Reader {
        let mut reader = Reader::new("oda");
        let joined = reader.join(Since::Nothing, told(newest, false));
        joined.expect("it joined");
        reader
    }

    #[test]
    fn what_comes_one_after_the_other_is_right() {
        let mut reader = reader_at(4);
        for seq in 5..9 {
            assert_eq!(reader.hear(seq), Ok(()));
        }
        assert_eq!(reader.last(), Some(8));
    }

    #[test]
    fn a_gap_a_duplicate_and_a_reorder_are_found() {
        let found = reader_at(4).hear(6);
        assert!(matches!(found, Err(Violation::Gap { .. })), "{found:?}");
        let found = reader_at(4).hear(4);
        assert!(matches!(found, Err(Violation::Again { .. })), "{found:?}");
        let mut reader = reader_at(4);
        let _ = reader.hear(5);
        let _ = reader.hear(6);
        let found = reader.hear(5);
        assert!(matches!(found, Err(Violation::Again { .. })), "{found:?}");
    }

    #[test]
    fn who_comes_back_goes_on_where_it_was() {
        let mut reader = reader_at(4);
        reader.leave();
        let joined = reader.join(Since::Known(4), told(7, true));
        assert_eq!(joined, Ok(()));
        assert!(reader.clone().hear(8).is_err(), "5 was missed");
        assert_eq!(reader.hear(5), Ok(()));
    }

    #[test]
    fn a_recovery_may_fail_only_where_the_log_does_not_reach_back() {
        for (newest, recovered, is_right) in [
            (4, true, true),
            (104, true, true),
            (4, false, false),
            (104, false, false),
            (105, false, true),
            (3, true, false),
            (3, false, false),
        ] {
            let mut reader = reader_at(4);
            reader.leave();
            let joined = reader.join(Since::Known(4), told(newest, recovered));
            assert_eq!(joined.is_ok(), is_right, "{newest} {recovered}");
        }
        for since in [Since::Nothing, Since::Nowhere] {
            assert!(reader_at(4).join(since, told(4, true)).is_err());
            assert_eq!(reader_at(4).join(since, told(4, false)), Ok(()));
        }
    }

    #[test]
    fn what_comes_to_who_is_not_there_is_found() {
        let uninvited = |found: Result<(), Violation>| {
            assert!(
                matches!(found, Err(Violation::Uninvited { .. })),
                "{found:?}"
            );
        };
        uninvited(Reader::new("oda").hear(1));
        let mut reader = reader_at(4);
        reader.leave();
        uninvited(reader.hear(5));
    }
}

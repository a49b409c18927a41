//! What is in memory of all logs: what is not filed yet, and what was published or read lately.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use super::journal::Entry;
use super::log::{Ask, Extent, Log, Scope};
use crate::clock::Timestamp;
use crate::name::RoomName;
use crate::publication::Publication;
use crate::retention::{Keep, Retention};

/// What a log without publications takes, about.
const LOG: usize = 512;

/// How many logs are looked at for something to forget at a time.
const LOOKS: usize = 64;

/// The logs that are in memory.
///
/// Whatever was committed is filed (in the tables that readers see), or here, or both: what
/// is not filed is never forgotten, and nothing is forgotten while a reader
/// is on its way with what comes before it.
pub(super) struct Logs {
    rooms: HashMap<RoomName, Log>,
    /// All of them, in the order in which they are asked to make room.
    hand: VecDeque<RoomName>,
    /// Those with something to file, by the commit since which they have.
    dirty: BTreeSet<(u64, RoomName)>,
    /// The commits in the journal.
    journal: VecDeque<Commit>,
    /// What the logs take in memory, about.
    bytes: usize,
    limit: usize,
}

/// A commit in the journal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Commit {
    pub(super) number: u64,
    /// How many publications it brought, and how many bytes.
    pub(super) publications: usize,
    pub(super) bytes: usize,
}

/// What a writer has to know of a log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub(super) extent: Extent,
    /// Where it was published with that key; `Err` if only the disk knows.
    pub(super) repeated: Result<Option<u64>, ()>,
}

/// What answers a reader.
#[derive(Debug)]
pub(super) struct View {
    pub(super) extent: Extent,
    pub(super) publications: Vec<Arc<Publication>>,
    pub(super) total_pages: usize,
}

/// What is to be filed of a log.
#[derive(Debug)]
pub(super) struct Filing {
    pub(super) room: RoomName,
    /// How it stands in the tables then.
    pub(super) extent: Extent,
    pub(super) entries: Vec<Entry>,
    /// The commit of what is left.
    pub(super) left: Option<u64>,
}

impl Logs {
    /// Of what can be read again it keeps `limit` bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            rooms: HashMap::new(),
            hand: VecDeque::new(),
            dirty: BTreeSet::new(),
            journal: VecDeque::new(),
            bytes: 0,
            limit,
        }
    }

    /// Whether nothing is in the journal only.
    pub(super) fn all_filed(&self) -> bool {
        self.dirty.is_empty()
    }

    fn change<T>(&mut self, room: &RoomName, change: impl FnOnce(&mut Log) -> T) -> Option<T> {
        let log = self.rooms.get_mut(room)?;
        let before = log.bytes;
        let changed = change(log);
        self.bytes = self.bytes + log.bytes - before;
        Some(changed)
    }

    fn admit(&mut self, room: &RoomName) {
        if !self.rooms.contains_key(room) {
            self.rooms.insert(room.clone(), Log::default());
            self.hand.push_back(room.clone());
            self.bytes += LOG;
        }
    }

    /// What is known of a log, unless only the disk knows.
    pub(super) fn known(
        &mut self,
        room: &RoomName,
        keep: Keep,
        now: Timestamp,
        scope: Option<&Scope>,
    ) -> Option<Known> {
        self.change(room, |log| {
            let extent = log.trim(keep, now)?;
            let repeated = scope.map_or(Ok(None), |scope| log.find(extent, scope));
            Some(Known { extent, repeated })
        })?
    }

    /// Appends what was committed. `before` is what its writer knew of the log.
    pub(super) fn append(
        &mut self,
        room: &RoomName,
        before: Extent,
        entry: Entry,
        commit: u64,
        keep: Keep,
    ) {
        self.admit(room);
        let dirty = self.change(room, |log| {
            let time = entry.publication.time;
            log.append(before, entry, commit);
            log.used = true;
            log.trim(keep, time);
            log.dirty.replace(log.dirty.unwrap_or(commit)).is_none()
        });
        if dirty == Some(true) {
            self.dirty.insert((commit, room.clone()));
        }
        self.make_room();
    }

    /// Answers a reader, if what it asks for is in memory.
    pub(super) fn answer(
        &mut self,
        room: &RoomName,
        keep: Keep,
        now: Timestamp,
        ask: Ask,
    ) -> Option<View> {
        self.change(room, |log| {
            log.used = true;
            let extent = log.trim(keep, now)?;
            let (range, total_pages) = ask.range(extent);
            Some(View {
                extent,
                publications: log.slice(extent, &range)?,
                total_pages,
            })
        })?
    }

    /// Answers a reader with what it found on the disk, as far as that is not in memory.
    pub(super) fn answer_with(
        &mut self,
        room: &RoomName,
        keep: Keep,
        now: Timestamp,
        ask: Ask,
        found: &[Arc<Publication>],
    ) -> Option<View> {
        self.change(room, |log| {
            let extent = log.trim(keep, now)?;
            let (range, total_pages) = ask.range(extent);
            let start = log.start(extent).clamp(range.start, range.end);
            let found = found
                .iter()
                .filter(|p| (range.start..start).contains(&p.seq));
            let mut publications: Vec<_> = found.cloned().collect();
            if publications.len() as u64 != start - range.start {
                return None;
            }
            publications.extend(log.slice(extent, &(start..range.end))?);
            Some(View {
                extent,
                publications,
                total_pages,
            })
        })?
    }

    /// From now on nothing of this log is forgotten, until [`Self::release`].
    pub(super) fn hold(&mut self, room: &RoomName) {
        self.admit(room);
        self.change(room, |log| log.loading += 1);
    }

    /// How far a log reaches, and the number of the first one in memory. `None` if that is not
    /// known.
    pub(super) fn reach(&mut self, room: &RoomName) -> Option<(Extent, u64)> {
        let log = self.rooms.get(room)?;
        let extent = log.extent?;
        Some((extent, log.start(extent)))
    }

    /// Takes in what a reader found since [`Self::hold`]: the end of the log as it was filed.
    pub(super) fn install(&mut self, room: &RoomName, found: Extent, entries: Vec<Entry>) {
        self.change(room, |log| {
            log.used = true;
            log.extend_back(found, entries);
        });
    }

    /// The end of [`Self::hold`].
    pub(super) fn release(&mut self, room: &RoomName) {
        self.change(room, |log| log.loading = log.loading.saturating_sub(1));
        self.make_room();
    }

    /// The journal has one more commit.
    pub(super) fn recorded(&mut self, commit: Commit) {
        self.journal.push_back(commit);
    }

    /// The first commit that may stay in the journal, if it is to have at most so many
    /// publications and bytes.
    fn may_stay(&self, publications: usize, bytes: usize) -> u64 {
        let mut left = (publications, bytes);
        for commit in self.journal.iter().rev() {
            left = match (
                left.0.checked_sub(commit.publications),
                left.1.checked_sub(commit.bytes),
            ) {
                (Some(publications), Some(bytes)) => (publications, bytes),
                _ => return commit.number + 1,
            };
        }
        0
    }

    /// What to file next, so that the journal can be cut to `spare` publications and bytes (to
    /// nothing if that is `None`): at most `rows` and about `bytes` at once. And the first commit
    /// that is needed then, if any is.
    pub(super) fn filings(
        &mut self,
        retention: &Retention,
        now: Timestamp,
        spare: Option<(usize, usize)>,
        (mut rows, mut bytes): (usize, usize),
    ) -> (Vec<Filing>, Option<u64>) {
        let stays = spare.map_or(u64::MAX, |(count, bytes)| self.may_stay(count, bytes));
        let waiting = self.dirty.iter().take_while(|(commit, _)| *commit < stays);
        let waiting: Vec<_> = waiting.take(rows).map(|(_, room)| room.clone()).collect();
        let mut filings: Vec<Filing> = Vec::new();
        for room in waiting {
            if rows == 0 || bytes == 0 {
                break;
            }
            let keep = retention.of(&room);
            let filing = self.change(&room, |log| {
                let mut extent = log.trim(keep, now)?;
                let entries = log.unfiled(rows, bytes);
                if let Some(last) = entries.last() {
                    extent.head = last.publication.seq;
                    extent.time = last.publication.time;
                }
                let size = entries.iter().map(Entry::bytes).sum();
                rows = rows.saturating_sub(entries.len().max(1));
                bytes = bytes.saturating_sub(size);
                Some(Filing {
                    room: room.clone(),
                    left: log.dirty_behind(extent.head),
                    extent,
                    entries,
                })
            });
            filings.extend(filing.flatten());
        }
        let next = self.dirty.iter().nth(filings.len());
        let next = next.map(|(commit, _)| *commit);
        let left = filings.iter().filter_map(|filing| filing.left).min();
        (filings, [next, left].into_iter().flatten().min())
    }

    /// The journal was cut before `needed`.
    pub(super) fn cut(&mut self, needed: u64) {
        while self
            .journal
            .front()
            .is_some_and(|commit| commit.number < needed)
        {
            self.journal.pop_front();
        }
    }

    /// That was committed.
    pub(super) fn filed(&mut self, filing: Filing) {
        let Filing {
            room, extent, left, ..
        } = filing;
        let before = self.change(&room, |log| {
            log.filed(extent.head);
            std::mem::replace(&mut log.dirty, left)
        });
        if let Some(Some(before)) = before {
            self.dirty.remove(&(before, room.clone()));
        }
        if let Some(left) = left {
            self.dirty.insert((left, room));
        }
    }

    /// Forgets what was used longest ago, if there is too much.
    fn make_room(&mut self) {
        for _ in 0..LOOKS {
            if self.bytes <= self.limit {
                return;
            }
            let Some(room) = self.hand.pop_front() else {
                return;
            };
            let limit = self.limit;
            let gone = self.change(&room, |log| {
                let used = std::mem::take(&mut log.used);
                // One that nobody leaves alone must not fill the memory by itself.
                if !used || log.bytes > limit / 8 {
                    log.shrink(!used);
                }
                !used && log.loading == 0 && log.dirty.is_none()
            });
            if gone == Some(false) {
                self.hand.push_back(room);
            } else {
                self.rooms.remove(&room);
                self.bytes -= LOG;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::member::User;
    use crate::publication::Epoch;

    fn room(name: &str) -> RoomName {
        RoomName::new(name).expect("a name")
    }

    fn entry(seq: u64) -> Entry {
        Entry {
            publication: Arc::new(Publication {
                seq,
                epoch: Epoch::new("e"),
                time: Timestamp(seq),
                user: User::new("ali", "Ali"),
                text: seq.to_string(),
            }),
            key: None,
        }
    }

    fn extent(head: u64) -> Extent {
        Extent {
            head,
            time: Timestamp(head),
            first: 1,
        }
    }

    fn append(logs: &mut Logs, name: &str, seq: u64) {
        let commit = logs.journal.back().map_or(1, |commit| commit.number + 1);
        let before = extent(seq - 1);
        logs.append(&room(name), before, entry(seq), commit, Keep::default());
        logs.recorded(Commit {
            number: commit,
            publications: 1,
            bytes: 100,
        });
    }

    /// Files what is not, and says of which rooms how many.
    fn file(
        logs: &mut Logs,
        spare: Option<(usize, usize)>,
        most: (usize, usize),
    ) -> (Vec<(String, usize)>, Option<u64>) {
        let retention = Retention::default();
        let (filings, needed) = logs.filings(&retention, Timestamp(0), spare, most);
        logs.cut(needed.unwrap_or(u64::MAX));
        let filed = filings.iter();
        let filed = filed.map(|filing| (filing.room.to_string(), filing.entries.len()));
        let filed = filed.collect();
        for filing in filings {
            logs.filed(filing);
        }
        (filed, needed)
    }

    fn seqs(logs: &mut Logs, name: &str) -> Option<Vec<u64>> {
        let ask = Ask::Read {
            after: 0,
            limit: 1000,
        };
        let view = logs.answer(&room(name), Keep::default(), Timestamp(0), ask)?;
        Some(view.publications.iter().map(|p| p.seq).collect())
    }

    const ALL: (usize, usize) = (usize::MAX, usize::MAX);

    #[test]
    fn what_is_not_filed_is_not_forgotten() {
        let mut logs = Logs::new(0);
        for seq in 1..=3 {
            append(&mut logs, "a", seq);
        }
        assert_eq!(seqs(&mut logs, "a"), Some(vec![1, 2, 3]));
        file(&mut logs, None, ALL);
        for seq in 1..=LOOKS as u64 {
            append(&mut logs, "b", seq);
        }
        assert_eq!(seqs(&mut logs, "a"), None);
        assert_eq!(seqs(&mut logs, "b").map(|seqs| seqs.len()), Some(LOOKS));
    }

    #[test]
    fn nothing_is_forgotten_while_a_reader_is_on_its_way() {
        let mut logs = Logs::new(0);
        logs.hold(&room("a"));
        // The reader sees 1 and 2 in the tables.
        append(&mut logs, "a", 3);
        file(&mut logs, None, ALL);
        for seq in 1..=10 {
            append(&mut logs, "b", seq);
        }
        logs.install(&room("a"), extent(2), vec![entry(1), entry(2)]);
        assert_eq!(seqs(&mut logs, "a"), Some(vec![1, 2, 3]));
        logs.release(&room("a"));
        for seq in 11..=20 {
            append(&mut logs, "b", seq);
        }
        assert_eq!(seqs(&mut logs, "a"), None);
    }

    #[test]
    fn what_a_reader_brings_leaves_no_gap() {
        for (brought, expected) in [
            (vec![1, 2, 3], Some(vec![1, 2, 3, 4])),
            (vec![1, 2, 3, 4, 5], Some(vec![1, 2, 3, 4])),
            (vec![1, 2], None),
            (vec![2, 3], None),
        ] {
            let mut logs = Logs::new(1 << 20);
            append(&mut logs, "a", 4);
            let brought: Vec<_> = brought.into_iter().map(entry).collect();
            logs.install(&room("a"), extent(3), brought);
            assert_eq!(seqs(&mut logs, "a"), expected);
            logs.install(&room("a"), extent(3), vec![entry(1), entry(2), entry(3)]);
            assert_eq!(seqs(&mut logs, "a"), Some(vec![1, 2, 3, 4]));
        }
    }

    #[test]
    fn those_that_wait_longest_are_filed_first_and_the_journal_is_cut_behind_them() {
        let mut logs = Logs::new(1 << 20);
        for seq in 1..=3 {
            append(&mut logs, "a", seq);
            append(&mut logs, "b", seq);
        }
        append(&mut logs, "c", 1);
        let one = |name: &str, count| vec![(name.to_owned(), count)];
        assert_eq!(file(&mut logs, Some((7, 700)), ALL), (Vec::new(), Some(1)));
        assert_eq!(file(&mut logs, Some((6, 700)), ALL), (one("a", 3), Some(2)));
        let two = (2, usize::MAX);
        let part = file(&mut logs, Some((7, 400)), two);
        assert_eq!(part, (one("b", 2), Some(6)), "a part of a room");
        assert_eq!(file(&mut logs, None, (9, 1)), (one("b", 1), Some(7)));
        assert_eq!(file(&mut logs, None, ALL), (one("c", 1), None));
        assert!(logs.all_filed());
    }

    #[test]
    fn memory_is_bounded_whatever_the_logs_are_like() {
        for (rooms, limit) in [(1, 100 << 10), (10, 100 << 10), (5000, 200 << 10)] {
            let mut logs = Logs::new(limit);
            for turn in 0..10_000 {
                append(&mut logs, &(turn % rooms).to_string(), turn / rooms + 1);
                file(&mut logs, None, ALL);
                assert!(
                    logs.bytes <= limit + limit / 10,
                    "{rooms} {turn}: {}",
                    logs.bytes
                );
            }
            let held: usize = logs.rooms.values().map(|log| log.bytes + LOG).sum();
            assert_eq!(logs.bytes, held);
            let last = 10_000 / rooms;
            let newest = logs.answer(
                &room(&(rooms - 1).to_string()),
                Keep::default(),
                Timestamp(0),
                Ask::Read {
                    after: last - 1,
                    limit: 1,
                },
            );
            assert_eq!(newest.map(|view| view.publications.len()), Some(1));
        }
    }
}

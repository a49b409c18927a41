//! The log of a room, as far as it is in memory: its newest publications.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use super::journal::Entry;
use crate::clock::Timestamp;
use crate::engine::HistoryPage;
use crate::publication::{IdempotencyKey, Publication};
use crate::retention::Keep;

/// A user and a key: what is published once.
pub(super) type Scope = (Arc<str>, IdempotencyKey);

/// Where a log begins and ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    /// The number of the newest, 0 if nothing was published yet.
    pub(super) head: u64,
    /// When that was.
    pub(super) time: Timestamp,
    /// All below are gone. It is exact if the log is in memory as a whole; else some of the
    /// first may be too old already.
    pub(super) first: u64,
}

impl Extent {
    pub(super) const EMPTY: Self = Self {
        head: 0,
        time: Timestamp(0),
        first: 1,
    };

    /// Without what is too much or, as far as that is known here, too old.
    pub(super) fn trimmed(mut self, keep: Keep, now: Timestamp) -> Self {
        let count = u64::try_from(keep.count).unwrap_or(u64::MAX);
        self.first = self.first.max((self.head + 1).saturating_sub(count));
        if self.time < now.before(keep.age) {
            self.first = self.head + 1;
        }
        self
    }
}

/// A question of a reader.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ask {
    Read { after: u64, limit: usize },
    Page { page: usize, per_page: usize },
}

impl Ask {
    /// Which publications answer it, and how many pages there are.
    pub(super) fn range(self, extent: Extent) -> (Range<u64>, usize) {
        let end = extent.head + 1;
        match self {
            Self::Read { after, limit } => {
                let start = extent.first.max(after.saturating_add(1)).min(end);
                (start..end.min(start.saturating_add(limit as u64)), 1)
            }
            Self::Page { page, per_page } => {
                let kept = usize::try_from(end - extent.first).unwrap_or(usize::MAX);
                let (range, pages) = HistoryPage::range(kept, page, per_page);
                let at = |index| extent.first + index as u64;
                (at(range.start)..at(range.end), pages)
            }
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Log {
    /// `None` while nobody knows yet.
    pub(super) extent: Option<Extent>,
    /// Without gaps up to the newest.
    tail: VecDeque<Held>,
    /// Of what is in `tail`.
    keys: HashMap<Scope, u64>,
    /// What `tail` takes in memory, about.
    pub(super) bytes: usize,
    /// How many at the end of `tail` are in the journal only.
    unfiled: usize,
    /// Was read or published in since the hand came by.
    pub(super) used: bool,
    /// How many readers are about to bring what is older.
    pub(super) loading: usize,
    /// The commit since which something is to be filed.
    pub(super) dirty: Option<u64>,
}

#[derive(Debug)]
struct Held {
    entry: Entry,
    /// The commit that it came with.
    commit: u64,
}

impl Held {
    fn bytes(&self) -> usize {
        self.entry.bytes()
    }
}

impl Log {
    /// The number of the first one in memory.
    pub(super) fn start(&self, extent: Extent) -> u64 {
        extent.head + 1 - self.tail.len() as u64
    }

    /// Gives up what is too much or too old.
    pub(super) fn trim(&mut self, keep: Keep, now: Timestamp) -> Option<Extent> {
        let mut extent = self.extent?.trimmed(keep, now);
        let oldest = now.before(keep.age);
        while let Some(front) = self.tail.front()
            && (front.entry.publication.seq < extent.first || front.entry.publication.time < oldest)
        {
            extent.first = extent.first.max(front.entry.publication.seq + 1);
            self.pop_front();
        }
        self.extent = Some(extent);
        Some(extent)
    }

    fn pop_front(&mut self) {
        let Some(held) = self.tail.pop_front() else {
            return;
        };
        self.bytes -= held.bytes();
        self.unfiled = self.unfiled.min(self.tail.len());
        if let Some(key) = held.entry.key {
            let scope = (held.entry.publication.user.id.clone(), key);
            // A later one may have the same key, after the first was given up.
            if self.keys.get(&scope) == Some(&held.entry.publication.seq) {
                self.keys.remove(&scope);
            }
        }
    }

    /// Where it was published with that key; `Err` if only the disk knows.
    pub(super) fn find(&self, extent: Extent, scope: &Scope) -> Result<Option<u64>, ()> {
        match self.keys.get(scope) {
            Some(seq) => Ok(Some(*seq)),
            None if self.start(extent) <= extent.first => Ok(None),
            None => Err(()),
        }
    }

    /// Appends what a commit brought. `before` is what its writer knows.
    pub(super) fn append(&mut self, before: Extent, entry: Entry, commit: u64) {
        let extent = self.extent.get_or_insert(before);
        extent.head = entry.publication.seq;
        extent.time = entry.publication.time;
        self.note_key(&entry);
        let held = Held { entry, commit };
        self.bytes += held.bytes();
        self.unfiled += 1;
        self.tail.push_back(held);
    }

    fn note_key(&mut self, entry: &Entry) {
        if let Some(key) = &entry.key {
            let scope = (entry.publication.user.id.clone(), key.clone());
            let seq = self.keys.entry(scope).or_default();
            *seq = (*seq).max(entry.publication.seq);
        }
    }

    /// Takes in what a reader brought: the end of the log as it was filed, oldest first.
    pub(super) fn extend_back(&mut self, found: Extent, entries: Vec<Entry>) {
        let extent = self.extent.get_or_insert(found);
        extent.first = extent.first.max(found.first);
        let extent = *extent;
        for entry in entries.into_iter().rev() {
            if entry.publication.seq + 1 != self.start(extent) {
                continue;
            }
            self.note_key(&entry);
            let held = Held { entry, commit: 0 };
            self.bytes += held.bytes();
            self.tail.push_front(held);
        }
    }

    /// Those of `range`, if all of them are in memory.
    pub(super) fn slice(
        &self,
        extent: Extent,
        range: &Range<u64>,
    ) -> Option<Vec<Arc<Publication>>> {
        if range.is_empty() {
            return Some(Vec::new());
        }
        let start = self.start(extent);
        let at = |seq: u64| usize::try_from(seq.checked_sub(start)?).ok();
        let held = self.tail.range(at(range.start)?..at(range.end)?);
        Some(held.map(|held| held.entry.publication.clone()).collect())
    }

    /// The first of those that are in the journal only: at most `rows`, and no more after `bytes`.
    pub(super) fn unfiled(&self, rows: usize, bytes: usize) -> Vec<Entry> {
        let mut taken = 0;
        let skip = self.tail.len() - self.unfiled;
        let unfiled = self.tail.iter().skip(skip).take(rows);
        let unfiled = unfiled.take_while(|held| {
            let take = taken < bytes;
            taken += held.bytes();
            take
        });
        unfiled.map(|held| held.entry.clone()).collect()
    }

    /// The commit of the first one that is in the journal only, behind `seq`.
    pub(super) fn dirty_behind(&self, seq: u64) -> Option<u64> {
        let skip = self.tail.len() - self.unfiled;
        let mut unfiled = self.tail.iter().skip(skip);
        let held = unfiled.find(|held| held.entry.publication.seq > seq)?;
        Some(held.commit)
    }

    /// What stands up to `seq` was filed.
    pub(super) fn filed(&mut self, seq: u64) {
        let skip = self.tail.len() - self.unfiled;
        for held in self.tail.iter().skip(skip) {
            if held.entry.publication.seq > seq {
                break;
            }
            self.unfiled -= 1;
        }
    }

    /// Forgets the older half of what can be read again, or all of it.
    pub(super) fn shrink(&mut self, all: bool) {
        if self.loading > 0 {
            return;
        }
        let filed = self.tail.len() - self.unfiled;
        for _ in 0..if all { filed } else { filed.div_ceil(2) } {
            self.pop_front();
        }
        if self.tail.is_empty() {
            self.tail.shrink_to_fit();
            self.keys.shrink_to_fit();
        }
    }
}

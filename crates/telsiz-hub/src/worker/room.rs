//! A room as one worker sees it.

use std::collections::{HashMap, VecDeque};

use super::outlet::{Outlet, Wanted};
use crate::engine::Slice;
use crate::event::{Event, Signal};
use crate::member::ConnectionId;
use crate::publication::Position;

/// A room as one worker sees it: the members that are with it, and what they are to get.
pub(super) struct Room<L> {
    /// Of the newest publication that is queued or delivered; unknown until the log was read.
    known: Option<Position>,
    seats: Vec<Occupied<L>>,
    index: HashMap<ConnectionId, usize>,
    /// Each with what it takes in the inbox.
    queued: VecDeque<(Event, usize)>,
    /// How many are about to join.
    pub(super) joining: usize,
    pub(super) is_ready: bool,
    /// Publications were left out: the log has to be read.
    pub(super) is_behind: bool,
}

/// A member.
struct Occupied<L> {
    connection: ConnectionId,
    /// What was published up to this it knows already.
    from: u64,
    line: L,
}

/// Events of a room on their way to its members.
pub(super) struct Batch {
    pub(super) events: Vec<Event>,
    /// What they take in the inbox.
    pub(super) weight: usize,
    /// How many members have got them.
    delivered: usize,
    /// The lowest number of a publication in it.
    first: u64,
    has_ephemeral: bool,
}

/// What becomes of an event.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Pushed {
    Queued,
    /// It is known already, or it will be read from the log.
    Dropped,
    /// It shows that the log has to be read.
    FellBehind,
}

impl<L> Default for Room<L> {
    fn default() -> Self {
        Self {
            known: None,
            seats: Vec::new(),
            index: HashMap::new(),
            queued: VecDeque::new(),
            joining: 0,
            is_ready: false,
            is_behind: false,
        }
    }
}

impl<L> Room<L> {
    /// Where its members are, or will be with what is queued.
    pub(super) fn known(&self) -> Option<&Position> {
        self.known.as_ref()
    }

    /// Somebody who joins has read the log. Whether the worker is to read it, too.
    pub(super) fn begin_at(&mut self, slice: &Slice) -> bool {
        match &self.known {
            // Which of the two is newer is not known here.
            Some(known) => known.epoch != slice.epoch && !self.is_behind,
            None => {
                self.known = Some(slice.newest());
                std::mem::take(&mut self.is_behind)
            }
        }
    }

    /// Queues an event in its order.
    pub(super) fn push(&mut self, event: Event, weight: usize) -> Pushed {
        if let Event::Published(publication) = &event {
            let known = self.known.as_mut();
            match known.filter(|known| known.epoch == publication.epoch) {
                Some(known) if publication.seq <= known.seq => return Pushed::Dropped,
                Some(known) if publication.seq == known.seq + 1 => known.seq += 1,
                _ if self.is_behind => return Pushed::Dropped,
                _ => return Pushed::FellBehind,
            }
        }
        self.queued.push_back((event, weight));
        Pushed::Queued
    }

    /// The log does not continue what the members know, and they cannot get what they have
    /// missed: it goes on behind `known`.
    pub(super) fn start_again<O: Outlet<Line = L>>(
        &mut self,
        known: Option<Position>,
        outlet: &mut O,
    ) {
        self.known = known;
        for seat in &self.seats {
            outlet.lose(&seat.line);
        }
    }

    pub(super) fn has_queued(&self) -> bool {
        !self.queued.is_empty()
    }

    /// Takes what is to be delivered next.
    pub(super) fn next_batch(&mut self) -> Batch {
        let count = self.queued.len().min(Wanted::MOST);
        let mut batch = Batch {
            events: Vec::with_capacity(count),
            weight: 0,
            delivered: 0,
            first: u64::MAX,
            has_ephemeral: false,
        };
        let mut queued = self.queued.drain(..count);
        for (event, weight) in &mut queued {
            match &event {
                Event::Published(publication) => batch.first = batch.first.min(publication.seq),
                Event::Ephemeral(_) => batch.has_ephemeral = true,
            }
            batch.weight += weight;
            batch.events.push(event);
        }
        drop(queued);
        // What a burst took is not kept.
        if self.queued.is_empty() && self.queued.capacity() > Wanted::MOST {
            self.queued = VecDeque::new();
        }
        batch
    }

    /// Delivers to at most `limit` more members. Whether all have got it.
    pub(super) fn deliver<O: Outlet<Line = L>>(
        &self,
        batch: &mut Batch,
        limit: &mut usize,
        outlet: &mut O,
    ) -> bool {
        let end = self.seats.len().min(batch.delivered.saturating_add(*limit));
        for seat in self.seats.get(batch.delivered..end).unwrap_or_default() {
            let wanted = batch.wanted_by(seat);
            if !wanted.is_empty() {
                outlet.deliver(&seat.line, &batch.events, wanted);
            }
        }
        *limit -= end - batch.delivered;
        batch.delivered = end;
        end == self.seats.len()
    }

    pub(super) fn add(&mut self, connection: ConnectionId, from: u64, line: L) {
        let seat = Occupied {
            connection,
            from,
            line,
        };
        let place = *self.index.entry(connection).or_insert(self.seats.len());
        match self.seats.get_mut(place) {
            Some(taken) => *taken = seat,
            None => self.seats.push(seat),
        }
    }

    /// How far a member has come; `batch` is what is being delivered here right now.
    pub(super) fn heard(
        &self,
        connection: ConnectionId,
        batch: Option<&Batch>,
    ) -> Option<Position> {
        let known = self.known.as_ref()?;
        let place = *self.index.get(&connection)?;
        let from = self.seats.get(place)?.from;
        let batch = batch.filter(|batch| place >= batch.delivered);
        let events = batch.into_iter().flat_map(|batch| &batch.events);
        let mut events = events.chain(self.queued.iter().map(|(event, _)| event));
        let next = events.find_map(|event| match event {
            Event::Published(publication) => Some(publication.seq),
            Event::Ephemeral(_) => None,
        });
        Some(Position {
            epoch: known.epoch.clone(),
            seq: next
                .map_or(known.seq, |next| next.saturating_sub(1))
                .max(from),
        })
    }

    /// Removes a member; `batch` is what is being delivered here right now.
    pub(super) fn remove(&mut self, connection: ConnectionId, batch: Option<&mut Batch>) {
        let Some(mut hole) = self.index.remove(&connection) else {
            return;
        };
        // Those who have got it stay before those who have not.
        if let Some(batch) = batch
            && hole < batch.delivered
        {
            batch.delivered -= 1;
            self.seats.swap(hole, batch.delivered);
            self.note(hole);
            hole = batch.delivered;
        }
        self.seats.swap_remove(hole);
        self.note(hole);
        // Rooms shrink as they grew.
        if self.seats.capacity() > 4 * self.seats.len() + 16 {
            self.seats.shrink_to(2 * self.seats.len());
            self.index.shrink_to(2 * self.seats.len());
        }
    }

    fn note(&mut self, place: usize) {
        if let Some(seat) = self.seats.get(place)
            && let Some(noted) = self.index.get_mut(&seat.connection)
        {
            *noted = place;
        }
    }

    /// Whether nobody is here, nor about to be.
    pub(super) fn is_empty(&self) -> bool {
        self.seats.is_empty() && self.joining == 0
    }

    /// What its queued events take in the inbox.
    pub(super) fn weight(&self) -> usize {
        self.queued.iter().map(|(_, weight)| weight).sum()
    }
}

impl Batch {
    fn wanted_by<L>(&self, seat: &Occupied<L>) -> Wanted {
        let mut wanted = Wanted::all(self.events.len());
        if !self.has_ephemeral && seat.from < self.first {
            return wanted;
        }
        for (index, event) in self.events.iter().enumerate() {
            let is_wanted = match event {
                Event::Published(publication) => publication.seq > seat.from,
                Event::Ephemeral(event) if event.origin.connection == seat.connection => false,
                Event::Ephemeral(event) => match &event.signal {
                    Signal::Status { told, .. } => told.first_time(seat.connection),
                    Signal::Joined | Signal::Left | Signal::Typing => true,
                },
            };
            if !is_wanted {
                wanted.leave_out(index);
            }
        }
        wanted
    }
}

//! A room as one worker sees it.

use std::collections::{HashMap, VecDeque};

use super::outlet::{Outlet, Wanted};
use crate::engine::Slice;
use crate::event::{Event, Signal};
use crate::member::ConnectionId;
use crate::publication::Position;
use crate::shrink::shrink;

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
    /// How many publications came through the inbox, and how many were read from the log.
    pub(super) told: u64,
    pub(super) read_again: u64,
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
        // What they knew may be numbers of another epoch.
        let from = known.as_ref().map_or(0, |known| known.seq);
        self.known = known;
        for seat in &mut self.seats {
            seat.from = from;
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
            told: 0,
            read_again: 0,
            delivered: 0,
            first: u64::MAX,
            has_ephemeral: false,
        };
        let mut queued = self.queued.drain(..count);
        for (event, weight) in &mut queued {
            match &event {
                Event::Published(publication) => {
                    batch.first = batch.first.min(publication.seq);
                    match weight {
                        0 => batch.read_again += 1,
                        _ => batch.told += 1,
                    }
                }
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

    /// Adds a member that knows all that is queued; `batch` is what is being delivered here
    /// right now.
    pub(super) fn add(
        &mut self,
        connection: ConnectionId,
        from: u64,
        line: L,
        batch: Option<&mut Batch>,
    ) {
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
        // The signals of the batch are older than its joining, and it may have got them before
        // that.
        if let Some(batch) = batch
            && place >= batch.delivered
        {
            self.seats.swap(place, batch.delivered);
            self.note(place);
            self.note(batch.delivered);
            batch.delivered += 1;
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
        }
        shrink(&mut self.index);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Status, Told};
    use crate::publication::Epoch;
    use crate::testing::{member, published, published_in, signal};

    /// What was delivered: the line, and the numbers of the publications; 0 for a signal.
    #[derive(Default)]
    struct Got(Vec<(u64, Vec<u64>)>);

    impl Outlet for Got {
        type Line = u64;

        fn begin(&mut self, _: &crate::RoomName, _: &[Event], _: bool) {}

        fn deliver(&mut self, line: &u64, events: &[Event], wanted: Wanted) {
            let wanted = events.iter().enumerate().filter(|(at, _)| wanted.has(*at));
            let numbers = wanted.map(|(_, event)| match event {
                Event::Published(publication) => publication.seq,
                Event::Ephemeral(_) => 0,
            });
            self.0.push((*line, numbers.collect()));
        }

        fn end_turn(&mut self) {}

        fn lose(&mut self, line: &u64) {
            self.0.push((*line, vec![u64::MAX]));
        }
    }

    fn slice(epoch: &str, head: u64) -> Slice {
        Slice {
            epoch: Epoch::new(epoch),
            head,
            oldest: 1,
            publications: Vec::new(),
        }
    }

    /// At number 10, with members 1 to `count`.
    fn occupied(count: u64) -> Room<u64> {
        let mut room = Room::default();
        assert!(!room.begin_at(&slice("e", 10)));
        for connection in 1..=count {
            room.add(ConnectionId(connection), 10, connection, None);
        }
        room
    }

    fn deliver(room: &Room<u64>, batch: &mut Batch, mut limit: usize) -> (Vec<u64>, bool) {
        let mut got = Got::default();
        let is_done = room.deliver(batch, &mut limit, &mut got);
        (got.0.into_iter().map(|(line, _)| line).collect(), is_done)
    }

    #[test]
    fn only_what_comes_next_is_queued() {
        let mut room = occupied(1);
        for (event, pushed) in [
            (published(10), Pushed::Dropped),
            (published(11), Pushed::Queued),
            (published(11), Pushed::Dropped),
            (published(13), Pushed::FellBehind),
            (published_in("f", 12), Pushed::FellBehind),
            (published(12), Pushed::Queued),
        ] {
            assert_eq!(room.push(event.clone(), 1), pushed, "{event:?}");
        }
        room.is_behind = true;
        assert_eq!(room.push(published(14), 1), Pushed::Dropped);
        assert_eq!(room.push(published(13), 1), Pushed::Queued);
        assert_eq!(room.weight(), 3);
    }

    #[test]
    fn what_came_before_the_log_was_read_is_read_again() {
        let mut room = Room::<u64>::default();
        assert_eq!(room.push(published(5), 1), Pushed::FellBehind);
        room.is_behind = true;
        assert_eq!(room.push(published(6), 1), Pushed::Dropped);
        assert!(room.begin_at(&slice("e", 4)));
        assert_eq!(room.known(), Some(&slice("e", 4).newest()));
        assert!(!room.begin_at(&slice("e", 9)), "the first counts");
        assert_eq!(room.known(), Some(&slice("e", 4).newest()));
        assert!(
            room.begin_at(&slice("f", 1)),
            "the worker decides which is newer"
        );
        assert_eq!(room.known(), Some(&slice("e", 4).newest()));
    }

    #[test]
    fn members_get_what_they_do_not_know_and_not_their_own_signals() {
        let mut room = occupied(2);
        room.add(ConnectionId(3), 11, 3, None);
        room.add(ConnectionId(4), 13, 4, None);
        let typing = signal(&member(1, "u"), Signal::Typing);
        for event in [published(11), Event::Ephemeral(typing), published(12)] {
            assert_eq!(room.push(event, 7), Pushed::Queued);
        }
        let mut batch = room.next_batch();
        assert_eq!(batch.weight, 21);
        let mut got = Got::default();
        assert!(room.deliver(&mut batch, &mut 9, &mut got));
        let expected = [
            (1, vec![11, 12]),
            (2, vec![11, 0, 12]),
            (3, vec![0, 12]),
            (4, vec![0]),
        ];
        assert_eq!(got.0, expected);
    }

    #[test]
    fn a_status_is_told_once_to_a_connection_that_is_in_two_rooms() {
        let told = Told::default();
        let status = Signal::Status {
            status: Status::Away,
            told,
        };
        let event = Event::Ephemeral(signal(&member(9, "u"), status));
        let mut got = Got::default();
        for members in [2, 3] {
            let mut room = occupied(members);
            room.push(event.clone(), 0);
            let mut batch = room.next_batch();
            room.deliver(&mut batch, &mut 9, &mut got);
        }
        assert_eq!(got.0, [(1, vec![0]), (2, vec![0]), (3, vec![0])]);
    }

    #[test]
    fn a_batch_has_at_most_64_events() {
        let mut room = occupied(1);
        for seq in 11..11 + 130 {
            room.push(published(seq), 1);
        }
        let sizes: Vec<_> = (0..4).map(|_| room.next_batch().events.len()).collect();
        assert_eq!(sizes, [64, 64, 2, 0]);
        assert_eq!(room.queued.capacity(), 0, "what a burst took is given back");
    }

    /// Every way for one of five members to leave while a batch is paused, and for another to
    /// come: those who stay get it once.
    #[test]
    fn whoever_stays_while_a_batch_is_paused_gets_it_once() {
        for before in 0..=5 {
            for leaver in 1..=5 {
                let mut room = occupied(5);
                room.push(published(11), 0);
                let mut batch = room.next_batch();
                let (mut got, _) = deliver(&room, &mut batch, before);
                room.remove(ConnectionId(leaver), Some(&mut batch));
                room.remove(ConnectionId(leaver), Some(&mut batch));
                room.add(ConnectionId(6), 11, 6, Some(&mut batch));
                let mut is_done = false;
                while !is_done {
                    let more = deliver(&room, &mut batch, 1);
                    got.extend(more.0);
                    is_done = more.1;
                }
                got.retain(|line| *line != leaver);
                got.sort_unstable();
                let expected: Vec<_> = (1..=5).filter(|line| *line != leaver).collect();
                assert_eq!(got, expected, "{leaver} left after {before}");
                for (connection, place) in &room.index {
                    assert_eq!(room.seats[*place].connection, *connection);
                }
            }
        }
    }

    #[test]
    fn a_paused_batch_survives_that_everybody_leaves() {
        let mut room = occupied(4);
        room.push(published(11), 0);
        let mut batch = room.next_batch();
        deliver(&room, &mut batch, 3);
        for connection in [2, 4, 1, 3] {
            room.remove(ConnectionId(connection), Some(&mut batch));
        }
        assert!(room.is_empty());
        assert_eq!(deliver(&room, &mut batch, 1), (vec![], true));
    }

    #[test]
    fn a_member_has_heard_what_is_before_what_it_is_still_to_get() {
        let mut room = occupied(3);
        let heard = |room: &Room<u64>, connection, batch: Option<&Batch>| {
            let heard = room.heard(ConnectionId(connection), batch);
            heard.map(|position| position.seq)
        };
        assert_eq!(heard(&room, 1, None), Some(10));
        room.push(Event::Ephemeral(signal(&member(9, "u"), Signal::Typing)), 0);
        room.push(published(11), 0);
        room.push(published(12), 0);
        assert_eq!(heard(&room, 1, None), Some(10), "two are queued");
        let mut batch = room.next_batch();
        room.push(published(13), 0);
        deliver(&room, &mut batch, 1);
        assert_eq!(heard(&room, 1, Some(&batch)), Some(12));
        assert_eq!(heard(&room, 2, Some(&batch)), Some(10));
        room.add(ConnectionId(4), 20, 4, Some(&mut batch));
        assert_eq!(heard(&room, 4, Some(&batch)), Some(20), "it read ahead");
        assert_eq!(heard(&room, 5, Some(&batch)), None);
    }

    #[test]
    fn whoever_lost_something_has_heard_what_its_room_begins_again_with() {
        let mut room = occupied(1);
        let mut got = Got::default();
        for known in [slice("f", 3).newest(), slice("f", 12).newest()] {
            room.start_again(Some(known.clone()), &mut got);
            assert_eq!(room.heard(ConnectionId(1), None), Some(known));
        }
        room.start_again(None, &mut got);
        assert_eq!(room.heard(ConnectionId(1), None), None);
        assert_eq!(
            got.0,
            [
                (1, vec![u64::MAX]),
                (1, vec![u64::MAX]),
                (1, vec![u64::MAX])
            ]
        );
    }

    #[test]
    fn whoever_comes_while_a_batch_is_paused_gets_none_of_its_signals() {
        for before in 0..=3 {
            let mut room = occupied(3);
            room.push(Event::Ephemeral(signal(&member(9, "u"), Signal::Typing)), 0);
            let mut batch = room.next_batch();
            let (mut got, _) = deliver(&room, &mut batch, before);
            room.add(ConnectionId(4), 10, 4, Some(&mut batch));
            got.extend(deliver(&room, &mut batch, 9).0);
            got.sort_unstable();
            assert_eq!(got, [1, 2, 3], "after {before}");
        }
    }

    #[test]
    fn a_connection_sits_once() {
        let mut room = occupied(2);
        room.add(ConnectionId(1), 11, 7, None);
        room.push(published(11), 0);
        room.push(published(12), 0);
        let mut batch = room.next_batch();
        let mut got = Got::default();
        room.deliver(&mut batch, &mut 9, &mut got);
        assert_eq!(got.0, [(7, vec![12]), (2, vec![11, 12])]);
        room.remove(ConnectionId(1), None);
        room.remove(ConnectionId(2), None);
        assert!(room.is_empty());
    }

    #[test]
    fn rooms_shrink_as_they_grew() {
        let mut room = occupied(1000);
        for connection in 2..=1000 {
            room.remove(ConnectionId(connection), None);
        }
        assert!(room.seats.capacity() <= 20, "{}", room.seats.capacity());
        assert!(room.index.capacity() <= 68, "{}", room.index.capacity());
    }
}

//! The way from a worker to the connections.

use crate::event::Event;
use crate::name::RoomName;

/// Brings events to connections. Nothing here may wait: what a connection does not take at
/// once is for the outlet to keep, within bounds, or to give up.
pub trait Outlet: Send + 'static {
    /// The way to a connection.
    type Line: Clone + Send + 'static;

    /// These events of a room are about to be delivered to some of its members. `alone`:
    /// nothing else is known to follow in this turn, so that there is nothing to wait for.
    fn begin(&mut self, room: &RoomName, events: &[Event], alone: bool);

    /// Delivers those of the events to a member that it is meant to get.
    fn deliver(&mut self, line: &Self::Line, events: &[Event], wanted: Wanted);

    /// What was delivered in this turn should be written now.
    fn end_turn(&mut self);

    /// A member cannot get what it has missed in a room: it has to join again.
    fn lose(&mut self, line: &Self::Line);
}

/// Which events of a batch a member is meant to get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted(u64);

impl Wanted {
    /// The most events of a batch.
    pub(crate) const MOST: usize = 64;

    /// All of `count` events.
    pub(crate) fn all(count: usize) -> Self {
        match count {
            Self::MOST.. => Self(u64::MAX),
            count => Self((1 << count) - 1),
        }
    }

    pub(crate) fn leave_out(&mut self, index: usize) {
        self.0 &= !(1 << index);
    }

    /// Whether the event of this index is meant.
    pub fn has(self, index: usize) -> bool {
        index < Self::MOST && self.0 & (1 << index) != 0
    }

    /// Whether all of `count` events are meant.
    pub fn is_all(self, count: usize) -> bool {
        self == Self::all(count)
    }

    /// Whether no event is meant.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_not_wanted() {
        for count in [0, 1, 63, 64] {
            let mut wanted = Wanted::all(count);
            assert_eq!(wanted.is_empty(), count == 0);
            assert!(wanted.is_all(count));
            for index in 0..80 {
                assert_eq!(wanted.has(index), index < count, "{index} of {count}");
            }
            for index in 0..count {
                wanted.leave_out(index);
                assert!(!wanted.has(index) && !wanted.is_all(count));
            }
            assert!(wanted.is_empty());
        }
    }
}

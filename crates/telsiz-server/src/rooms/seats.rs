//! The rooms that one connection is in.

use telsiz_hub::{RoomName, Seat};

use super::Outlet;

/// The rooms that one connection is in. It leaves them all when this is dropped.
#[derive(Debug, Default)]
pub(crate) struct Seats(
    /// Ordered by name: most connections have one, some have a thousand.
    Vec<Seat<Outlet>>,
);

impl Seats {
    fn find(&self, room: &RoomName) -> Result<usize, usize> {
        self.0.binary_search_by(|seat| seat.room().cmp(room))
    }

    pub(crate) fn contains(&self, room: &RoomName) -> bool {
        self.find(room).is_ok()
    }

    pub(crate) fn insert(&mut self, seat: Seat<Outlet>) {
        match self.find(seat.room()) {
            Ok(place) => self.0[place] = seat,
            Err(place) => {
                self.0.reserve_exact(1 + self.0.len() / 2);
                self.0.insert(place, seat);
            }
        }
    }

    pub(crate) fn take(&mut self, room: &RoomName) -> Option<Seat<Outlet>> {
        let place = self.find(room).ok()?;
        Some(self.0.remove(place))
    }

    pub(crate) fn rooms(&self) -> impl Iterator<Item = &RoomName> {
        self.0.iter().map(Seat::room)
    }
}

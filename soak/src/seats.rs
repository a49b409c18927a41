//! The rooms that a member is in, as it sees them; the checks look at them.

use std::collections::BTreeMap;

use crate::oracle::Reader;

/// The rooms that a member is in.
#[derive(Debug)]
pub(crate) struct Seats {
    /// Its name in reports.
    pub(crate) name: String,
    /// What the server knows it by; other members may have the same.
    pub(crate) client: String,
    pub(crate) is_open: bool,
    /// It waits for no answer and has nothing more to say.
    pub(crate) is_idle: bool,
    pub(crate) rooms: BTreeMap<String, Reader>,
}

impl Seats {
    pub(crate) fn new(name: &str, client: &str) -> Self {
        Self {
            name: name.into(),
            client: client.into(),
            is_open: false,
            is_idle: false,
            rooms: BTreeMap::new(),
        }
    }

    /// Its connection ended.
    pub(crate) fn close(&mut self) {
        self.is_open = false;
        self.is_idle = false;
        for reader in self.rooms.values_mut() {
            reader.leave();
        }
    }

    pub(crate) fn is_in(&self, room: &str) -> bool {
        self.rooms.get(room).is_some_and(Reader::is_present)
    }

    /// The rooms that it is in.
    pub(crate) fn present(&self) -> Vec<String> {
        let present = self.rooms.iter().filter(|(_, reader)| reader.is_present());
        present.map(|(room, _)| room.clone()).collect()
    }
}

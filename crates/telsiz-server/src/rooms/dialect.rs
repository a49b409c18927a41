//! How a room looks on the wire.

use std::fmt;
use std::ptr;

use telsiz_hub::{Event, RoomName};

use crate::lang::Lang;

/// How an app tells what happens in a room.
pub(crate) struct Dialect {
    /// Of the app.
    pub(crate) name: &'static str,
    /// The message that tells of an event, if one does.
    pub(crate) render: fn(&RoomName, &Event, Lang) -> Option<String>,
}

impl PartialEq for &'static Dialect {
    fn eq(&self, other: &Self) -> bool {
        ptr::eq(*self, *other)
    }
}

impl fmt::Debug for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

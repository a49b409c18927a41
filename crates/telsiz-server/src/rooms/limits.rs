//! How rooms are limited, and counting who hits that.

use std::num::NonZeroUsize;
use std::sync::Arc;

use telsiz_hub::{
    Appended, Draft, Identity, Joining, Member, Position, PublishError, ReadError, RoomName,
};

use super::{Outlet, Rooms, Worker};
use crate::json::{Expected, WrongField};
use crate::limits_hit::Limit;
use crate::names::Naming;
use crate::rate::Rate;

/// How rooms are limited. What is `None` is not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RoomLimits {
    /// The rooms of a connection.
    pub(crate) max_rooms: Option<NonZeroUsize>,
    /// The connections in a room.
    pub(crate) max_members: Option<NonZeroUsize>,
    /// The bytes of a text that is published.
    pub(crate) max_publish_size: Option<NonZeroUsize>,
    /// The reads of the history by a connection.
    pub(crate) history_rate: Rate,
    /// What rooms and users may be called.
    pub(crate) naming: Naming,
}

impl Default for RoomLimits {
    fn default() -> Self {
        Self {
            max_rooms: None,
            max_members: None,
            max_publish_size: None,
            history_rate: Rate::Off,
            naming: Naming::default(),
        }
    }
}

impl Rooms {
    /// As [`telsiz_hub::Worker::join`].
    pub(crate) async fn join(
        &self,
        worker: &Arc<Worker>,
        room: &RoomName,
        member: &Arc<Member>,
        since: Option<Position>,
    ) -> Result<Joining<Outlet>, ReadError> {
        let joining = worker.join(room, member, since).await;
        if let Err(ReadError::Full { .. }) = joining {
            self.hit(Limit::Members);
        }
        joining
    }

    /// As [`telsiz_hub::Hub::publish`].
    pub(crate) async fn publish(
        &self,
        identity: Identity<'_>,
        room: &RoomName,
        draft: Draft,
    ) -> Result<Appended, PublishError> {
        let published = self.hub().publish(identity, room, draft).await;
        if let Err(PublishError::TooLarge { .. }) = published {
            self.hit(Limit::PublishSize);
        }
        published
    }

    /// Checks a name, or an id, that `field` gives and that by itself could be one.
    pub(crate) fn check_name(&self, field: &'static str, name: &str) -> Result<(), WrongField> {
        let naming = self.limits().naming;
        if naming.allows(name) {
            return Ok(());
        }
        self.hit(Limit::Name);
        let expected = Expected::Name(naming);
        Err(WrongField { field, expected })
    }
}

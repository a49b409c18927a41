//! What was said in rooms, and by whom, as `rooms` and HTTP tell it.

use schemars::JsonSchema;
use serde::Serialize;
use telsiz_hub::{HistoryPage, Member, Publication, RoomName};

use crate::timestamp::Iso;

/// What somebody said in a room.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Chat<'a> {
    room_id: &'a str,
    client_id: &'a str,
    username: &'a str,
    message: &'a str,
    timestamp: Iso,
    seq: u64,
    epoch: &'a str,
}

/// As it was delivered.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum HistoryEntry<'a> {
    Chat(Chat<'a>),
}

/// A page of what was said, oldest first.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct History<'a> {
    room_id: &'a str,
    page: usize,
    /// At least 1.
    total_pages: usize,
    messages: Vec<HistoryEntry<'a>>,
}

/// A user who is in a room.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct MemberEntry<'a> {
    client_id: &'a str,
    username: &'a str,
}

impl<'a> Chat<'a> {
    pub(crate) fn new(room: &'a RoomName, publication: &'a Publication) -> Self {
        Self {
            room_id: room.as_str(),
            client_id: &publication.user.id,
            username: &publication.user.name,
            message: &publication.text,
            timestamp: Iso(publication.time),
            seq: publication.seq,
            epoch: publication.epoch.as_str(),
        }
    }
}

impl<'a> History<'a> {
    /// The page with this number.
    pub(crate) fn new(room: &'a RoomName, page: usize, history: &'a HistoryPage) -> Self {
        let publications = history.publications.iter();
        let messages = publications.map(|said| HistoryEntry::Chat(Chat::new(room, said)));
        Self {
            room_id: room.as_str(),
            page,
            total_pages: history.total_pages,
            messages: messages.collect(),
        }
    }
}

impl<'a> MemberEntry<'a> {
    pub(crate) fn new(member: &'a Member) -> Self {
        Self {
            client_id: &member.user.id,
            username: &member.user.name,
        }
    }
}

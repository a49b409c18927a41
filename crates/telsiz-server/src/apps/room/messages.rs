//! What is said in `room`.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Map, Value};
use telsiz_hub::{Ephemeral, Event, Listing, Member, Publication, RoomName, Signal, Timestamp};

use crate::json::{TextOrEmpty, messages, write};
use crate::lang::Lang;
use crate::rooms::Dialect;
use crate::timestamp::Iso;

messages! {
    /// What a client says. Text that is no JSON object is the content of a message.
    pub(super) enum FromClient {
        /// Says something. A message without a `type` is this, too.
        "message" => Message { content: TextOrEmpty },
        /// Shows the others that the user is typing.
        "typing" => Typing {},
    }
}

impl FromClient {
    /// What somebody said without JSON.
    pub(super) fn said(text: &str) -> Self {
        Self::Message {
            content: TextOrEmpty(text.to_owned()),
        }
    }
}

/// What the server says.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum FromServer<'a> {
    /// Somebody joined.
    UserJoined {
        user_id: &'a str,
        username: &'a str,
        room_id: &'a str,
        timestamp: Iso,
        message: String,
    },
    /// Somebody left.
    UserLeft {
        user_id: &'a str,
        username: &'a str,
        room_id: &'a str,
        timestamp: Iso,
        message: String,
    },
    /// Who is there: one entry for each connection, the first 500 of them.
    RoomMembers {
        members: Vec<&'a str>,
        /// How many there are.
        count: usize,
    },
    /// Somebody said something.
    Message {
        user_id: &'a str,
        username: &'a str,
        content: &'a str,
        timestamp: Iso,
        room_id: &'a str,
    },
    /// Somebody is typing.
    Typing {
        user_id: &'a str,
        username: &'a str,
        room_id: &'a str,
    },
    /// Something was not done.
    Error {
        /// Why.
        message: Cow<'a, str>,
    },
}

impl<'a> FromServer<'a> {
    pub(super) fn joined(room: &'a RoomName, who: &'a Member, at: Timestamp, lang: Lang) -> Self {
        let name = &who.user.name;
        Self::UserJoined {
            user_id: &who.user.id,
            username: name,
            room_id: room.as_str(),
            timestamp: Iso(at),
            message: match lang {
                Lang::Tr => format!("{name} sohbete katıldı"),
                Lang::En => format!("{name} joined the chat"),
            },
        }
    }

    fn left(room: &'a RoomName, who: &'a Member, at: Timestamp, lang: Lang) -> Self {
        let name = &who.user.name;
        Self::UserLeft {
            user_id: &who.user.id,
            username: name,
            room_id: room.as_str(),
            timestamp: Iso(at),
            message: match lang {
                Lang::Tr => format!("{name} sohbetten ayrıldı"),
                Lang::En => format!("{name} left the chat"),
            },
        }
    }

    pub(super) fn room_members(listing: &'a Listing) -> Self {
        let ids = listing.members.iter().map(|member| &*member.user.id);
        Self::RoomMembers {
            members: ids.collect(),
            count: listing.connections,
        }
    }

    fn message(room: &'a RoomName, publication: &'a Publication) -> Self {
        Self::Message {
            user_id: &publication.user.id,
            username: &publication.user.name,
            content: &publication.text,
            timestamp: Iso(publication.time),
            room_id: room.as_str(),
        }
    }

    fn ephemeral(room: &'a RoomName, event: &'a Ephemeral, lang: Lang) -> Option<Self> {
        let who = &*event.origin;
        match event.signal {
            Signal::Joined => Some(Self::joined(room, who, event.time, lang)),
            Signal::Left => Some(Self::left(room, who, event.time, lang)),
            Signal::Typing => Some(Self::Typing {
                user_id: &who.user.id,
                username: &who.user.name,
                room_id: room.as_str(),
            }),
            Signal::Status { .. } => None,
        }
    }
}

/// How this app tells what happens in a room.
pub(super) static DIALECT: Dialect = Dialect {
    name: "room",
    render,
};

fn render(room: &RoomName, event: &Event, lang: Lang) -> Option<String> {
    match event {
        Event::Published(publication) => Some(write(&FromServer::message(room, publication))),
        Event::Ephemeral(event) => {
            FromServer::ephemeral(room, event, lang).map(|message| write(&message))
        }
    }
}

/// What an error says, in the fields that errors of this app have.
pub(super) fn error_fields(text: &str) -> Map<String, Value> {
    let message = text.into();
    match serde_json::to_value(FromServer::Error { message }) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

//! What is said in `rooms`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use telsiz_hub::{Epoch, Event, Position, RoomName, Signal, Status, Timestamp};

use super::refused::Code;
use super::request::RequestId;
use super::texts;
use crate::json::{
    Expected, Field, Heard, NotBlank, RoomName as Room, TextOrEmpty, messages, text, write,
};
use crate::lang::{ByLang, Lang};
use crate::rooms::{Chat, Dialect, History, Key, MemberEntry, Number};
use crate::timestamp::Iso;

messages! {
    /// What a client says. Each may carry an `id`; then it gets exactly one answer with that `id`.
    pub(super) enum FromClient {
        /// Joins a room; with `since`, what was missed comes first.
        "join_room" => JoinRoom { room_id: Room, since: Option<Since> },
        /// Leaves a room.
        "leave_room" => LeaveRoom { room_id: Room },
        /// Says something in a room.
        "room_message" => RoomMessage {
            room_id: Room,
            message: TextOrEmpty,
            idempotency_key: Option<Key>,
        },
        /// The same, but it must not be blank.
        "chat" => Chat {
            room_id: Room,
            message: NotBlank,
            idempotency_key: Option<Key>,
        },
        /// Asks for the rooms that somebody is in.
        "get_rooms" => GetRooms {},
        /// Asks who is in a room.
        "get_room_members" => GetRoomMembers { room_id: Room },
        /// Asks who is in the rooms of the asker.
        "get_users" => GetUsers {},
        /// Is here or away.
        "set_status" => SetStatus { status: HereOrAway },
        /// Shows the others that the user is typing.
        "typing" => Typing { room_id: Room },
        /// Asks for what was said; page 1 is the newest.
        "get_history" => GetHistory {
            room_id: Room,
            page: Option<Number>,
            per_page: Option<Number>,
        },
    }
}

/// A position that a client knows.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
pub(super) struct Since {
    epoch: String,
    seq: u64,
}

impl From<Since> for Position {
    fn from(since: Since) -> Self {
        Self {
            epoch: Epoch::new(&since.epoch),
            seq: since.seq,
        }
    }
}

impl Field for Since {
    fn read(value: Option<&str>) -> Result<Self, Expected> {
        let since = value.and_then(|value| serde_json::from_str(value).ok());
        since.ok_or(Expected::Other(ByLang {
            tr: "epoch (metin) ve seq (tam sayı) alanları olan bir nesne",
            en: "an object with epoch (a text) and seq (an integer)",
        }))
    }
}

/// Whether somebody pays attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum HereOrAway {
    Online,
    Away,
}

impl From<HereOrAway> for Status {
    fn from(status: HereOrAway) -> Self {
        match status {
            HereOrAway::Online => Self::Online,
            HereOrAway::Away => Self::Away,
        }
    }
}

impl From<Status> for HereOrAway {
    fn from(status: Status) -> Self {
        match status {
            Status::Online => Self::Online,
            Status::Away => Self::Away,
        }
    }
}

impl Field for HereOrAway {
    fn read(value: Option<&str>) -> Result<Self, Expected> {
        match value.and_then(text).as_deref() {
            Some("online") => Ok(Self::Online),
            Some("away") => Ok(Self::Away),
            _ => Err(Expected::OneOf(&["online", "away"])),
        }
    }
}

/// What the server says.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum FromServer<'a> {
    /// Something happened in a room.
    System {
        message: String,
        level: &'static str,
        room_id: &'a str,
        timestamp: Iso,
    },
    /// Somebody said something.
    Chat(Chat<'a>),
    /// The rooms that somebody is in, the first 1,000 of them.
    RoomList {
        #[serde(flatten)]
        request: Request<'a>,
        rooms: Vec<RoomEntry<'a>>,
    },
    /// Who is in a room, the first 500 users.
    RoomMembers {
        #[serde(flatten)]
        request: Request<'a>,
        room_id: &'a str,
        members: Vec<MemberEntry<'a>>,
    },
    /// Who is in the rooms of the asker, by id.
    UserList {
        #[serde(flatten)]
        request: Request<'a>,
        users: BTreeMap<&'a str, UserEntry<'a>>,
    },
    /// Somebody is here or away.
    Status {
        client_id: &'a str,
        username: &'a str,
        status: HereOrAway,
    },
    /// Somebody is typing.
    Typing {
        room_id: &'a str,
        client_id: &'a str,
        username: &'a str,
    },
    /// A page of what was said, oldest first.
    MessageHistory {
        #[serde(flatten)]
        request: Request<'a>,
        #[serde(flatten)]
        history: History<'a>,
    },
    /// A request with an `id` was done.
    Ok {
        id: &'a RequestId,
        #[serde(skip_serializing_if = "Option::is_none")]
        room_id: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        epoch: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        seq: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        recovered: Option<bool>,
    },
    /// Something was not done.
    Error {
        #[serde(flatten)]
        request: Request<'a>,
        /// Only if the request had an `id`.
        #[serde(skip_serializing_if = "Option::is_none")]
        code: Option<Code>,
        message: Cow<'a, str>,
        /// After so many seconds it may be asked again.
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_after: Option<u64>,
    },
}

/// The request that this answers, if it had an `id`.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub(super) struct Request<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<&'a RequestId>,
}

/// A room that somebody is in.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct RoomEntry<'a> {
    pub(super) room_id: &'a str,
    /// How many users are there.
    pub(super) member_count: usize,
}

/// A user.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct UserEntry<'a> {
    pub(super) name: &'a str,
    pub(super) status: HereOrAway,
}

impl<'a> FromServer<'a> {
    /// A line about a room.
    pub(super) fn system(room: &'a RoomName, message: String, at: Timestamp) -> Self {
        Self::System {
            message,
            level: "info",
            room_id: room.as_str(),
            timestamp: Iso(at),
        }
    }

    /// A request without more to say was done.
    pub(super) fn done(id: &'a RequestId) -> Self {
        Self::Ok {
            id,
            room_id: None,
            epoch: None,
            seq: None,
            recovered: None,
        }
    }
}

/// How this app tells what happens in a room.
pub(super) static DIALECT: Dialect = Dialect {
    name: "rooms",
    render,
};

fn render(room: &RoomName, event: &Event, lang: Lang) -> Option<String> {
    let event = match event {
        Event::Published(publication) => {
            return Some(write(&FromServer::Chat(Chat::new(room, publication))));
        }
        Event::Ephemeral(event) => event,
    };
    let user = &event.origin.user;
    Some(write(&match event.signal {
        Signal::Joined => FromServer::system(room, texts::joined(lang, &user.name), event.time),
        Signal::Left => FromServer::system(room, texts::left(lang, &user.name), event.time),
        Signal::Typing => FromServer::Typing {
            room_id: room.as_str(),
            client_id: &user.id,
            username: &user.name,
        },
        Signal::Status { status, .. } => FromServer::Status {
            client_id: &user.id,
            username: &user.name,
            status: status.into(),
        },
    }))
}

/// What an error says, in the fields that errors of this app have.
pub(super) fn error_fields(text: &str) -> Map<String, Value> {
    let error = FromServer::Error {
        request: Request::default(),
        code: None,
        message: text.into(),
        retry_after: None,
    };
    match serde_json::to_value(error) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

/// The request that a message is, as an answer to one too many names it.
pub(super) fn request_fields(text: &str) -> Map<String, Value> {
    let mut fields = Map::new();
    if let Heard::Object(object) = Heard::read(text)
        && let Some(id) = object.get("id")
        && let Ok(id) = RequestId::read(Some(id))
    {
        let pairs = [
            ("id", serde_json::to_value(id)),
            ("code", serde_json::to_value(Code::Limit)),
        ];
        for (name, value) in pairs {
            fields.insert(name.into(), value.unwrap_or_default());
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_here_or_away_says_so_in_a_text() {
        assert_eq!(HereOrAway::read(Some(r#""away""#)), Ok(HereOrAway::Away));
        let online = HereOrAway::read(Some(r#""online""#));
        assert_eq!(online, Ok(HereOrAway::Online));
        for wrong in [r#""Away""#, r#"{"away":null}"#, "5"] {
            assert!(HereOrAway::read(Some(wrong)).is_err(), "{wrong}");
        }
        assert!(HereOrAway::read(None).is_err());
    }
}

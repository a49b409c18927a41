//! The messages of `typed`.

use schemars::JsonSchema;
use serde::Serialize;

use crate::json::{Level, NotBlank, RoomName, Schema, TextOrEmpty, ToldField, UserName, messages};

messages! {
    /// What a client says.
    pub(super) enum FromClient {
        /// Comes back with its time filled in.
        "chat" => Chat {
            room_id: RoomName,
            user_id: UserName,
            username: UserName,
            message: NotBlank,
            timestamp: Option<String>,
        },
        /// Is confirmed.
        "join_room" => JoinRoom { room_id: RoomName },
        /// Is confirmed.
        "leave_room" => LeaveRoom { room_id: RoomName },
        /// Comes back with its level filled in.
        "system" => System { message: TextOrEmpty, level: Option<Level> },
    }
}

/// What the server says.
#[derive(Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum FromServer<'a> {
    /// A chat comes back.
    #[expect(dead_code, reason = "it is written as it came, with what nobody knows")]
    Chat {
        #[schemars(with = "RoomName")]
        room_id: &'a str,
        user_id: UserName,
        username: UserName,
        message: NotBlank,
        timestamp: &'a str,
    },
    /// Something was confirmed, or came back, or is wrong.
    System {
        message: &'a str,
        level: Level,
        /// Of an error: the fields that are wrong; none if it was no JSON.
        #[serde(skip_serializing_if = "Option::is_none")]
        errors: Option<Vec<ToldField>>,
    },
}

/// The schema of both.
pub(super) fn schema() -> Schema {
    Schema::of::<FromClient, FromServer<'_>>("typed")
}

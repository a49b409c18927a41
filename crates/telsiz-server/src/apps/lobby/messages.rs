//! The messages of `lobby`.

use schemars::JsonSchema;
use serde::Serialize;

use crate::json::{Schema, TextOrEmpty, messages};

messages! {
    /// What a client says.
    pub(super) enum FromClient {
        /// Comes in, which is first. A message without a type is this too.
        "join" => Join {
            /// Trimmed and cut to 20 code points; `anonim` if nothing is left.
            nick: TextOrEmpty,
        },
        /// Speaks.
        "chat" => Chat {
            /// Cut to 500 code points.
            text: TextOrEmpty,
        },
    }
}

/// What the server says.
#[derive(Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum FromServer<'a> {
    /// Somebody else came in.
    Join { nick: &'a str, text: &'static str },
    /// Somebody left.
    Leave { nick: &'a str, text: &'static str },
    /// Somebody spoke, perhaps the reader itself.
    Chat { nick: &'a str, text: &'a str },
    /// To who came in: a welcome.
    Info { nick: &'static str, text: &'a str },
    /// A message was wrong.
    Error { nick: &'static str, text: &'a str },
}

impl FromServer<'_> {
    /// As it is sent.
    pub(super) fn to_json(&self) -> String {
        // Texts can always be written.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The schema of both.
pub(super) fn schema() -> Schema {
    Schema::of::<FromClient, FromServer<'_>>("lobby")
}

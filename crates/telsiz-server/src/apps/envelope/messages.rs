//! The messages of `envelope`.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::Serialize;

use super::packet::Packet;
use super::topics::Format;
use crate::json::{Any, Expected, Field, RoomName, Schema, messages, text};

messages! {
    /// What a client says.
    pub(super) enum FromClient in "payload" {
        /// Is acknowledged, and published to the topic `commands`.
        "command" => Command { action: Action, target: Any },
        /// From now on what is published to a topic comes.
        "subscribe" => Subscribe {
            /// `all` if it is absent: what is published to any.
            topic: Option<Topic>,
            /// How packed sensors come from the topic `sensors`.
            format: Option<Format>,
        },
        /// From now on it comes no more.
        "unsubscribe" => Unsubscribe {
            /// `all` if it is absent.
            topic: Option<Topic>,
        },
        /// Goes to the topic `sensors`, unchanged, whatever it says besides.
        "sensor" => Sensor { temp: f64, unit: Option<String>, ts: Any },
        /// Goes to a topic.
        "publish" => Publish { topic: Topic, data: Any },
    }
}

/// What the server says.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "type", content = "payload", rename_all = "snake_case")]
pub(super) enum FromServer<'a> {
    /// A command was published.
    Ack {
        action: &'a str,
        status: &'static str,
    },
    /// Something was published to a topic.
    Event { topic: &'a str, data: Data<'a> },
    /// What is published to the topic comes after this.
    Subscribed { topic: &'a str },
    /// It comes no more.
    Unsubscribed { topic: &'a str },
    /// What a sensor has packed. One that a client sent as JSON comes as it is.
    Sensor(Packet),
    /// A message was wrong.
    Error {
        /// 404 if what was asked for is unknown.
        #[serde(skip_serializing_if = "Option::is_none")]
        code: Option<u16>,
        message: String,
    },
}

/// What was published.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Data<'a> {
    /// To `commands`, by a command.
    Command { action: &'a str, target: &'a Any },
    /// By a client.
    Any(&'a Any),
}

/// What a command does: a text, or it is unknown.
#[derive(Debug, PartialEq, JsonSchema)]
#[schemars(with = "String")]
pub(super) struct Action(Option<String>);

/// The name of a topic.
#[derive(Debug, PartialEq, JsonSchema)]
pub(super) struct Topic(RoomName);

impl FromServer<'_> {
    /// Tells what was wrong.
    pub(super) fn error(message: String) -> Self {
        Self::Error {
            code: None,
            message,
        }
    }

    /// As it is sent.
    pub(super) fn to_json(&self) -> String {
        // Texts, finite numbers and JSON can always be written.
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl Action {
    /// Its name, if it can be known.
    pub(super) fn known(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

impl Topic {
    /// What it is called.
    pub(super) fn name(&self) -> &str {
        self.0.0.as_str()
    }
}

impl Field for Action {
    fn read(value: Option<&str>) -> Result<Self, Expected> {
        Ok(Self(value.and_then(text).map(Cow::into_owned)))
    }
}

impl Field for Topic {
    fn read(value: Option<&str>) -> Result<Self, Expected> {
        RoomName::read(value).map(Self)
    }
}

impl Field for Format {
    fn read(value: Option<&str>) -> Result<Self, Expected> {
        match value.and_then(text).as_deref() {
            Some("json") => Ok(Self::Json),
            Some("binary") => Ok(Self::Binary),
            _ => Err(Expected::OneOf(&["json", "binary"])),
        }
    }
}

/// The schema of both.
pub(super) fn schema() -> Schema {
    Schema::of::<FromClient, FromServer<'_>>("envelope")
}

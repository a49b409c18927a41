//! The messages of `stats`.

use schemars::JsonSchema;
use serde::Serialize;

use crate::json::Schema;

/// What a client says: nothing but signs of life.
#[derive(JsonSchema)]
#[schemars(extend("not" = {}))]
struct FromClient {}

/// What the server says.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum FromServer<'a> {
    /// The figures of the last second.
    Figures(Figures),
    /// A message was wrong.
    Error(Error<'a>),
}

/// The figures of the last second.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Figures {
    /// Of all processors, in percent.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub(super) cpu_usage: f64,
    /// In percent.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub(super) memory_usage: f64,
    /// Of the disk with the working directory of the server, in percent.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub(super) disk_usage: f64,
    /// ISO 8601, UTC, milliseconds.
    pub(super) timestamp: String,
    /// WebSockets that are open.
    pub(super) connections: usize,
    /// Rooms with members.
    pub(super) rooms: usize,
    /// From clients.
    pub(super) messages_in_per_second: f64,
    /// To clients.
    pub(super) messages_out_per_second: f64,
}

/// A message was wrong.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Error<'a> {
    pub(super) r#type: ErrorType,
    pub(super) message: &'a str,
}

/// The type of an error.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum ErrorType {
    /// The only one.
    Error,
}

impl FromServer<'_> {
    /// As it is sent.
    pub(super) fn to_json(&self) -> String {
        // Texts and numbers can always be written.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The schema of both.
pub(super) fn schema() -> Schema {
    Schema::of::<FromClient, FromServer<'_>>("stats")
}

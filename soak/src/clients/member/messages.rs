//! What a member hears.

use std::borrow::Cow;

use serde::Deserialize;

use crate::oracle::Entry;

/// A message of the server, as far as it matters here.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Told<'a> {
    #[serde(default, rename = "type", borrow)]
    pub(super) kind: Cow<'a, str>,
    pub(super) id: Option<u64>,
    #[serde(default, borrow)]
    pub(super) room_id: Cow<'a, str>,
    #[serde(default, borrow)]
    client_id: Cow<'a, str>,
    #[serde(default, borrow)]
    pub(super) message: Cow<'a, str>,
    #[serde(default)]
    pub(super) seq: u64,
    #[serde(default, borrow)]
    pub(super) epoch: Cow<'a, str>,
    pub(super) recovered: Option<bool>,
    #[serde(default, borrow)]
    pub(super) code: Cow<'a, str>,
    /// A page of the history.
    #[serde(default)]
    pub(super) messages: Vec<Told<'a>>,
}

impl Told<'_> {
    /// The message of the log that this is.
    pub(super) fn entry(&self) -> Entry<'_> {
        Entry {
            epoch: &self.epoch,
            seq: self.seq,
            client: &self.client_id,
            text: &self.message,
        }
    }
}

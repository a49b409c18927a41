//! What a commit adds to the journal, as bytes.

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::member::User;
use crate::name::RoomName;
use crate::publication::{Epoch, IdempotencyKey, Publication};

/// What a publication in memory takes besides its text, about.
const ENTRY: usize = 256;

/// A publication as the log has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) publication: Arc<Publication>,
    pub(super) key: Option<IdempotencyKey>,
}

impl Entry {
    /// What it takes in memory, about.
    pub(super) fn bytes(&self) -> usize {
        ENTRY + self.publication.text.len()
    }
}

/// Appends `entry` to what a commit writes.
pub(super) fn encode(into: &mut Vec<u8>, room: &RoomName, entry: &Entry) {
    let Publication {
        seq,
        epoch: _,
        time,
        user,
        text,
    } = &*entry.publication;
    into.extend_from_slice(&seq.to_le_bytes());
    into.extend_from_slice(&time.0.to_le_bytes());
    let key = entry.key.as_ref().map_or("", IdempotencyKey::as_str);
    for field in [room.as_str(), &user.id, &user.name, key, text] {
        into.extend_from_slice(&(field.len() as u64).to_le_bytes());
        into.extend_from_slice(field.as_bytes());
    }
}

/// Takes the first entry off what a commit wrote. `None` if it is damaged.
pub(super) fn decode(from: &mut &[u8], epoch: &Epoch) -> Option<(RoomName, Entry)> {
    let seq = number(from)?;
    let time = Timestamp(number(from)?);
    let room = RoomName::new(field(from)?).ok()?;
    let user = User::new(field(from)?, field(from)?);
    let key = match field(from)? {
        "" => None,
        key => Some(IdempotencyKey::new(key).ok()?),
    };
    let publication = Arc::new(Publication {
        seq,
        epoch: epoch.clone(),
        time,
        user,
        text: field(from)?.to_owned(),
    });
    Some((room, Entry { publication, key }))
}

fn number(from: &mut &[u8]) -> Option<u64> {
    let (number, rest) = from.split_first_chunk()?;
    *from = rest;
    Some(u64::from_le_bytes(*number))
}

fn field<'a>(from: &mut &'a [u8]) -> Option<&'a str> {
    let len = usize::try_from(number(from)?).ok()?;
    let (field, rest) = from.split_at_checked(len)?;
    *from = rest;
    std::str::from_utf8(field).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(seq: u64, key: Option<&str>) -> Entry {
        Entry {
            publication: Arc::new(Publication {
                seq,
                epoch: Epoch::new("e"),
                time: Timestamp(seq * 1000),
                user: User::new("ayşe", ""),
                text: "ğ".repeat(300),
            }),
            key: key.map(|key| IdempotencyKey::new(key).expect("a key")),
        }
    }

    #[test]
    fn what_was_encoded_comes_back() {
        let room = RoomName::new("şömine").expect("a name");
        let entries = [entry(1, None), entry(u64::MAX / 1000, Some("k"))];
        let mut bytes = Vec::new();
        for entry in &entries {
            encode(&mut bytes, &room, entry);
        }
        let mut rest = &bytes[..];
        for entry in entries {
            let decoded = decode(&mut rest, &Epoch::new("e"));
            assert_eq!(decoded, Some((room.clone(), entry)));
        }
        assert!(rest.is_empty());
    }

    #[test]
    fn what_was_cut_short_is_damaged() {
        let mut bytes = Vec::new();
        let room = RoomName::new("oda").expect("a name");
        encode(&mut bytes, &room, &entry(1, Some("k")));
        for len in 0..bytes.len() {
            let cut = decode(&mut &bytes[..len], &Epoch::new("e"));
            assert_eq!(cut, None, "{len} bytes");
        }
    }
}

//! What is said to `rooms`, and what is made of the answers.
//!
//! It is looked for in the bytes as they are: no text that we send has a quote in it, and servers are expected to write
//! JSON without spaces between a name and its value.

/// The shortest text that has a number.
pub(crate) const LEAST: usize = 8;

const WORDS: &str = " the quick brown fox jumps over the lazy dog";

/// The path of a connection.
pub(crate) fn path(connection: usize) -> String {
    format!("/ws/m{connection}?username=m{connection}&lang=en")
}

pub(crate) fn join(room: &str) -> String {
    format!(r#"{{"type":"join_room","room_id":"{room}","id":1}}"#)
}

/// A message to a room. With an `id` the server says when it is stored.
pub(crate) fn publication(room: &str, text: &str, id: Option<u64>) -> String {
    let id = id.map(|id| format!(r#","id":{id}"#)).unwrap_or_default();
    format!(r#"{{"type":"room_message","room_id":"{room}","message":"{text}"{id}}}"#)
}

/// The text of a message: its number, and words up to the size.
pub(crate) fn text(number: u64, size: usize) -> String {
    let mut text = format!("{:08x}", number as u32);
    let turn = number as usize % WORDS.len();
    let words = WORDS.chars().cycle().skip(turn);
    text.extend(words.take(size.saturating_sub(LEAST)));
    text
}

/// The number of a text, if it has one.
pub(crate) fn number(text: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(text.get(..LEAST)?).ok()?;
    u64::from_str_radix(digits, 16).ok()
}

/// What a server said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Said<'a> {
    /// A message of the room: its text.
    Chat(&'a [u8]),
    /// What was asked for under this `id` is done.
    Done(Option<u64>),
    /// Something is wrong.
    Wrong,
    /// What is of no interest here: who came, who left.
    Other,
}

pub(crate) fn said(payload: &[u8]) -> Said<'_> {
    match value(payload, r#""type":""#, b'"') {
        Some(b"chat") => value(payload, r#""message":""#, b'"').map_or(Said::Wrong, Said::Chat),
        Some(b"ok") => {
            let digits = after(payload, r#""id":"#).unwrap_or_default();
            let digits = digits.split(|byte| !byte.is_ascii_digit()).next();
            let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
            Said::Done(digits.and_then(|digits| digits.parse().ok()))
        }
        Some(b"error") | None => Said::Wrong,
        Some(_) => Said::Other,
    }
}

fn value<'a>(payload: &'a [u8], name: &str, end: u8) -> Option<&'a [u8]> {
    let rest = after(payload, name)?;
    let length = rest.iter().position(|byte| *byte == end)?;
    Some(&rest[..length])
}

fn after<'a>(payload: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let at = payload
        .windows(name.len())
        .position(|part| part == name.as_bytes())?;
    Some(&payload[at + name.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_have_their_size_and_their_number() {
        for size in [8, 9, 128, 1000] {
            let text = text(0xabc, size);
            assert_eq!(text.len(), size);
            assert_eq!(number(text.as_bytes()), Some(0xabc));
        }
        assert_ne!(text(1, 128)[8..], text(2, 128)[8..]);
        assert_eq!(number(b"0000001"), None);
        assert_eq!(number(b"not hexa"), None);
    }

    #[test]
    fn knows_what_was_said() {
        let chat = br#"{"type":"chat","room_id":"r","client_id":"m0","message":"Hi","timestamp":"t","seq":1}"#;
        assert_eq!(said(chat), Said::Chat(b"Hi"));
        let other_order = br#"{"message":"Hi","room_id":"r","type":"chat"}"#;
        assert_eq!(said(other_order), Said::Chat(b"Hi"));
        let done = br#"{"type":"ok","room_id":"7","id":12,"seq":3}"#;
        assert_eq!(said(done), Said::Done(Some(12)));
        assert_eq!(said(br#"{"type":"ok","seq":3}"#), Said::Done(None));
        assert_eq!(
            said(br#"{"type":"error","id":1,"code":"limit"}"#),
            Said::Wrong
        );
        let other = br#"{"type":"system","message":"m1 joined"}"#;
        assert_eq!(said(other), Said::Other);
        for wrong in [&b""[..], b"Hi", br#"{"type":"chat"}"#] {
            assert_eq!(said(wrong), Said::Wrong);
        }
    }

    #[test]
    fn what_is_published_is_json() {
        for id in [None, Some(7)] {
            let text = publication("genel", &text(3, 128), id);
            let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            assert_eq!(value["message"].as_str().map(str::len), Some(128));
            assert_eq!(value["id"].as_u64(), id);
        }
    }
}

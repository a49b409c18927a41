//! What the peers of the fan-out benchmark make of what clients of `rooms` say: as little as the load has to hear.
//!
//! They have one room. Who joins is a member, and what anyone publishes goes to every member as a `chat` of a given size,
//! which is that of ours.

/// The answer to `join_room`, whose `id` the load always has as 1.
pub const JOINED: &str = r#"{"type":"ok","id":1}"#;

const JOIN: &str = r#"{"type":"join_room""#;
const PUBLISH: &str = r#"{"type":"room_message""#;
const PADDING: &str = r#","padding":""#;

/// What a client wants.
#[derive(Debug, PartialEq, Eq)]
pub enum Wish {
    /// To be a member: [`JOINED`] is the answer.
    Join,
    /// That everyone gets this.
    Publish(String),
}

/// Reads a text of a client; a message to the room becomes `size` bytes long, if it is not longer already.
pub fn wish(text: &str, size: usize) -> Option<Wish> {
    if text.starts_with(JOIN) {
        return Some(Wish::Join);
    }
    let fields = text.strip_prefix(PUBLISH)?.strip_suffix('}')?;
    let mut chat = String::with_capacity(size);
    chat.push_str(r#"{"type":"chat""#);
    chat.push_str(fields);
    let short = size.saturating_sub(chat.len() + 1);
    if let Some(padding) = short.checked_sub(PADDING.len() + 1) {
        chat.push_str(PADDING);
        chat.extend(std::iter::repeat_n('x', padding));
        chat.push('"');
    } else {
        chat.extend(std::iter::repeat_n(' ', short));
    }
    chat.push('}');
    Some(Wish::Publish(chat))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &str = r#"{"type":"room_message","room_id":"genel","message":"Hi"}"#;

    #[test]
    fn a_chat_has_the_size_asked_for() {
        for size in 48..100 {
            let Some(Wish::Publish(chat)) = wish(MESSAGE, size) else {
                panic!("no chat");
            };
            assert_eq!(chat.len(), size);
            assert!(chat.starts_with(r#"{"type":"chat","room_id":"genel","message":"Hi""#));
            assert!(chat.ends_with('}'));
        }
    }

    #[test]
    fn knows_who_joins_and_nothing_else() {
        let join = r#"{"type":"join_room","room_id":"genel","id":1}"#;
        assert_eq!(wish(join, 9), Some(Wish::Join));
        assert_eq!(wish("Hi", 9), None);
        assert_eq!(wish(r#"{"type":"room_message""#, 9), None);
    }
}

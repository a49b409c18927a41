//! What a message is answered with.

use serde::Serialize;
use serde_json::to_string;

use super::messages::{FromClient, FromServer};
use super::texts;
use crate::json::{Heard, Level, Object, WrongField};
use crate::lang::Lang;
use crate::timestamp;

/// Validates a message and answers it, to somebody who reads `lang`.
pub(super) fn answer(heard: Heard<'_>, lang: Lang) -> String {
    let answer = match heard {
        Heard::Object(object) => validated(object, lang),
        Heard::NoObject => Err(vec![WrongField::NO_OBJECT]),
        // No field is wrong in what is no JSON.
        Heard::NoJson => Err(Vec::new()),
    };
    answer.unwrap_or_else(|wrong| invalid(&wrong, lang))
}

fn validated(mut object: Object<'_>, lang: Lang) -> Result<String, Vec<WrongField>> {
    let kind = object.kind().unwrap_or_default();
    Ok(match FromClient::read(&kind, &object)? {
        FromClient::Chat { .. } => {
            object.fill("timestamp", &timestamp::now());
            write(&object)
        }
        FromClient::JoinRoom { room_id } => info(&texts::joined(lang, room_id.0.as_str())),
        FromClient::LeaveRoom { room_id } => info(&texts::left(lang, room_id.0.as_str())),
        FromClient::System { .. } => {
            object.fill("message", "");
            object.fill("level", "info");
            write(&object)
        }
    })
}

fn invalid(wrong: &[WrongField], lang: Lang) -> String {
    write(&FromServer::System {
        message: texts::INVALID.of(lang),
        level: Level::Error,
        errors: Some(wrong.iter().map(|wrong| wrong.told(lang)).collect()),
    })
}

fn info(message: &str) -> String {
    write(&FromServer::System {
        message,
        level: Level::Info,
        errors: None,
    })
}

fn write(answer: &impl Serialize) -> String {
    // Text and lists of text can always be written.
    to_string(answer).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::{Value, json};

    use super::*;

    const CHAT: &str = r#"{"type":"chat","room_id":"genel","user_id":"u1","username":"Ayşe","message":"Merhaba!"}"#;

    fn text(message: &str, lang: Lang) -> String {
        answer(Heard::read(message), lang)
    }

    fn answered(message: &str) -> Value {
        serde_json::from_str(&text(message, Lang::Tr)).expect("JSON")
    }

    /// The fields that are wrong in a message, each with what was expected.
    fn wrong(message: &Value) -> Vec<(String, String)> {
        let answer = answered(&message.to_string());
        assert_eq!(answer["type"], "system", "{message}");
        assert_eq!(answer["level"], "error", "{message}");
        assert_eq!(answer["message"], "Geçersiz mesaj formatı", "{message}");
        let errors = answer["errors"].as_array().expect("errors");
        let string = |value: &Value| value.as_str().expect("a text").to_owned();
        errors
            .iter()
            .map(|error| (string(&error["field"]), string(&error["expected"])))
            .collect()
    }

    fn wrong_fields(message: &Value) -> Vec<String> {
        wrong(message).into_iter().map(|(field, _)| field).collect()
    }

    fn chat_with(field: &str, value: Value) -> Value {
        let mut chat: Value = serde_json::from_str(CHAT).expect("JSON");
        chat[field] = value;
        chat
    }

    #[test]
    fn a_chat_comes_back_with_its_time_filled_in() {
        let answer = text(CHAT, Lang::Tr);
        let rest = answer
            .strip_prefix(&CHAT[..CHAT.len() - 1])
            .expect("the chat");
        let time = rest
            .strip_prefix(r#","timestamp":""#)
            .and_then(|rest| rest.strip_suffix(r#""}"#))
            .expect("a timestamp");
        let shape = time.replace(|c: char| c.is_ascii_digit(), "d");
        assert_eq!(shape, "dddd-dd-ddTdd:dd:dd.dddZ");
        assert!(time.parse::<Timestamp>().is_ok(), "{time}");
    }

    #[test]
    fn a_chat_with_a_time_comes_back_as_it_is_with_fields_that_nobody_knows() {
        let chat = r#"{"x":1.50,"type":"chat","room_id":"a","user_id":"","username":"","message":" m ","timestamp":"t"}"#;
        assert_eq!(text(chat, Lang::Tr), chat);
    }

    #[test]
    fn a_time_that_is_null_is_filled_in() {
        let answer = answered(&chat_with("timestamp", Value::Null).to_string());
        assert!(answer["timestamp"].is_string());
    }

    #[test]
    fn a_blank_chat_is_invalid() {
        let expected = [("message".to_owned(), "Mesaj boş olamaz".to_owned())];
        for blank in ["", " ", "\n\t\u{3000}"] {
            assert_eq!(wrong(&chat_with("message", json!(blank))), expected);
        }
        assert_eq!(wrong(&chat_with("message", Value::Null)), expected);
    }

    #[test]
    fn every_wrong_field_is_named() {
        assert_eq!(
            wrong_fields(&json!({"type": "chat", "message": 7, "timestamp": []})),
            ["room_id", "user_id", "username", "message", "timestamp"]
        );
        assert_eq!(wrong_fields(&chat_with("room_id", json!(""))), ["room_id"]);
        assert_eq!(
            wrong_fields(&chat_with("user_id", json!("x".repeat(129)))),
            ["user_id"]
        );
        assert_eq!(
            wrong_fields(&chat_with("username", json!("a\nb"))),
            ["username"]
        );
        assert_eq!(wrong_fields(&json!({"type": "leave_room"})), ["room_id"]);
        assert_eq!(
            wrong_fields(&json!({"type": "system", "message": 1, "level": "loud"})),
            ["message", "level"]
        );
    }

    #[test]
    fn an_unknown_type_names_the_known_ones() {
        for message in [json!({}), json!({"type": 5}), json!({"type": "x"})] {
            let wrong = wrong(&message);
            let [(field, expected)] = &wrong[..] else {
                panic!("{wrong:?}");
            };
            assert_eq!(field, "type");
            for known in ["chat", "join_room", "leave_room", "system", "ping"] {
                assert!(expected.contains(known), "{expected}");
            }
        }
    }

    #[test]
    fn what_is_no_json_has_no_wrong_field_and_what_is_no_object_has_one() {
        let expected =
            r#"{"type":"system","message":"Geçersiz mesaj formatı","level":"error","errors":[]}"#;
        for text_sent in ["", "no json", "{", r#"{"type":"chat""#, "{}}"] {
            assert_eq!(text(text_sent, Lang::Tr), expected, "{text_sent}");
        }
        for other in [json!([]), json!(5), json!(null), json!("chat")] {
            assert_eq!(
                wrong(&other),
                [(String::new(), "bir JSON nesnesi".to_owned())]
            );
        }
    }

    #[test]
    fn rooms_are_joined_and_left() {
        for (kind, lang, message) in [
            (
                "join_room",
                Lang::Tr,
                "genel odasına katılma işlemi başarılı",
            ),
            (
                "leave_room",
                Lang::Tr,
                "genel odasına ayrılma işlemi başarılı",
            ),
            ("join_room", Lang::En, "Joining the room genel succeeded"),
            ("leave_room", Lang::En, "Leaving the room genel succeeded"),
        ] {
            let asked = json!({"type": kind, "room_id": "genel"}).to_string();
            let expected = format!(r#"{{"type":"system","message":"{message}","level":"info"}}"#);
            assert_eq!(text(&asked, lang), expected);
        }
    }

    #[test]
    fn a_system_message_comes_back_with_its_level_filled_in() {
        assert_eq!(
            text(r#"{"type":"system","message":"bakım"}"#, Lang::Tr),
            r#"{"type":"system","message":"bakım","level":"info"}"#
        );
        assert_eq!(
            text(r#"{"type":"system"}"#, Lang::Tr),
            r#"{"type":"system","message":"","level":"info"}"#
        );
        for level in ["info", "warning", "error"] {
            let message = json!({"type": "system", "message": "m", "level": level});
            assert_eq!(answered(&message.to_string()), message);
        }
    }

    #[test]
    fn english_is_complete() {
        for message in [
            "no json".to_owned(),
            json!([]).to_string(),
            json!({}).to_string(),
            json!({"type": "chat"}).to_string(),
            json!({"type": "system", "message": 1, "level": 2}).to_string(),
        ] {
            let answer = text(&message, Lang::En);
            assert!(answer.is_ascii(), "{answer}");
        }
    }
}

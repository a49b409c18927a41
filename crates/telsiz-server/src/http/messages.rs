//! What is said in a room over HTTP: its history, and saying something.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use schemars::JsonSchema;
use serde::Serialize;
use telsiz_hub::{Draft, Identity, PublishError, User};

use super::body::{Body, FromBody};
use super::extract::{Paging, Reader, Room, Writer};
use super::refusal::Refused;
use super::rooms::{Denied, unread};
use super::told::{Borrows, Told};
use super::{Http, Refusal};
use crate::json::{Fields, Object, UserName, WrongField};
use crate::lang::Lang;
use crate::rooms::{HISTORY_PAGE, History, Key, texts};

/// Who says what is published over HTTP.
const CLIENT_ID: &str = "http";

/// What it is called, unless it says so.
const USERNAME: &str = "server";

/// What was said in a room, as `rooms` tells it.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Said<'a> {
    /// A page of it, oldest first.
    MessageHistory(History<'a>),
}

impl Borrows for Said<'_> {
    type Whatever = Said<'static>;
}

/// Something to be said in a room.
#[derive(Debug, JsonSchema)]
pub(super) struct Saying {
    message: String,
    /// `server` if there is none.
    username: Option<UserName>,
    /// Makes saying it again harmless: at most 64 bytes, known in this room.
    idempotency_key: Option<Key>,
}

impl FromBody for Saying {
    const EXAMPLE: &str = r#"{"message":"Merhaba!","username":"Ayşe"}"#;

    fn read(object: &Object<'_>) -> Result<Self, Vec<WrongField>> {
        let mut fields = Fields::new(object);
        let message = fields.read("message");
        let username = fields.read("username");
        let key = fields.read("idempotency_key");
        fields.finish(|| {
            Some(Self {
                message: message?,
                username: username?,
                idempotency_key: key?,
            })
        })
    }

    fn message(&self) -> &str {
        &self.message
    }
}

/// Where what was said stands in the log of the room.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Stands {
    epoch: String,
    seq: u64,
}

/// `GET /api/rooms/{room_id}/messages`.
pub(super) async fn history(
    State(http): State<Arc<Http>>,
    Reader(lang): Reader,
    Room(room): Room,
    paging: Paging<{ HISTORY_PAGE.0 }, { HISTORY_PAGE.1 }>,
) -> Result<Told<Said<'static>>, Denied> {
    let hub = http.site.rooms.hub();
    let Paging { page, per_page } = paging;
    let found = hub
        .history(Identity::Http, &room, page, per_page)
        .await
        .map_err(|error| unread(error, lang))?;
    let history = History::new(&room, page, &found);
    Ok(Told::new(&Said::MessageHistory(history)))
}

/// `POST /api/rooms/{room_id}/messages`.
pub(super) async fn say(
    State(http): State<Arc<Http>>,
    Reader(lang): Reader,
    _: Writer,
    Room(room): Room,
    Body(saying): Body<Saying>,
) -> Result<Json<Stands>, Denied> {
    let rooms = &http.site.rooms;
    let name = saying.username.as_ref().map(|UserName(name)| &**name);
    let named = [("room_id", Some(room.as_str())), ("username", name)].into_iter();
    let wrong: Vec<_> = named
        .filter_map(|(field, name)| rooms.check_name(field, name?).err())
        .collect();
    if !wrong.is_empty() {
        return Err(Refused(Refusal::wrong(&wrong, lang)));
    }
    let name = name.unwrap_or(USERNAME);
    let draft = Draft {
        user: User::new(CLIENT_ID, name),
        text: saying.message,
        key: saying.idempotency_key.map(|Key(key)| key),
    };
    let appended = rooms
        .publish(Identity::Http, &room, draft)
        .await
        .map_err(|error| unpublished(error, lang))?;
    Ok(Json(Stands {
        epoch: appended.position.epoch.to_string(),
        seq: appended.position.seq,
    }))
}

fn unpublished(error: PublishError, lang: Lang) -> Denied {
    let status = match error {
        PublishError::Forbidden(_) => StatusCode::FORBIDDEN,
        PublishError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    let refusal = Refusal::new(status, texts::of_publish_error(&error, lang)).in_lang(lang);
    Refused(match error {
        PublishError::Busy => refusal.header(header::RETRY_AFTER, "1"),
        _ => refusal,
    })
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use axum::response::IntoResponse;
    use serde_json::{Value, json};
    use telsiz_hub::{EngineError, Forbidden, Keep, Memory, Retention};

    use super::*;
    use crate::clock::system_clock;
    use crate::http::asking::{ask, get, post};
    use crate::limits_hit::Limit;
    use crate::names::{Characters, Naming};
    use crate::rooms::{RoomLimits, Rooms};
    use crate::rules::Site;
    use crate::testing;

    const MESSAGES: &str = "/api/rooms/a/messages";

    async fn say(site: &Site, body: &str) -> (u16, Value) {
        let answer = ask(site, None, post(MESSAGES, body)).await;
        (answer.status, answer.json)
    }

    async fn said(site: &Site, path: &str) -> Vec<Value> {
        let history = ask(site, None, get(path)).await.json;
        history["messages"].as_array().expect("messages").clone()
    }

    #[tokio::test]
    async fn what_is_said_stands_in_the_history() {
        let site = testing::site();
        let (status, stands) = say(&site, r#"{"message":""}"#).await;
        assert_eq!((status, &stands["seq"]), (200, &json!(1)));
        let body = r#"{"message":"ğ","username":"Ayşe"}"#;
        assert_eq!(say(&site, body).await.1["seq"], 2);
        let said = said(&site, MESSAGES).await;
        let told = |name: &str| said.iter().map(|m| m[name].clone()).collect::<Vec<_>>();
        assert_eq!(told("type"), ["chat", "chat"]);
        assert_eq!(told("room_id"), ["a", "a"]);
        assert_eq!(told("client_id"), ["http", "http"]);
        assert_eq!(told("username"), ["server", "Ayşe"]);
        assert_eq!(told("message"), ["", "ğ"]);
        assert_eq!(
            told("epoch"),
            [stands["epoch"].clone(), stands["epoch"].clone()]
        );
        assert_eq!(told("seq"), [1, 2]);
    }

    #[tokio::test]
    async fn a_key_makes_saying_it_again_harmless_in_its_room() {
        let site = testing::site();
        let body = r#"{"message":"x","idempotency_key":"k"}"#;
        let first = say(&site, body).await;
        let other_name = r#"{"message":"y","idempotency_key":"k","username":"z"}"#;
        assert_eq!(say(&site, other_name).await, first);
        assert_eq!(said(&site, MESSAGES).await.len(), 1);
        let elsewhere = "/api/rooms/b/messages";
        ask(&site, None, post(elsewhere, body)).await;
        assert_eq!(said(&site, elsewhere).await.len(), 1);
    }

    /// A server that keeps more than a page has.
    fn site_that_keeps(count: usize) -> Site {
        let keep = Keep {
            count,
            ..Keep::default()
        };
        let engine = Memory::new("test", system_clock(), Retention::of_all(keep), 500);
        let site = testing::site();
        let (connections, limits) = (&site.connections, RoomLimits::default());
        Site {
            rooms: Rooms::new(Arc::new(engine), system_clock(), 1, connections, limits),
            ..site
        }
    }

    #[tokio::test]
    async fn a_publication_larger_than_is_allowed_is_refused_with_413() {
        let site = testing::site_with(RoomLimits {
            max_publish_size: NonZeroUsize::new(4),
            ..RoomLimits::default()
        });
        for (text, status) in [("abc", 200), ("ğğ", 200), ("ğğ!", 413)] {
            let body = json!({ "message": text }).to_string();
            let (answered, told) = say(&site, &body).await;
            assert_eq!(answered, status, "{text}: {told}");
            if status == 413 {
                let detail = "The message is too large: at most 4 bytes";
                assert_eq!(told["detail"], detail);
            }
        }
        assert_eq!(said(&site, MESSAGES).await.len(), 2);
        let hit = site.connections.limits_hit().counts();
        let hit: Vec<_> = hit.filter(|(_, count)| *count > 0).collect();
        assert_eq!(hit, [(Limit::PublishSize, 1)]);
    }

    #[tokio::test]
    async fn names_that_the_server_does_not_allow_are_refused_with_400() {
        let site = testing::site_with(RoomLimits {
            naming: Naming {
                max_length: 3,
                characters: Characters::Ascii,
            },
            ..RoomLimits::default()
        });
        for (room, name, fields) in [
            ("abc", "abc", json!(null)),
            ("abcd", "abc", json!(["room_id"])),
            ("a", "ğ", json!(["username"])),
            ("%C4%9F", "abcd", json!(["room_id", "username"])),
        ] {
            let body = json!({ "message": "", "username": name }).to_string();
            let path = format!("/api/rooms/{room}/messages");
            let answer = ask(&site, None, post(&path, &body)).await;
            let errors = answer.json["errors"].as_array();
            let named =
                errors.map(|errors| errors.iter().map(|error| error["field"].clone()).collect());
            assert_eq!(json!(named.map(Value::Array)), fields, "{room} {name}");
            let status = if fields.is_null() { 200 } else { 400 };
            assert_eq!(answer.status, status, "{room} {name}");
        }
        let hit = site.connections.limits_hit().counts();
        let hit: Vec<_> = hit.filter(|(_, count)| *count > 0).collect();
        assert_eq!(hit, [(Limit::Name, 4)]);
    }

    #[tokio::test]
    async fn page_1_is_the_newest_and_more_than_100_count_as_100() {
        let site = site_that_keeps(150);
        let body = json!({ "message": "x" }).to_string();
        for _ in 1..=150 {
            say(&site, &body).await;
        }
        for (query, seqs) in [
            ("", 101..=150),
            ("?page=3", 1..=50),
            ("?page=2&per_page=60", 31..=90),
            ("?page=3&per_page=60", 1..=30),
            ("?per_page=99", 52..=150),
            ("?per_page=100", 51..=150),
            ("?per_page=101", 51..=150),
        ] {
            let said = said(&site, &format!("{MESSAGES}{query}")).await;
            let found: Vec<_> = said
                .iter()
                .filter_map(|said| said["seq"].as_u64())
                .collect();
            assert_eq!(found, seqs.collect::<Vec<_>>(), "{query}");
        }
        let beyond = ask(&site, None, get(&format!("{MESSAGES}?page=4"))).await;
        let expected = json!({
            "type": "message_history", "room_id": "a", "page": 4, "total_pages": 3, "messages": [],
        });
        assert_eq!(beyond.json, expected);
    }

    #[tokio::test]
    async fn every_field_that_is_wrong_is_named() {
        let site = testing::site();
        let long = "k".repeat(65);
        let long = format!(r#"{{"message":"x","idempotency_key":"{long}"}}"#);
        for (body, fields) in [
            ("{}", vec!["message"]),
            (r#"{"message":null}"#, vec!["message"]),
            (r#"{"message":5,"username":5}"#, vec!["message", "username"]),
            (r#"{"message":"x","username":"a\nb"}"#, vec!["username"]),
            (
                r#"{"message":"x","idempotency_key":""}"#,
                vec!["idempotency_key"],
            ),
            (&long, vec!["idempotency_key"]),
            ("[]", vec![""]),
        ] {
            let (status, problem) = say(&site, body).await;
            assert_eq!(status, 400, "{body}");
            let errors = problem["errors"].as_array().expect("errors").iter();
            let named: Vec<_> = errors.map(|error| error["field"].clone()).collect();
            assert_eq!(named, fields, "{body}");
        }
        let (status, problem) = say(&site, "{").await;
        assert_eq!((status, &problem["errors"]), (400, &Value::Null));
        assert!(said(&site, MESSAGES).await.is_empty());
    }

    #[tokio::test]
    async fn an_oversized_message_is_413() {
        let mut site = testing::site();
        site.limits.max_message_size = 10;
        for (len, status) in [(9, 200), (10, 200), (11, 413), (10_000, 413)] {
            let body = json!({ "message": "x".repeat(len) }).to_string();
            assert_eq!(say(&site, &body).await.0, status, "{len}");
        }
    }

    #[tokio::test]
    async fn an_encoded_body_is_415() {
        let mut request = post(MESSAGES, r#"{"message":"x"}"#);
        let encoding = "gzip".parse().expect("a value");
        request.headers_mut().insert("content-encoding", encoding);
        let answer = ask(&testing::site(), None, request).await;
        assert_eq!(answer.status, 415);
        assert!(answer.detail().contains("Content-Encoding"));
    }

    #[tokio::test]
    async fn an_engine_that_stopped_is_503() {
        let site = testing::site();
        site.rooms.hub().engine().close().await;
        for path in ["/ready", MESSAGES] {
            let answer = ask(&site, None, get(path)).await;
            assert_eq!(answer.status, 503, "{path}");
            assert!(!answer.detail().is_empty());
        }
        assert_eq!(say(&site, r#"{"message":"x"}"#).await.0, 503);
    }

    #[test]
    fn who_is_refused_learns_whether_to_try_again() {
        let engine = || EngineError::Failed("the disk is full".into());
        for (error, status, retry_after) in [
            (PublishError::Busy, 503, Some("1")),
            (PublishError::Engine(engine()), 503, None),
            (PublishError::Forbidden(Forbidden), 403, None),
        ] {
            let response = unpublished(error, Lang::En).into_response();
            assert_eq!(response.status(), status);
            let header = response.headers().get("retry-after");
            assert_eq!(
                header.map(|value| value.as_bytes()),
                retry_after.map(str::as_bytes)
            );
        }
    }
}

//! The rooms over HTTP: which there are, who is there, what was said, and saying something.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use schemars::JsonSchema;
use serde::Serialize;
use telsiz_hub::{
    ConnectionId, Draft, EngineError, Hub, Identity, Member, PublishError, ReadError, User,
};

use super::body::{Body, FromBody};
use super::extract::{Paging, Reader, Room, Writer};
use super::refusal::Refused;
use super::told::{Borrows, Told};
use super::{Http, Refusal};
use crate::json::{Fields, Object, UserName, WrongField};
use crate::lang::Lang;
use crate::rooms::{HISTORY_PAGE, History, Key, LIST, MemberEntry, texts};
use crate::timestamp::Iso;

/// Who says what is published over HTTP.
const CLIENT_ID: &str = "http";

/// What it is called, unless it says so.
const USERNAME: &str = "server";

/// A page of the rooms.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct RoomsPage<'a> {
    rooms: Vec<RoomMembers<'a>>,
    page: usize,
    /// At least 1.
    total_pages: usize,
}

/// A room that somebody is in.
#[derive(Debug, Serialize, JsonSchema)]
struct RoomMembers<'a> {
    room_id: &'a str,
    /// How many users are there.
    member_count: usize,
    /// The first 500 users.
    members: Vec<MemberEntry<'a>>,
}

/// Who is in a room.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Connected<'a> {
    room_id: &'a str,
    /// The first 500 connections.
    members: Vec<Connection<'a>>,
    /// How many connections are there.
    count: usize,
}

/// A connection that is in a room.
#[derive(Debug, Serialize, JsonSchema)]
struct Connection<'a> {
    user_id: &'a str,
    username: &'a str,
    connected_at: Iso,
    /// The rooms that this connection is in.
    rooms: Vec<String>,
}

/// What was said in a room, as `rooms` tells it.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Said<'a> {
    /// A page of it, oldest first.
    MessageHistory(History<'a>),
}

impl Borrows for RoomsPage<'_> {
    type Whatever = RoomsPage<'static>;
}

impl Borrows for Connected<'_> {
    type Whatever = Connected<'static>;
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

/// How many members a page of rooms lists at most, of all rooms together.
const PAGE_MEMBERS: usize = 5_000;

/// How many of the rooms of a connection are listed.
const ROOMS_OF_MEMBER: usize = 100;

/// `GET /rooms`.
pub(super) async fn list(
    State(http): State<Arc<Http>>,
    Reader(lang): Reader,
    paging: Paging<100, 1_000>,
) -> Result<Told<RoomsPage<'static>>, Unavailable> {
    let unavailable = |error| unavailable(error, lang);
    let hub = http.site.rooms.hub();
    let found = hub.rooms(paging.skip(), paging.per_page).await;
    let (found, total) = found.map_err(unavailable)?;
    let mut rooms = Vec::with_capacity(found.len());
    let mut left = PAGE_MEMBERS;
    for room in found {
        match hub.users(Identity::Http, &room.name, LIST.min(left)).await {
            // Everybody may have left in the meantime.
            Ok(listing) if listing.users == 0 => {}
            Ok(listing) => {
                left -= listing.members.len();
                rooms.push((room.name, listing.users, listing.members));
            }
            Err(ReadError::Engine(error)) => return Err(unavailable(error)),
            // Who is there is not for everybody to see.
            Err(_) => {}
        }
    }
    let told = rooms.iter().map(|(name, users, members)| RoomMembers {
        room_id: name.as_str(),
        member_count: *users,
        members: members
            .iter()
            .map(|member| MemberEntry::new(member))
            .collect(),
    });
    Ok(Told::new(&RoomsPage {
        rooms: told.collect(),
        page: paging.page,
        total_pages: paging.pages(total),
    }))
}

/// `GET /api/rooms/{room_id}/members`.
pub(super) async fn members(
    State(http): State<Arc<Http>>,
    Reader(lang): Reader,
    Room(room): Room,
) -> Result<Told<Connected<'static>>, Denied> {
    let unread = |error| unread(error, lang);
    let hub = http.site.rooms.hub();
    let listing = hub
        .members(Identity::Http, &room, LIST)
        .await
        .map_err(unread)?;
    let mut members = Vec::with_capacity(listing.members.len());
    for member in &listing.members {
        let entry = connection(hub, member).await;
        members.push(entry.map_err(unread)?);
    }
    Ok(Told::new(&Connected {
        room_id: room.as_str(),
        members,
        count: listing.connections,
    }))
}

async fn connection<'a>(hub: &Hub, member: &'a Member) -> Result<Connection<'a>, ReadError> {
    Ok(Connection {
        user_id: &member.user.id,
        username: &member.user.name,
        connected_at: Iso(member.connected_at),
        rooms: rooms_of(hub, member.connection).await?,
    })
}

/// The first rooms that a connection is in.
pub(super) async fn rooms_of(
    hub: &Hub,
    connection: ConnectionId,
) -> Result<Vec<String>, EngineError> {
    let rooms = hub.rooms_of(connection).await?;
    let first = rooms.iter().take(ROOMS_OF_MEMBER);
    Ok(first.map(ToString::to_string).collect())
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

/// Nothing can be shown now.
pub(super) type Unavailable = Refused<503>;

/// Something is not shown or not published.
type Denied = Refused<403, 503>;

/// Why nothing can be shown, for people who read `lang`.
pub(super) fn unavailable(error: EngineError, lang: Lang) -> Unavailable {
    Refused(unread(error.into(), lang).0)
}

fn unread(error: ReadError, lang: Lang) -> Denied {
    let status = match error {
        ReadError::Forbidden(_) => StatusCode::FORBIDDEN,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    let refusal = Refusal::new(status, texts::of_read_error(&error, lang));
    Refused(refusal.in_lang(lang))
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
    use telsiz_hub::{Forbidden, Keep, Memory, Retention};

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
    async fn a_page_of_rooms_lists_at_most_5000_members() {
        // In each room at most 500.
        let full = [500; 9];
        for (rest, listed) in [
            (&[499][..], &[499][..]),
            (&[500], &[500]),
            (&[499, 2], &[499, 1]),
            (&[500, 1], &[500, 0]),
        ] {
            let site = testing::site();
            let hub = site.rooms.hub();
            let member = |number: usize| hub.new_member(User::new(&number.to_string(), "x"));
            let members: Vec<_> = (0..500).map(member).collect();
            let counts = [&full, rest].concat();
            for (room, count) in counts.iter().enumerate() {
                for member in &members[..*count] {
                    testing::enter(&site.rooms, &format!("{room:02}"), member).await;
                }
            }
            let page = ask(&site, None, get("/rooms")).await.json;
            let rooms = page["rooms"].as_array().expect("rooms").iter();
            let (told, found): (Vec<_>, Vec<_>) = rooms
                .map(|room| {
                    let members = room["members"].as_array().expect("members");
                    (room["member_count"].clone(), members.len())
                })
                .unzip();
            assert_eq!(told, counts);
            assert_eq!(found, [&full, listed].concat());
        }
    }

    #[tokio::test]
    async fn of_a_member_at_most_100_rooms_are_listed() {
        for (count, listed) in [(99, 99), (100, 100), (101, 100)] {
            let site = testing::site();
            let member = site.rooms.hub().new_member(User::new("u", "U"));
            for room in 0..count {
                testing::enter(&site.rooms, &room.to_string(), &member).await;
            }
            let told = ask(&site, None, get("/api/rooms/0/members")).await.json;
            let rooms = told["members"][0]["rooms"].as_array().expect("rooms");
            assert_eq!((rooms.len(), &told["count"]), (listed, &json!(1)));
        }
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
    async fn a_room_that_cannot_be_is_named() {
        let site = testing::site();
        let (longest, too_long) = ("ğ".repeat(128), "ğ".repeat(129));
        let encoded = |name: &str| name.replace('ğ', "%C4%9F");
        for (name, status) in [
            (encoded(&longest), 200),
            (encoded(&too_long), 400),
            ("%0A".to_owned(), 400),
            ("%FF".to_owned(), 400),
        ] {
            for what in ["messages", "members"] {
                let path = format!("/api/rooms/{name}/{what}");
                let answer = ask(&site, None, get(&path)).await;
                assert_eq!(answer.status, status, "{path}");
                if status == 400 {
                    assert_eq!(answer.json["errors"][0]["field"], "room_id");
                }
            }
        }
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
        for (error, status) in [
            (ReadError::Engine(engine()), 503),
            (ReadError::Forbidden(Forbidden), 403),
        ] {
            assert_eq!(unread(error, Lang::En).into_response().status(), status);
        }
        let response = unavailable(engine(), Lang::En).into_response();
        assert_eq!(response.status(), 503);
    }
}

//! The rooms over HTTP: which there are, and who is there.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;
use telsiz_hub::{ConnectionId, EngineError, Hub, Identity, Member, ReadError};

use super::extract::{Paging, Reader, Room};
use super::refusal::Refused;
use super::told::{Borrows, Told};
use super::{Http, Refusal};
use crate::lang::Lang;
use crate::rooms::{LIST, MemberEntry, texts};
use crate::timestamp::Iso;

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

impl Borrows for RoomsPage<'_> {
    type Whatever = RoomsPage<'static>;
}

impl Borrows for Connected<'_> {
    type Whatever = Connected<'static>;
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

/// Nothing can be shown now.
pub(super) type Unavailable = Refused<503>;

/// Something is not shown or not published.
pub(super) type Denied = Refused<403, 503>;

/// Why nothing can be shown, for people who read `lang`.
pub(super) fn unavailable(error: EngineError, lang: Lang) -> Unavailable {
    Refused(unread(error.into(), lang).0)
}

/// Why something is not shown, for people who read `lang`.
pub(super) fn unread(error: ReadError, lang: Lang) -> Denied {
    let status = match error {
        ReadError::Forbidden(_) => StatusCode::FORBIDDEN,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    let refusal = Refusal::new(status, texts::of_read_error(&error, lang));
    Refused(refusal.in_lang(lang))
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;
    use serde_json::json;
    use telsiz_hub::{Forbidden, User};

    use super::*;
    use crate::http::asking::{ask, get};
    use crate::testing;

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

    #[test]
    fn why_something_is_not_shown_has_its_status() {
        let engine = || EngineError::Failed("the disk is full".into());
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

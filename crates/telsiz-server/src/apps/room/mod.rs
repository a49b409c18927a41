//! `room`: the URL names the room and the user.

use std::sync::Arc;

use telsiz::{Error, Upgrade};
use telsiz_hub::{
    Appended, Draft, Hub, Identity, Joining, Member, PublishError, ReadError, RoomName, Seat, User,
};

use self::messages::{FromClient, FromServer};
use super::{App, Mounting};
use crate::close;
use crate::connections::Counted;
use crate::conversation::Conversation;
use crate::json::{Expected, Heard, Schema, WrongField, sentence, write};
use crate::lang::ByLang;
use crate::names;
use crate::rate::Rate;
use crate::rooms::{DEFAULT_ROOM, LIST, Line, Outlet, Rooms, sit_down, texts};
use crate::rules::{Rules, Site};

mod messages;

/// The app.
pub(crate) const APP: App = App {
    name: "room",
    pattern: "/ws/chat/{room_id}",
    about: ByLang {
        tr: "oda ve kullanıcı adresten okunur: ?user_id=…&username=…",
        en: "the URL names the room and the user: ?user_id=…&username=…",
    },
    schema: Some(|| Schema::of::<FromClient, FromServer<'_>>("room")),
    mount,
};

/// Who asks to be let into which room.
#[derive(Debug)]
struct Asked {
    room: RoomName,
    user: User,
}

fn mount(mounting: Mounting<'_>) -> Mounting<'_> {
    let site = mounting.site.clone();
    let rules = site.rules(Rate::DEFAULT, messages::error_fields);
    mounting.handle(move |upgrade, counted| serve(upgrade, site.clone(), rules.clone(), counted))
}

async fn serve(
    upgrade: Upgrade,
    site: Arc<Site>,
    rules: Arc<Rules>,
    counted: Counted,
) -> Result<(), Error> {
    // In a box: who is in keeps no room for it.
    let Some((mut conversation, guest, _seat)) =
        Box::pin(enter(upgrade, &site, rules, &counted)).await?
    else {
        return Ok(());
    };
    while let Some(text) = conversation.next().await? {
        if let Some(heard) = conversation.hear(&text).await? {
            Box::pin(guest.answer(heard, &text, &conversation)).await?;
        }
    }
    Ok(())
}

/// Lets somebody into a room; nobody if that is not to be. Whether there is a place for it is known
/// before its handshake is answered.
async fn enter(
    upgrade: Upgrade,
    site: &Site,
    rules: Arc<Rules>,
    counted: &Counted,
) -> Result<Option<(Conversation, Guest, Seat<Outlet>)>, Error> {
    let rooms = &site.rooms;
    let Asked { room, user } = match Asked::read(&upgrade, rooms) {
        Ok(asked) => asked,
        Err(wrong) => {
            site.turn_away(upgrade, &wrong).await;
            return Ok(None);
        }
    };
    let lang = site.lang_of(&upgrade);
    let worker = rooms.worker(upgrade.worker());
    let member = rooms.hub().new_member(user);
    let joining = match rooms.join(&worker, &room, &member, None).await {
        Err(error @ ReadError::Full { .. }) => {
            let why = |lang| texts::of_read_error(&error, lang);
            site.put_off(upgrade, why, close::ROOM_FULL).await;
            return Ok(None);
        }
        joining => joining,
    };
    let conversation = Conversation::open(upgrade, rules, lang, counted).await?;
    counted.is(member.user.clone(), Some(member.connection));
    let joining = match joining {
        Ok(joining) => joining,
        Err(error) => {
            conversation.close(match error {
                ReadError::Forbidden(_) => close::FORBIDDEN,
                _ => close::NO_ENGINE,
            });
            return Ok(None);
        }
    };
    let line = Line::new(conversation.sender(), &messages::DIALECT, lang);
    let guest = Guest {
        room,
        member,
        line,
        rooms: rooms.clone(),
    };
    let seat = guest.sit_down(joining, &conversation).await?;
    Ok(seat.map(|seat| (conversation, guest, seat)))
}

impl Asked {
    fn read(upgrade: &Upgrade, rooms: &Rooms) -> Result<Self, Vec<WrongField>> {
        let mut wrong = Vec::new();
        let mut read = |field| {
            let checked = match upgrade.query_param(field) {
                Some(value) => names::check_user(field, &value)
                    .and_then(|()| rooms.check_name(field, &value))
                    .map(|()| value),
                None => {
                    let expected = Expected::UserName;
                    Err(WrongField { field, expected })
                }
            };
            checked.unwrap_or_else(|error| {
                wrong.push(error);
                String::new()
            })
        };
        let (id, name) = (read("user_id"), read("username"));
        let room = upgrade.param("room_id").unwrap_or(DEFAULT_ROOM);
        let room = names::room("room_id", room).and_then(|room| {
            let checked = rooms.check_name("room_id", room.as_str());
            checked.map(|()| room)
        });
        match room {
            Ok(room) if wrong.is_empty() => Ok(Self {
                room,
                user: User::new(&id, &name),
            }),
            room => {
                wrong.extend(room.err());
                Err(wrong)
            }
        }
    }
}

/// A connection and its room.
#[derive(Debug)]
struct Guest {
    rooms: Rooms,
    room: RoomName,
    member: Arc<Member>,
    line: Line,
}

impl Guest {
    fn hub(&self) -> &Hub {
        self.rooms.hub()
    }

    fn identity(&self) -> Identity<'_> {
        Identity::Client(&self.member.user)
    }

    /// Takes its seat; there is none if that is not to be.
    async fn sit_down(
        &self,
        joining: Joining<Outlet>,
        conversation: &Conversation,
    ) -> Result<Option<Seat<Outlet>>, Error> {
        let now = self.hub().clock().now();
        let joined = FromServer::joined(&self.room, &self.member, now, conversation.lang());
        conversation.reply(write(&joined)).await?;
        let Some(seat) = sit_down(joining, &self.room, &self.line, conversation).await? else {
            return Ok(None);
        };
        if let Ok(listing) = self.hub().members(self.identity(), &self.room, LIST).await {
            let members = FromServer::room_members(&listing);
            conversation.reply(write(&members)).await?;
        }
        Ok(Some(seat))
    }

    async fn answer(
        &self,
        heard: Heard<'_>,
        text: &str,
        conversation: &Conversation,
    ) -> Result<(), Error> {
        let lang = conversation.lang();
        let read = match heard {
            Heard::Object(object) => {
                FromClient::read(object.kind().as_deref().unwrap_or("message"), &object)
            }
            Heard::NoObject | Heard::NoJson => Ok(FromClient::said(text)),
        };
        let error = match read {
            Ok(FromClient::Message { content }) => match self.publish(content.0).await {
                Ok(_) => return Ok(()),
                Err(error) => texts::of_publish_error(&error, lang),
            },
            Ok(FromClient::Typing {}) => match self.hub().typing(&self.room, &self.member) {
                Ok(()) => return Ok(()),
                Err(_) => texts::FORBIDDEN.of(lang).into(),
            },
            Err(wrong) => sentence(&wrong, lang).into(),
        };
        conversation
            .reply(write(&FromServer::Error { message: error }))
            .await
    }

    async fn publish(&self, text: String) -> Result<Appended, PublishError> {
        let draft = Draft {
            user: self.member.user.clone(),
            text,
            key: None,
        };
        self.rooms.publish(self.identity(), &self.room, draft).await
    }
}

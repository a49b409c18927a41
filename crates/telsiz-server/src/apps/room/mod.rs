//! `room`: the URL names the room and the user.

use std::sync::Arc;

use telsiz::{Error, Upgrade};
use telsiz_hub::{
    Appended, Draft, Hub, Identity, Member, PublishError, ReadError, RoomName, Seat, User,
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
    _counted: Counted,
) -> Result<(), Error> {
    let asked = match Asked::read(&upgrade) {
        Ok(asked) => asked,
        Err(wrong) => {
            Box::pin(site.turn_away(upgrade, &wrong)).await;
            return Ok(());
        }
    };
    let (worker, lang) = (upgrade.worker(), site.lang_of(&upgrade));
    let mut conversation = Conversation::open(upgrade, rules, lang).await?;
    let guest = Guest::new(asked, site.rooms.clone(), &conversation);
    let Some(_seat) = Box::pin(guest.join(worker, &conversation)).await? else {
        return Ok(());
    };
    while let Some(text) = conversation.next().await? {
        if let Some(heard) = conversation.hear(&text).await? {
            Box::pin(guest.answer(heard, &text, &conversation)).await?;
        }
    }
    Ok(())
}

impl Asked {
    fn read(upgrade: &Upgrade) -> Result<Self, Vec<WrongField>> {
        let mut wrong = Vec::new();
        let mut read = |field| {
            let checked = match upgrade.query_param(field) {
                Some(value) => names::check_user(field, &value).map(|()| value),
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
        match names::room("room_id", room) {
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
    fn new(asked: Asked, rooms: Rooms, conversation: &Conversation) -> Self {
        let member = rooms.hub().new_member(asked.user);
        let line = Line::new(
            conversation.sender(),
            &messages::DIALECT,
            conversation.lang(),
        );
        Self {
            room: asked.room,
            member,
            line,
            rooms,
        }
    }

    fn hub(&self) -> &Hub {
        self.rooms.hub()
    }

    fn identity(&self) -> Identity<'_> {
        Identity::Client(&self.member.user)
    }

    /// Joins; nobody if that is not to be.
    async fn join(
        &self,
        worker: usize,
        conversation: &Conversation,
    ) -> Result<Option<Seat<Outlet>>, Error> {
        let worker = self.rooms.worker(worker);
        let joining = match worker.join(&self.room, &self.member, None).await {
            Ok(joining) => joining,
            Err(error) => {
                conversation.close(match error {
                    ReadError::Forbidden(_) => close::FORBIDDEN,
                    _ => close::NO_ENGINE,
                });
                return Ok(None);
            }
        };
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
        self.hub().publish(self.identity(), &self.room, draft).await
    }
}

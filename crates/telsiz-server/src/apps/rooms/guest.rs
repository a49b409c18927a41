//! A connection and the rooms that it is in.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use telsiz::Error;
use telsiz_hub::{Draft, Hub, Identity, Member, PublishError, ReadError, RoomName, Status, User};

use super::Who;
use super::messages::{DIALECT, FromClient, FromServer, Request, RoomEntry, Since, UserEntry};
use super::request::{Code, RequestId};
use super::texts::{self, NO_JSON, NOT_MEMBER};
use crate::conversation::Conversation;
use crate::json::{Field, Heard, Object, WrongField, sentence, write};
use crate::lang::Lang;
use crate::rooms::texts as said;
use crate::rooms::{
    Client, HISTORY_PAGE, History, Key, LIST, Line, MemberEntry, Number, Rooms, Seats, Worker,
    sit_down,
};

/// How many rooms a list has at most.
const ROOM_LIST: usize = 1_000;

/// How many users a list has at most.
const USER_LIST: usize = 5_000;

/// A connection and the rooms that it is in.
#[derive(Debug)]
pub(super) struct Guest {
    rooms: Rooms,
    worker: Arc<Worker>,
    member: Arc<Member>,
    line: Line,
    seats: Seats,
    client: Client,
}

/// Why a request was not done.
#[derive(Debug)]
struct Refused {
    code: Code,
    message: Cow<'static, str>,
}

/// What becomes of a request: what is said to everyone who asks, and that it was done.
type Done<T> = Result<T, Refused>;

impl Guest {
    pub(super) fn new(who: Who, rooms: Rooms, worker: usize, conversation: &Conversation) -> Self {
        let member = rooms.hub().new_member(User::new(&who.id, &who.name));
        let sender = conversation.sender();
        let clients = rooms.clients();
        Self {
            worker: rooms.worker(worker),
            client: clients.enter(
                &member.user.id,
                member.connection,
                sender.clone(),
                who.takes_over,
            ),
            line: Line::new(sender, &DIALECT, conversation.lang()).answered(&member.user),
            seats: Seats::default(),
            member,
            rooms,
        }
    }

    fn hub(&self) -> &Hub {
        self.rooms.hub()
    }

    fn identity(&self) -> Identity<'_> {
        Identity::Client(&self.member.user)
    }

    pub(super) async fn answer(
        &mut self,
        heard: Heard<'_>,
        conversation: &Conversation,
    ) -> Result<(), Error> {
        let lang = conversation.lang();
        let object = match heard {
            Heard::Object(object) => object,
            Heard::NoObject => {
                let wrong = [WrongField::NO_OBJECT];
                return reject(conversation, None, bad_request(&wrong, lang)).await;
            }
            Heard::NoJson => {
                let message = NO_JSON.of(lang).into();
                let code = Code::BadRequest;
                return reject(conversation, None, Refused { code, message }).await;
            }
        };
        let id = match object
            .get("id")
            .map(|id| RequestId::read(Some(id)))
            .transpose()
        {
            Ok(id) => id,
            Err(expected) => {
                let field = "id";
                let wrong = bad_request(&[WrongField { field, expected }], lang);
                return conversation
                    .reply(write(&error(None, Some(wrong.code), wrong.message)))
                    .await;
            }
        };
        let asked = match read(&object, lang) {
            Ok(asked) => asked,
            Err(refused) => return reject(conversation, id, refused).await,
        };
        match asked {
            FromClient::JoinRoom { room_id, since } => {
                self.join(&room_id.0, since, id, conversation).await
            }
            FromClient::LeaveRoom { room_id } => {
                let left = self.leave(&room_id.0, lang);
                self.finish(left, id, conversation).await
            }
            FromClient::RoomMessage {
                room_id,
                message,
                idempotency_key,
            } => {
                let key = idempotency_key.map(|Key(key)| key);
                self.publish(&room_id.0, message.0, key, id, conversation)
                    .await
            }
            FromClient::Chat {
                room_id,
                message,
                idempotency_key,
            } => {
                let key = idempotency_key.map(|Key(key)| key);
                self.publish(&room_id.0, message.0, key, id, conversation)
                    .await
            }
            FromClient::Typing { room_id } => {
                let typed = self.typing(&room_id.0, lang);
                self.finish(typed, id, conversation).await
            }
            FromClient::SetStatus { status } => {
                let set = self.set_status(status.into(), lang).await;
                self.finish(set, id, conversation).await
            }
            FromClient::GetRooms {} => self.room_list(id, conversation).await,
            FromClient::GetRoomMembers { room_id } => {
                self.room_members(&room_id.0, id, conversation).await
            }
            FromClient::GetUsers {} => self.user_list(id, conversation).await,
            FromClient::GetHistory {
                room_id,
                page,
                per_page,
            } => {
                let page = page.map_or(1, |Number(page)| page);
                let (usual, most) = HISTORY_PAGE;
                let per_page = per_page.map_or(usual, |Number(count)| count.min(most));
                self.history(&room_id.0, page, per_page, id, conversation)
                    .await
            }
        }
    }

    async fn join(
        &mut self,
        room: &RoomName,
        since: Option<Since>,
        id: Option<RequestId>,
        conversation: &Conversation,
    ) -> Result<(), Error> {
        let lang = conversation.lang();
        let since = since.map(Into::into);
        let seat = self.seats.take(room);
        let was_there = seat.is_some();
        let joining = match seat {
            Some(seat) => seat.rejoin(since).await.map_err(ReadError::from),
            None => self.worker.join(room, &self.member, since).await,
        };
        let joining = match joining {
            Ok(joining) => joining,
            Err(error) => return reject(conversation, id, unread(&error, lang)).await,
        };
        let line = texts::you_joined(lang, room.as_str());
        self.say(
            FromServer::system(room, line, self.hub().clock().now()),
            conversation,
        )
        .await?;
        let joined = id.map(|id| {
            let position = joining.position();
            write(&FromServer::Ok {
                id,
                room_id: Some(room.as_str()),
                epoch: Some(position.epoch.as_str()),
                seq: Some(position.seq),
                recovered: Some(joining.recovered()),
            })
        });
        // Nothing follows the answer that was published before it, unless it was asked for.
        let (before, behind) = match was_there && !joining.recovered() {
            true => (None, joined),
            false => (joined, None),
        };
        if let Some(joined) = before {
            conversation.reply(joined).await?;
        }
        if let Some(seat) = sit_down(joining, room, &self.line, conversation).await? {
            self.seats.insert(seat);
        }
        if let Some(joined) = behind {
            conversation.reply(joined).await?;
        }
        Ok(())
    }

    fn leave(&mut self, room: &RoomName, lang: Lang) -> Done<Option<String>> {
        let seat = self.seats.take(room).ok_or_else(|| not_member(lang))?;
        drop(seat);
        let line = texts::you_left(lang, room.as_str());
        Ok(Some(write(&FromServer::system(
            room,
            line,
            self.hub().clock().now(),
        ))))
    }

    async fn publish(
        &self,
        room: &RoomName,
        text: String,
        key: Option<telsiz_hub::IdempotencyKey>,
        id: Option<RequestId>,
        conversation: &Conversation,
    ) -> Result<(), Error> {
        let lang = conversation.lang();
        if let Err(refused) = self.require_seat(room, lang) {
            return reject(conversation, id, refused).await;
        }
        let draft = Draft {
            user: self.member.user.clone(),
            text,
            key,
        };
        let publishing = self.line.publishing();
        let appended = self.hub().publish(self.identity(), room, draft).await;
        drop(publishing);
        let appended = match appended {
            Ok(appended) => appended,
            Err(error) => return reject(conversation, id, unpublished(&error, lang)).await,
        };
        let Some(id) = id else {
            return Ok(());
        };
        let published = FromServer::Ok {
            id,
            room_id: None,
            epoch: Some(appended.position.epoch.as_str()),
            seq: Some(appended.position.seq),
            recovered: None,
        };
        self.say(published, conversation).await
    }

    fn typing(&self, room: &RoomName, lang: Lang) -> Done<Option<String>> {
        self.require_seat(room, lang)?;
        let typed = self.hub().typing(room, &self.member);
        typed.map(|()| None).map_err(|_| forbidden(lang))
    }

    async fn set_status(&self, status: Status, lang: Lang) -> Done<Option<String>> {
        self.client.set_status(status);
        let told = self.hub().set_status(&self.member, status).await;
        told.map_err(|error| unread(&error.into(), lang))?;
        let User { id, name } = &self.member.user;
        Ok(Some(write(&FromServer::Status {
            client_id: id,
            username: name,
            status: status.into(),
        })))
    }

    async fn room_list(
        &self,
        id: Option<RequestId>,
        conversation: &Conversation,
    ) -> Result<(), Error> {
        match self.hub().rooms(0, ROOM_LIST).await {
            Ok((rooms, _)) => {
                let rooms = rooms.iter().map(|room| RoomEntry {
                    room_id: room.name.as_str(),
                    member_count: room.users,
                });
                let list = FromServer::RoomList {
                    request: Request { id },
                    rooms: rooms.collect(),
                };
                self.say(list, conversation).await
            }
            Err(error) => {
                let refused = unread(&error.into(), conversation.lang());
                reject(conversation, id, refused).await
            }
        }
    }

    async fn room_members(
        &self,
        room: &RoomName,
        id: Option<RequestId>,
        conversation: &Conversation,
    ) -> Result<(), Error> {
        let lang = conversation.lang();
        let listing = match self.hub().users(self.identity(), room, LIST).await {
            Ok(listing) => listing,
            Err(error) => return reject(conversation, id, unread(&error, lang)).await,
        };
        let members = listing
            .members
            .iter()
            .map(|member| MemberEntry::new(member));
        let list = FromServer::RoomMembers {
            request: Request { id },
            room_id: room.as_str(),
            members: members.collect(),
        };
        self.say(list, conversation).await
    }

    async fn user_list(
        &self,
        id: Option<RequestId>,
        conversation: &Conversation,
    ) -> Result<(), Error> {
        let mut members = vec![self.member.clone()];
        for room in self.seats.rooms() {
            match self.hub().users(self.identity(), room, LIST).await {
                Ok(listing) => members.extend(listing.members),
                Err(ReadError::Forbidden(_)) => {}
                Err(error) => {
                    let refused = unread(&error, conversation.lang());
                    return reject(conversation, id, refused).await;
                }
            }
            if members.len() > USER_LIST {
                break;
            }
        }
        let clients = self.rooms.clients();
        let mut users = BTreeMap::new();
        for member in members.iter().take(USER_LIST) {
            let User { id, name } = &member.user;
            users.entry(&**id).or_insert_with(|| UserEntry {
                name,
                status: clients.status(id).into(),
            });
        }
        let request = Request { id };
        self.say(FromServer::UserList { request, users }, conversation)
            .await
    }

    async fn history(
        &self,
        room: &RoomName,
        page: usize,
        per_page: usize,
        id: Option<RequestId>,
        conversation: &Conversation,
    ) -> Result<(), Error> {
        let lang = conversation.lang();
        if let Err(refused) = self.require_seat(room, lang) {
            return reject(conversation, id, refused).await;
        }
        let history = match self
            .hub()
            .history(self.identity(), room, page, per_page)
            .await
        {
            Ok(history) => history,
            Err(error) => return reject(conversation, id, unread(&error, lang)).await,
        };
        let history = FromServer::MessageHistory {
            request: Request { id },
            history: History::new(room, page, &history),
        };
        self.say(history, conversation).await
    }

    /// Fails unless it is in this room.
    fn require_seat(&self, room: &RoomName, lang: Lang) -> Done<()> {
        match self.seats.contains(room) {
            true => Ok(()),
            false => Err(not_member(lang)),
        }
    }

    async fn say(&self, message: FromServer<'_>, conversation: &Conversation) -> Result<(), Error> {
        conversation.reply(write(&message)).await
    }

    /// Says what everyone who asks is told, and that a request with an `id` was done.
    async fn finish(
        &self,
        done: Done<Option<String>>,
        id: Option<RequestId>,
        conversation: &Conversation,
    ) -> Result<(), Error> {
        match done {
            Ok(line) => {
                if let Some(line) = line {
                    conversation.reply(line).await?;
                }
                match id {
                    Some(id) => self.say(FromServer::done(id), conversation).await,
                    None => Ok(()),
                }
            }
            Err(refused) => reject(conversation, id, refused).await,
        }
    }
}

fn read(object: &Object<'_>, lang: Lang) -> Done<FromClient> {
    let kind = object.kind().unwrap_or_default();
    FromClient::read(&kind, object).map_err(|wrong| Refused {
        code: match wrong.iter().any(|wrong| wrong.field == "type") {
            true => Code::UnknownType,
            false => Code::BadRequest,
        },
        message: sentence(&wrong, lang).into(),
    })
}

async fn reject(
    conversation: &Conversation,
    id: Option<RequestId>,
    refused: Refused,
) -> Result<(), Error> {
    let code = id.is_some().then_some(refused.code);
    conversation
        .reply(write(&error(id, code, refused.message)))
        .await
}

fn error(id: Option<RequestId>, code: Option<Code>, message: Cow<'_, str>) -> FromServer<'_> {
    FromServer::Error {
        request: Request { id },
        code,
        message,
    }
}

fn bad_request(wrong: &[WrongField], lang: Lang) -> Refused {
    Refused {
        code: Code::BadRequest,
        message: sentence(wrong, lang).into(),
    }
}

fn not_member(lang: Lang) -> Refused {
    Refused {
        code: Code::NotMember,
        message: NOT_MEMBER.of(lang).into(),
    }
}

fn forbidden(lang: Lang) -> Refused {
    Refused {
        code: Code::Forbidden,
        message: said::FORBIDDEN.of(lang).into(),
    }
}

fn unread(error: &ReadError, lang: Lang) -> Refused {
    Refused {
        code: match error {
            ReadError::Forbidden(_) => Code::Forbidden,
            _ => Code::Internal,
        },
        message: said::of_read_error(error, lang),
    }
}

fn unpublished(error: &PublishError, lang: Lang) -> Refused {
    Refused {
        code: match error {
            PublishError::Forbidden(_) => Code::Forbidden,
            PublishError::Busy => Code::Busy,
            _ => Code::Internal,
        },
        message: said::of_publish_error(error, lang),
    }
}

//! A connection and the rooms that it is in.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Instant;

use telsiz::Error;
use telsiz_hub::{
    ConnectionId, Draft, Hub, Identity, Member, Position, ReadError, RoomName, Status, User,
};

use super::Who;
use super::asker::{Asker, Done, Undone};
use super::messages::{DIALECT, FromClient, FromServer, RoomEntry, Since, UserEntry};
use super::refused::Refused;
use super::request::RequestId;
use super::texts;
use crate::conversation::Conversation;
use crate::json::{Field, Heard, NotBlank, RoomName as Room, TextOrEmpty, WrongField};
use crate::limits_hit::Limit;
use crate::rate::{Limiter, Verdict};
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
    /// Of what it reads of the history.
    history: Limiter,
}

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
            history: Limiter::default(),
            member,
            rooms,
        }
    }

    /// Who it is.
    pub(super) fn user(&self) -> &User {
        &self.member.user
    }

    /// What it is in rooms.
    pub(super) fn connection(&self) -> ConnectionId {
        self.member.connection
    }

    fn hub(&self) -> &Hub {
        self.rooms.hub()
    }

    fn identity(&self) -> Identity<'_> {
        Identity::Client(&self.member.user)
    }

    /// Does what somebody asks for, and answers.
    pub(super) async fn answer(
        &mut self,
        heard: Heard<'_>,
        conversation: &Conversation,
    ) -> Result<(), Error> {
        let id = None;
        let mut asker = Asker { conversation, id };
        let done = match self.obey(heard, &mut asker).await {
            Err(Undone::Refused(refused)) => asker.reject(&refused).await,
            done => done,
        };
        match done {
            Err(Undone::Lost(error)) => Err(error),
            _ => Ok(()),
        }
    }

    async fn obey(&mut self, heard: Heard<'_>, asker: &mut Asker<'_>) -> Done {
        let object = match heard {
            Heard::Object(object) => object,
            Heard::NoObject => return Err(vec![WrongField::NO_OBJECT].into()),
            Heard::NoJson => return Err(Refused::NoJson.into()),
        };
        let id = Option::<RequestId>::read(object.get("id"));
        asker.id = id.map_err(Refused::WrongId)?;
        match FromClient::read(&object.kind().unwrap_or_default(), &object)? {
            FromClient::JoinRoom {
                room_id: Room(room),
                since,
            } => self.join(&room, since, asker).await,
            FromClient::LeaveRoom {
                room_id: Room(room),
            } => self.leave(&room, asker).await,
            FromClient::RoomMessage {
                room_id: Room(room),
                message: TextOrEmpty(text),
                idempotency_key: key,
            }
            | FromClient::Chat {
                room_id: Room(room),
                message: NotBlank(text),
                idempotency_key: key,
            } => self.publish(&room, text, key, asker).await,
            FromClient::Typing {
                room_id: Room(room),
            } => self.typing(&room, asker).await,
            FromClient::SetStatus { status } => self.set_status(status.into(), asker).await,
            FromClient::GetRooms {} => self.room_list(asker).await,
            FromClient::GetRoomMembers {
                room_id: Room(room),
            } => self.room_members(&room, asker).await,
            FromClient::GetUsers {} => self.user_list(asker).await,
            FromClient::GetHistory {
                room_id: Room(room),
                page,
                per_page,
            } => {
                let page = page.map_or(1, |Number(page)| page);
                let (usual, most) = HISTORY_PAGE;
                let per_page = per_page.map_or(usual, |Number(count)| count.min(most));
                self.history(&room, page, per_page, asker).await
            }
        }
    }

    async fn join(&mut self, room: &RoomName, since: Option<Since>, asker: &Asker<'_>) -> Done {
        let since = since.map(Into::into);
        let seat = self.seats.take(room);
        let was_there = seat.is_some();
        let joining = match seat {
            Some(seat) => seat.rejoin(since).await?,
            None => {
                self.check_joining(room)?;
                let Self { worker, member, .. } = self;
                self.rooms.join(worker, room, member, since).await?
            }
        };
        let line = texts::you_joined(asker.lang(), room.as_str());
        self.tell(room, line, asker).await?;
        let Position { epoch, seq } = joining.position();
        let recovered = joining.recovered();
        let joined = asker.id.as_ref().map(|id| FromServer::Ok {
            id,
            room_id: Some(room.as_str()),
            epoch: Some(epoch.as_str()),
            seq: Some(seq),
            recovered: Some(recovered),
        });
        // Nothing follows the answer that was published before it, unless it was asked for.
        let (before, behind) = match was_there && !recovered {
            true => (None, joined),
            false => (joined, None),
        };
        if let Some(joined) = before {
            asker.say(joined).await?;
        }
        let seat = sit_down(joining, room, &self.line, asker.conversation).await;
        if let Some(seat) = seat.map_err(Undone::Lost)? {
            self.seats.insert(seat);
        }
        if let Some(joined) = behind {
            asker.say(joined).await?;
        }
        Ok(())
    }

    /// Whether it may be in one more room, and in one of this name.
    fn check_joining(&self, room: &RoomName) -> Result<(), Refused> {
        let named = self.rooms.check_name("room_id", room.as_str());
        named.map_err(|wrong| vec![wrong])?;
        match self.rooms.limits().max_rooms.map(NonZeroUsize::get) {
            Some(max) if self.seats.rooms().count() >= max => {
                self.rooms.hit(Limit::Rooms);
                Err(Refused::TooManyRooms { max })
            }
            _ => Ok(()),
        }
    }

    async fn leave(&mut self, room: &RoomName, asker: &Asker<'_>) -> Done {
        let seat = self.seats.take(room).ok_or(Refused::NotMember)?;
        drop(seat);
        let line = texts::you_left(asker.lang(), room.as_str());
        self.tell(room, line, asker).await?;
        asker.confirm().await
    }

    async fn publish(
        &self,
        room: &RoomName,
        text: String,
        key: Option<Key>,
        asker: &Asker<'_>,
    ) -> Done {
        self.require_seat(room)?;
        let draft = Draft {
            user: self.member.user.clone(),
            text,
            key: key.map(|Key(key)| key),
        };
        let publishing = self.line.publishing();
        let appended = self.rooms.publish(self.identity(), room, draft).await?;
        drop(publishing);
        let Some(id) = &asker.id else {
            return Ok(());
        };
        let published = FromServer::Ok {
            id,
            room_id: None,
            epoch: Some(appended.position.epoch.as_str()),
            seq: Some(appended.position.seq),
            recovered: None,
        };
        asker.say(published).await
    }

    async fn typing(&self, room: &RoomName, asker: &Asker<'_>) -> Done {
        self.require_seat(room)?;
        self.hub().typing(room, &self.member)?;
        asker.confirm().await
    }

    async fn set_status(&self, status: Status, asker: &Asker<'_>) -> Done {
        self.client.set_status(status);
        self.hub().set_status(&self.member, status).await?;
        let User { id, name } = &self.member.user;
        let told = FromServer::Status {
            client_id: id,
            username: name,
            status: status.into(),
        };
        asker.say(told).await?;
        asker.confirm().await
    }

    async fn room_list(&self, asker: &Asker<'_>) -> Done {
        let (rooms, _) = self.hub().rooms(0, ROOM_LIST).await?;
        let rooms = rooms.iter().map(|room| RoomEntry {
            room_id: room.name.as_str(),
            member_count: room.users,
        });
        let list = FromServer::RoomList {
            request: asker.request(),
            rooms: rooms.collect(),
        };
        asker.say(list).await
    }

    async fn room_members(&self, room: &RoomName, asker: &Asker<'_>) -> Done {
        let listing = self.hub().users(self.identity(), room, LIST).await?;
        let members = listing
            .members
            .iter()
            .map(|member| MemberEntry::new(member));
        let list = FromServer::RoomMembers {
            request: asker.request(),
            room_id: room.as_str(),
            members: members.collect(),
        };
        asker.say(list).await
    }

    async fn user_list(&self, asker: &Asker<'_>) -> Done {
        let mut members = vec![self.member.clone()];
        for room in self.seats.rooms() {
            match self.hub().users(self.identity(), room, LIST).await {
                Ok(listing) => members.extend(listing.members),
                Err(ReadError::Forbidden(_)) => {}
                Err(error) => return Err(error.into()),
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
        let request = asker.request();
        asker.say(FromServer::UserList { request, users }).await
    }

    async fn history(
        &mut self,
        room: &RoomName,
        page: usize,
        per_page: usize,
        asker: &Asker<'_>,
    ) -> Done {
        self.require_seat(room)?;
        let rate = self.rooms.limits().history_rate;
        if let Verdict::Reject { retry_after } = self.history.judge(rate, Instant::now()) {
            self.rooms.hit(Limit::HistoryRate);
            return Err(Refused::HistoryTooOften { retry_after }.into());
        }
        let hub = self.hub();
        let found = hub.history(self.identity(), room, page, per_page).await?;
        let history = FromServer::MessageHistory {
            request: asker.request(),
            history: History::new(room, page, &found),
        };
        asker.say(history).await
    }

    /// Tells who asked a line about a room.
    async fn tell(&self, room: &RoomName, line: String, asker: &Asker<'_>) -> Done {
        let now = self.hub().clock().now();
        asker.say(FromServer::system(room, line, now)).await
    }

    fn require_seat(&self, room: &RoomName) -> Result<(), Refused> {
        match self.seats.contains(room) {
            true => Ok(()),
            false => Err(Refused::NotMember),
        }
    }
}

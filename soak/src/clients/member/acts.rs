//! What a member does next.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::session::{Away, Request, Session};
use super::{Member, Saying, Temper};
use crate::oracle::KEEP;
use crate::plan::{LOUD, ROOMS};
use crate::world::lock;

/// How long what is said in the loud room is.
const MUCH: usize = 40 * 1024;

impl Member {
    /// How long it waits before it does something.
    pub(super) fn breath(&mut self) -> Duration {
        match self.world.is_load() {
            true if self.temper == Temper::Loud => self.random.millis(50, 150),
            true => self.random.millis(20, 350),
            false => Duration::from_millis(20),
        }
    }

    /// Does something, and says whether it is to go.
    pub(super) async fn act(&mut self, session: &mut Session) -> Option<Away> {
        self.try_again(session).await;
        if !self.world.is_load() {
            self.come_to_rest(session).await;
            return None;
        }
        if self.temper == Temper::Loud {
            self.say(session, LOUD, MUCH).await;
            return None;
        }
        match self.random.below(100) {
            0..4 => return self.wander(session).await,
            4..10 => self.change_rooms(session).await,
            10..16 => self.about_a_room(session, "typing").await,
            16..19 => self.send(session, r#"{"type":"ping"}"#.into()).await,
            19..21 => {
                let status = ["online", "away"][self.random.below(2)];
                let request = json!({"type": "set_status", "status": status});
                self.ask(session, request, Request::Anything).await;
            }
            21..24 => self.about_a_room(session, "get_room_members").await,
            24..26 => {
                let kind = ["get_users", "get_rooms"][self.random.below(2)];
                let request = json!({"type": kind});
                self.ask(session, request, Request::Anything).await;
            }
            26..29 => self.look_back(session).await,
            _ => {
                if let Some(room) = self.any_room() {
                    let length = match self.random.below(100) {
                        0..3 => 4000,
                        _ => self.random.below(200),
                    };
                    self.say(session, &room, length).await;
                }
            }
        }
        None
    }

    /// What its temper makes it do.
    async fn wander(&mut self, session: &mut Session) -> Option<Away> {
        match self.temper {
            Temper::Steady | Temper::Loud => None,
            Temper::Wanderer => Some(Away::Close),
            Temper::Vanisher => Some(Away::Vanish {
                reset: self.random.chance(50),
            }),
            Temper::Staller => {
                self.world.tally.count("stalls");
                self.note("--", "stops reading");
                let time = self.random.millis(1_000, 14_000);
                session.has_stalled = true;
                self.world.pause(time).await;
                self.note("--", "reads again");
                session.reads_since = Instant::now();
                None
            }
        }
    }

    /// Leaves a room, or joins one.
    async fn change_rooms(&mut self, session: &mut Session) {
        if self.temper == Temper::Steady || self.temper == Temper::Staller {
            return;
        }
        let Some(&room) = self.random.pick(&ROOMS) else {
            return;
        };
        if session.is_joining_or_leaving(room) {
            return;
        }
        if self.is_in(room) {
            self.wanted.remove(room);
            let request = json!({"type": "leave_room", "room_id": room});
            let what = Request::Leave { room: room.into() };
            self.ask(session, request, what).await;
        } else {
            self.wanted.insert(room.into());
            self.join(session, room).await;
        }
    }

    async fn about_a_room(&mut self, session: &mut Session, kind: &str) {
        if let Some(room) = self.any_room() {
            let request = json!({"type": kind, "room_id": room});
            self.ask(session, request, Request::Anything).await;
        }
    }

    async fn look_back(&mut self, session: &mut Session) {
        if let Some(room) = self.any_room() {
            let request = json!({
                "type": "get_history", "room_id": room,
                "page": 1 + self.random.below(3), "per_page": 1 + self.random.below(100),
            });
            self.ask(session, request, Request::History).await;
        }
    }

    /// A room that it is in and not about to leave.
    fn any_room(&mut self) -> Option<String> {
        let mut rooms = lock(&self.seats).present();
        rooms.retain(|room| self.wanted.contains(room) && room != LOUD);
        self.random.pick(&rooms).cloned()
    }

    async fn say(&mut self, session: &mut Session, room: &str, length: usize) {
        if !self.is_in(room) {
            return;
        }
        self.said += 1;
        let text = format!("{}/{} {}", self.name, self.said, padding(length));
        let has_key = self.random.chance(50);
        let saying = Saying {
            room: room.to_owned(),
            key: has_key.then(|| format!("{}/{}", self.name, self.said)),
            text,
            newest: self.world.newest(room),
        };
        self.world.tally.count("published");
        self.world.tally.add("bytes", saying.text.len() as u64);
        self.publish(session, saying).await;
    }

    async fn publish(&mut self, session: &mut Session, saying: Saying) {
        let Saying {
            room, text, key, ..
        } = &saying;
        let mut request = json!({"type": "room_message", "room_id": room, "message": text});
        if let Some(key) = key {
            request["idempotency_key"] = key.as_str().into();
        }
        self.ask(session, request, Request::Say(saying)).await;
    }

    /// Says again what it does not know the fate of, as long as the server knows the key.
    async fn try_again(&mut self, session: &mut Session) {
        let (now, later) = std::mem::take(&mut self.unsure)
            .into_iter()
            .partition(|saying| self.is_in(&saying.room));
        let stays = |saying: &Saying| self.wanted.contains(&saying.room);
        self.unsure = Vec::from_iter(later).into_iter().filter(stays).collect();
        let now: Vec<Saying> = now;
        for saying in now {
            if self.world.newest(&saying.room) < saying.newest + KEEP / 2 {
                self.world.tally.count("tried again");
                self.publish(session, saying).await;
            }
        }
    }

    /// Is in the rooms that it wants to be in, and waits for nothing.
    async fn come_to_rest(&mut self, session: &mut Session) {
        let mut is_idle = session.asked.is_empty() && self.unsure.is_empty();
        for room in self.wanted.clone() {
            if !self.is_in(&room) {
                is_idle = false;
                if !session.is_joining_or_leaving(&room) {
                    self.join(session, &room).await;
                }
            }
        }
        lock(&self.seats).is_idle = is_idle;
    }
}

/// So many bytes of text, of one, two, three and four bytes for a character.
fn padding(length: usize) -> String {
    let mut text: String = "Merhaba, dünya! 你好 🌍 "
        .chars()
        .cycle()
        .take(length)
        .collect();
    while text.len() > length {
        text.pop();
    }
    text
}

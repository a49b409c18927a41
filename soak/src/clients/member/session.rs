//! A connection of a member, from its opening to its end.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use telsiz::{CloseCode, Message, WebSocket};
use tokio::time::{Instant, sleep_until, timeout};

use super::super::socket::{Cut, Socket};
use super::messages::Told;
use super::{Member, Saying, Temper};
use crate::oracle::{Entry, Joined, Since, Violation};
use crate::world::{Life, Mode, lock};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A connection of a member.
pub(super) struct Session {
    pub(super) ws: WebSocket<Socket>,
    pub(super) cut: Cut,
    /// How the server was when it was opened.
    life: Life,
    /// What was asked and is not answered.
    pub(super) asked: BTreeMap<u64, Asked>,
    /// It reads since then.
    pub(super) reads_since: Instant,
    /// It did not read for a while, and may not have caught up.
    pub(super) has_stalled: bool,
}

/// A request that waits for its answer.
pub(super) struct Asked {
    at: Instant,
    pub(super) what: Request,
}

/// What a request asks for, as far as it matters for the answer.
pub(super) enum Request {
    Join {
        room: String,
        since: Since,
        /// The newest message of the room before it was asked.
        known: u64,
    },
    Leave {
        room: String,
    },
    Say(Saying),
    History,
    Anything,
}

/// How a member ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Away {
    Close,
    Vanish { reset: bool },
}

impl Member {
    pub(super) async fn session(&mut self, ws: WebSocket<Socket>, cut: Cut, life: Life) {
        self.note("--", "connected");
        let mut session = Session {
            ws,
            cut,
            life,
            asked: BTreeMap::new(),
            reads_since: Instant::now(),
            has_stalled: false,
        };
        lock(&self.seats).is_open = true;
        for room in self.wanted.clone() {
            self.join(&mut session, &room).await;
        }
        self.talk(&mut session).await;
        lock(&self.seats).close();
        for (_, asked) in std::mem::take(&mut session.asked) {
            self.do_not_know(asked.what);
        }
    }

    async fn talk(&mut self, session: &mut Session) {
        let mut mode = self.world.mode();
        let mut next = Instant::now() + self.breath();
        loop {
            if *mode.borrow_and_update() == Mode::Leave {
                let away = match self.random.chance(50) {
                    true => Away::Close,
                    false => Away::Vanish {
                        reset: self.random.chance(50),
                    },
                };
                return self.go(session, away).await;
            }
            tokio::select! {
                told = session.ws.recv() => match told {
                    Ok(Some(Message::Text(text))) => {
                        if let Err(violation) = self.hear(session, text.as_str()) {
                            return self.violated(violation);
                        }
                    }
                    Ok(Some(_)) => return self.complain("a binary message came"),
                    Ok(None) => return self.ended(session, "closed"),
                    Err(error) => return self.ended(session, &error.to_string()),
                },
                () = sleep_until(next) => {
                    if let Some(kind) = session.overdue() && !self.world.is_excused(session.life) {
                        return self.complain(&format!("{kind} was not answered in {PATIENCE:?}"));
                    }
                    if let Some(away) = self.act(session).await {
                        return self.go(session, away).await;
                    }
                    next = Instant::now() + self.breath();
                }
                _ = mode.changed() => {}
            }
        }
    }

    /// Takes a message of the server.
    fn hear(&mut self, session: &mut Session, text: &str) -> Result<(), Violation> {
        self.note("<-", text);
        let told: Told<'_> = serde_json::from_str(text).map_err(|error| {
            Violation::Other(format!("what came is not what was promised: {error}"))
        })?;
        if told.kind == "chat" {
            self.world.tally.count("delivered");
            self.world.stands(&told.room_id, told.entry())?;
            return self.with_reader(&told.room_id, |reader| reader.hear(told.seq));
        }
        let Some(id) = told.id else {
            return match &*told.kind {
                "error" => Err(Violation::Other(format!("an error came: {text}"))),
                _ => Ok(()),
            };
        };
        let Some(asked) = session.asked.remove(&id) else {
            return Err(Violation::Other(format!(
                "an answer to nothing came: {text}"
            )));
        };
        match &*told.kind {
            "error" => self.refused(&told, asked.what),
            _ => self.answered(&told, asked.what),
        }
    }

    fn answered(&mut self, told: &Told<'_>, asked: Request) -> Result<(), Violation> {
        let (seq, epoch) = (told.seq, &*told.epoch);
        match asked {
            Request::Join { room, since, known } => {
                // A log of nothing may begin in another epoch.
                if seq > 0 || known > 0 {
                    self.world.oracle().ends(&room, epoch, seq, known)?;
                }
                let recovered = told.recovered.unwrap_or_default();
                if let Since::Known(_) = since {
                    let what = ["recoveries/false", "recoveries/true"][usize::from(recovered)];
                    self.world.tally.count(what);
                }
                let joined = Joined {
                    newest: seq,
                    recovered,
                };
                self.with_reader(&room, |reader| reader.join(since, joined))
            }
            Request::Leave { room } => {
                self.with_reader(&room, crate::oracle::Reader::leave);
                Ok(())
            }
            Request::Say(saying) => {
                self.world.tally.count("acknowledged");
                let entry = Entry {
                    epoch,
                    seq,
                    client: &self.client,
                    text: &saying.text,
                };
                self.world.stands(&saying.room, entry)
            }
            Request::History => {
                let mut messages = told.messages.iter();
                messages.try_for_each(|said| self.world.stands(&said.room_id, said.entry()))
            }
            Request::Anything => Ok(()),
        }
    }

    fn refused(&mut self, told: &Told<'_>, asked: Request) -> Result<(), Violation> {
        self.world.tally.count(&format!("refused/{}", told.code));
        match (&*told.code, asked) {
            ("busy" | "limit", asked) => {
                self.do_not_know(asked);
                Ok(())
            }
            // A server that stops may have closed its disk.
            ("internal", asked) if !self.world.life().is_up => {
                self.do_not_know(asked);
                Ok(())
            }
            _ => Err(Violation::Other(format!(
                "a right request was refused: {} {}",
                told.code, told.message
            ))),
        }
    }

    /// Nobody knows whether it was done.
    fn do_not_know(&mut self, asked: Request) {
        if let Request::Say(saying) = asked
            && saying.key.is_some()
        {
            self.unsure.push(saying);
        }
    }

    /// The connection ended, and not by us.
    fn ended(&mut self, session: &Session, how: &str) {
        let code = session.ws.close_code().map_or(1006, u16::from);
        self.note("--", &format!("ended with {code}: {how}"));
        self.world.tally.count(&format!("ended/{code}"));
        // The server does not wait for ever until what it closes with is read.
        let is_slow = session.has_stalled && matches!(code, 4008 | 1006);
        if !is_slow && !self.world.is_excused(session.life) {
            self.complain(&format!("the connection ended with {code}: {how}"));
        }
    }

    async fn go(&mut self, session: &mut Session, away: Away) {
        self.note("--", &format!("{away:?}"));
        match away {
            Away::Vanish { reset } => {
                let how = ["gone/without a Close", "gone/with a reset"][usize::from(reset)];
                self.world.tally.count(how);
                session.cut.now(reset);
            }
            Away::Close => {
                self.world.tally.count("gone/with a Close");
                let closing = session.ws.close(CloseCode::NORMAL);
                let closed = timeout(PATIENCE, closing).await;
                if closed.is_err() && !self.world.is_excused(session.life) {
                    self.complain("the server does not answer a Close frame");
                }
            }
        }
    }

    /// Asks, without waiting for the answer.
    pub(super) async fn ask(&mut self, session: &mut Session, mut request: Value, what: Request) {
        self.requests += 1;
        request["id"] = self.requests.into();
        let at = Instant::now();
        session.asked.insert(self.requests, Asked { at, what });
        self.send(session, request.to_string()).await;
    }

    pub(super) async fn send(&mut self, session: &mut Session, text: String) {
        self.note("->", &text);
        self.world.tally.count("sent");
        match timeout(PATIENCE, session.ws.send(text)).await {
            // That it has ended is told where it is received from.
            Ok(_) => {}
            Err(_) if self.world.is_excused(session.life) => {}
            Err(_) => self.complain(&format!("the server did not read for {PATIENCE:?}")),
        }
    }

    /// Joins a room, with what it knows of it.
    pub(super) async fn join(&mut self, session: &mut Session, room: &str) {
        let last = self.with_reader(room, |reader| reader.last());
        let (known, epoch) = {
            let oracle = self.world.oracle();
            (oracle.newest(room), oracle.epoch(room).map(str::to_owned))
        };
        let is_liar = self.temper == Temper::Wanderer && self.random.chance(5);
        let mut request = json!({"type": "join_room", "room_id": room});
        let since = match (last, epoch) {
            (Some(last), Some(epoch)) if is_liar => {
                let (epoch, seq) = match self.random.chance(50) {
                    true => ("elsewhere", last),
                    false => (&*epoch, u64::MAX >> 12),
                };
                request["since"] = json!({"epoch": epoch, "seq": seq});
                Since::Nowhere
            }
            (Some(last), Some(epoch)) => {
                request["since"] = json!({"epoch": epoch, "seq": last});
                Since::Known(last)
            }
            _ => Since::Nothing,
        };
        let room = room.to_owned();
        let what = Request::Join { room, since, known };
        self.ask(session, request, what).await;
    }
}

impl Session {
    /// A request that waits too long for its answer.
    fn overdue(&self) -> Option<&'static str> {
        let late = |asked: &&Asked| asked.at.max(self.reads_since).elapsed() > PATIENCE;
        let asked = self.asked.values().find(late)?;
        Some(match asked.what {
            Request::Join { .. } => "a join",
            Request::Leave { .. } => "a leave",
            Request::Say(_) => "a message",
            Request::History => "a question for the history",
            Request::Anything => "a request",
        })
    }

    pub(super) fn is_joining_or_leaving(&self, name: &str) -> bool {
        self.asked.values().any(|asked| match &asked.what {
            Request::Join { room, .. } | Request::Leave { room } => room == name,
            _ => false,
        })
    }
}

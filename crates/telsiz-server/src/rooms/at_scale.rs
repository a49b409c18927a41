//! Rooms with very many members, on WebSockets over transports in memory: a process may open only
//! so many sockets. They are clients, and their frames masked; for a fan-out that is all the same.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};

use serde_json::Value;
use telsiz::{Message, Receiver, Sender, State};
use telsiz_hub::{Draft, Identity, Member, RoomName, Seat, Signal, Status, Step, User};
use telsiz_proto::handshake::{RequestReader, encode_response, verify};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::yield_now;
use uuid::Uuid;

use super::{Dialect, Line, Outlet, Rooms};
use crate::connections::Connections;
use crate::lang::Lang;
use crate::testing;

/// A transport in memory, and what came over it.
#[derive(Clone, Debug, Default)]
struct Wire(Arc<Mutex<Ends>>);

#[derive(Debug, Default)]
struct Ends {
    is_open: bool,
    answer: Vec<u8>,
    written: Vec<u8>,
    writes: usize,
    /// Whether the reader has stopped.
    is_stuck: bool,
}

impl Wire {
    fn ends(&self) -> MutexGuard<'_, Ends> {
        self.0.lock().expect("no panic")
    }

    /// The messages that came, and forgets them.
    fn take(&self) -> Vec<Message> {
        let written = std::mem::take(&mut self.ends().written);
        let mut rest = &written[..];
        let mut messages = Vec::new();
        while let [0x81, length, ..] = rest {
            let (len, mask) = match length & 0x7f {
                126 => (usize::from(u16::from_be_bytes([rest[2], rest[3]])), 4),
                127 => panic!("longer than any of these"),
                len => (usize::from(len), 2),
            };
            let (key, payload) = rest[mask..].split_at(4);
            let text = payload[..len].iter().zip(key.iter().cycle());
            let text = text.map(|(byte, key)| byte ^ key).collect();
            messages.push(Message::text(String::from_utf8(text).expect("UTF-8")));
            rest = &payload[len..];
        }
        assert!(rest.is_empty(), "only text frames: {rest:?}");
        messages
    }

    /// What was said, by the last bytes of each message.
    fn heard(&self) -> Vec<String> {
        let said = |message: Message| {
            let message: Value = serde_json::from_slice(message.as_bytes()).expect("JSON");
            message["said"].as_str().expect("a text").to_owned()
        };
        self.take().into_iter().map(said).collect()
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut ends = self.ends();
        if ends.answer.is_empty() {
            return Poll::Pending;
        }
        buffer.put_slice(&ends.answer);
        ends.answer.clear();
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut ends = self.ends();
        if ends.is_stuck {
            return Poll::Pending;
        }
        ends.writes += 1;
        ends.written.extend_from_slice(bytes);
        if !ends.is_open {
            let read = RequestReader::default().handle_input(&ends.written);
            let (request, _) = read.expect("a request").expect("a whole one");
            let opening = verify(&request).map_err(|refused| refused.status());
            let (response, _) = opening.expect("an upgrade").accept(None, None);
            let response = response.map(|()| bytes::Bytes::new());
            let ends = &mut *ends;
            ends.answer.extend_from_slice(&encode_response(&response));
            ends.is_open = true;
            ends.written.clear();
            ends.writes = 0;
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Says what was published, or what kind of signal came.
static DIALECT: Dialect = Dialect {
    name: "scale",
    render: |_, event, _| {
        let said = match event {
            telsiz_hub::Event::Published(publication) => publication.text.clone(),
            telsiz_hub::Event::Ephemeral(event) => match event.signal {
                Signal::Joined => "joined".to_owned(),
                Signal::Left => "left".to_owned(),
                Signal::Typing => "typing".to_owned(),
                Signal::Status { .. } => "status".to_owned(),
            },
        };
        Some(serde_json::json!({ "said": said }).to_string())
    },
};

/// Rooms, and a worker that runs.
struct House {
    rooms: Rooms,
    worker: Arc<telsiz_hub::Worker<Outlet<Wire>>>,
}

/// A member of some rooms.
struct Guest {
    wire: Wire,
    member: Arc<Member>,
    sender: Sender<Wire>,
    line: Line<Wire>,
    seats: Vec<Seat<Outlet<Wire>>>,
    _receiver: Receiver<Wire>,
}

impl House {
    fn new() -> Self {
        let rooms = testing::site().rooms;
        let worker = rooms.hub().worker(Outlet::new(Connections::default()));
        let running = worker.clone();
        tokio::spawn(async move { running.run().await });
        Self { rooms, worker }
    }

    async fn guest(&self) -> Guest {
        let wire = Wire::default();
        let connect = telsiz::connect("ws://memory/").write_buffer(1024 * 1024);
        let ws = connect.over(wire.clone()).await.expect("a connection");
        let (receiver, sender) = ws.split();
        let id = Uuid::new_v4().to_string();
        let member = self.rooms.hub().new_member(User::new(&id, &id));
        Guest {
            line: Line::new(sender.clone(), &DIALECT, Lang::En).answered(&member.user),
            wire,
            member,
            sender,
            seats: Vec::new(),
            _receiver: receiver,
        }
    }

    async fn join(&self, guest: &mut Guest, name: &str) {
        let joining = self.worker.join(&room(name), &guest.member, None).await;
        let mut joining = joining.expect("it may join");
        loop {
            match joining.step(&guest.line).await.expect("it joins") {
                Step::Missed(next, _) => joining = next,
                Step::Joined(seat) => return guest.seats.push(seat),
            }
        }
    }

    async fn guests(&self, count: usize, name: impl Fn(usize) -> String) -> Vec<Guest> {
        let mut guests = Vec::new();
        for number in 0..count {
            let mut guest = self.guest().await;
            self.join(&mut guest, &name(number)).await;
            guests.push(guest);
        }
        guests
    }

    async fn say(&self, name: &str, text: &str) {
        self.say_as(&User::new("speaker", "Speaker"), name, text)
            .await;
    }

    async fn say_as(&self, user: &User, name: &str, text: &str) {
        let draft = Draft {
            user: user.clone(),
            text: text.to_owned(),
            key: None,
        };
        let identity = Identity::Client(user);
        let said = self.rooms.hub().publish(identity, &room(name), draft).await;
        said.expect("published");
    }

    /// Lets the worker deliver all there is.
    async fn settle(&self) {
        // Nobody else has anything to do; a turn of the worker is one poll.
        for _ in 0..2_000 {
            yield_now().await;
        }
    }
}

fn room(name: &str) -> RoomName {
    RoomName::new(name).expect("a name")
}

#[tokio::test]
async fn ten_thousand_members_of_a_room_get_everything_in_order() {
    let house = House::new();
    let guests = house.guests(10_000, |_| "genel".to_owned()).await;
    house.settle().await;
    for guest in &guests {
        guest.wire.take();
    }
    for text in ["one", "two", "three"] {
        house.say("genel", text).await;
    }
    house.settle().await;
    for guest in &guests {
        assert_eq!(guest.wire.heard(), ["one", "two", "three"]);
    }
}

#[tokio::test]
async fn joins_are_no_storm_in_a_room_above_the_limit() {
    let house = House::new();
    let mut guests = Vec::new();
    for _ in 0..2_000 {
        let mut guest = house.guest().await;
        house.join(&mut guest, "genel").await;
        // As they come, not all at once: then the inbox would leave some out.
        yield_now().await;
        guests.push(guest);
    }
    house.settle().await;
    let told: usize = guests.iter().map(|guest| guest.wire.heard().len()).sum();
    // Each of the first 500 is told to those before it, and nobody else.
    assert_eq!(told, 500 * 499 / 2);
    guests.truncate(1_000);
    house.settle().await;
    let told: usize = guests.iter().map(|guest| guest.wire.heard().len()).sum();
    assert_eq!(told, 0, "nor of leaves");
}

#[tokio::test]
async fn a_hundred_thousand_members_in_as_many_rooms_get_each_their_own() {
    const COUNT: usize = 100_000;
    let house = House::new();
    let guests = house.guests(COUNT, |number| number.to_string()).await;
    assert_eq!(house.rooms.number(), COUNT);
    for number in (0..COUNT).step_by(2) {
        house.say(&number.to_string(), &number.to_string()).await;
    }
    house.settle().await;
    for (number, guest) in guests.iter().enumerate() {
        match number % 2 {
            0 => assert_eq!(guest.wire.heard(), [number.to_string()]),
            _ => assert!(guest.wire.heard().is_empty(), "{number}"),
        }
    }
    drop(guests);
    assert_eq!(house.rooms.number(), 0);
}

#[tokio::test]
async fn what_a_member_of_a_thousand_rooms_gets_at_once_is_written_together() {
    let house = House::new();
    let mut guest = house.guest().await;
    for number in 0..1_000 {
        house.join(&mut guest, &number.to_string()).await;
    }
    let status = Status::Away;
    let other = house.guests(1, |_| "7".to_owned()).await;
    house.settle().await;
    assert_eq!(guest.wire.heard(), ["joined"]);
    guest.wire.ends().writes = 0;
    for number in 0..1_000 {
        house.say(&number.to_string(), &number.to_string()).await;
    }
    house.settle().await;
    let heard = guest.wire.heard();
    assert_eq!(heard.len(), 1_000);
    assert!((0..1_000).all(|number: usize| heard.contains(&number.to_string())));
    let writes = guest.wire.ends().writes;
    assert!(writes <= 4, "{writes} writes: a turn has 512 deliveries");
    // Whoever shares many rooms is told once.
    house.join(&mut guest, "8").await;
    let hub = house.rooms.hub();
    hub.set_status(&guest.member, status).await.expect("told");
    house.settle().await;
    let heard = other[0].wire.heard();
    assert_eq!(heard.iter().filter(|said| *said == "status").count(), 1);
}

#[tokio::test]
async fn what_is_published_comes_back_with_its_answer() {
    let house = House::new();
    let guest = house.guests(1, |_| "genel".to_owned()).await.remove(0);
    house.settle().await;
    let publishing = guest.line.publishing();
    house.say_as(&guest.member.user, "genel", "own").await;
    house.settle().await;
    assert!(guest.wire.heard().is_empty(), "it waits for the answer");
    // Others do not wait, not even the same user elsewhere; what is queued goes first.
    let elsewhere = User::new(&guest.member.user.id, "");
    house.say_as(&elsewhere, "genel", "elsewhere").await;
    house.settle().await;
    assert_eq!(guest.wire.heard(), ["own", "elsewhere"]);
    house.say_as(&guest.member.user, "genel", "own").await;
    house.settle().await;
    drop(publishing);
    guest.wire.ends().writes = 0;
    let answer = Message::text(r#"{"said":"answer"}"#);
    guest.sender.try_send(answer).expect("room for it");
    assert_eq!(guest.wire.heard(), ["own", "answer"]);
    assert_eq!(guest.wire.ends().writes, 1);
    house.say_as(&guest.member.user, "genel", "later").await;
    house.settle().await;
    assert_eq!(guest.wire.heard(), ["later"], "the answer went out already");
}

#[tokio::test]
async fn one_reader_that_stops_loses_signals_then_its_connection_and_a_thousand_go_on() {
    const STUCK: usize = 7;
    let house = House::new();
    let mut guests = house.guests(1_001, |_| "genel".to_owned()).await;
    // Where they are few enough to be told of typing.
    for number in [0, STUCK] {
        house.join(&mut guests[number], "small").await;
    }
    house.settle().await;
    for guest in &guests {
        guest.wire.take();
    }
    let stuck = &guests[STUCK];
    stuck.wire.ends().is_stuck = true;
    let long = "x".repeat(40_000);
    for number in 0..32 {
        house.say("genel", &long).await;
        house.settle().await;
        for guest in &guests {
            let heard = std::mem::take(&mut guest.wire.ends().written).len();
            let is_stuck = Arc::ptr_eq(&guest.wire.0, &stuck.wire.0);
            assert_eq!(heard > long.len(), !is_stuck, "{number}");
        }
        let backlog = stuck.sender.backlog();
        assert!(backlog < 1024 * 1024 + 50_000, "{backlog}");
        if number == 1 {
            assert_eq!(stuck.sender.state(), State::Open);
            let hub = house.rooms.hub();
            hub.typing(&room("small"), &guests[0].member)
                .expect("it may");
            hub.typing(&room("small"), &stuck.member).expect("it may");
            house.settle().await;
            assert_eq!(stuck.sender.backlog(), backlog, "it was told nothing");
            assert_eq!(guests[0].wire.heard(), ["typing"]);
        }
    }
    assert_ne!(stuck.sender.state(), State::Open, "it was too slow");
}

#[tokio::test]
async fn who_reads_at_once_is_not_too_slow_however_much_comes_at_once() {
    let house = House::new();
    let mut guests = house.guests(3, |_| "one".to_owned()).await;
    for guest in &mut guests {
        house.join(guest, "two").await;
    }
    house.settle().await;
    let long = "x".repeat(60_000);
    for guest in &guests {
        guest.wire.take();
    }
    // More than may wait for a reader, in one room and in two.
    for rooms in [["one", "one"], ["one", "two"]] {
        for _ in 0..20 {
            for room in rooms {
                house.say(room, &long).await;
            }
        }
        house.settle().await;
        for guest in &guests {
            assert_eq!(guest.sender.state(), State::Open);
            assert_eq!(guest.wire.heard().len(), 40);
        }
    }
}

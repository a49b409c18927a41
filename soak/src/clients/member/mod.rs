//! A client of `rooms` that keeps to the rules: it hears everything of its rooms, however often its connection
//! ends.

mod acts;
mod messages;
mod session;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use telsiz::{ConnectError, Deflate, WebSocket};
use tokio::time::sleep;

use super::socket::{Cut, Socket};
use crate::oracle::Reader;
use crate::plan::{LOUD, ROOMS};
use crate::random::Random;
use crate::seats::Seats;
use crate::world::{Heard, Mode, World, lock};

/// What a member is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Temper {
    /// It stays.
    Steady,
    /// It joins and leaves rooms, closes its connection and comes back.
    Wanderer,
    /// Its connections end without a Close frame, some of them with a reset.
    Vanisher,
    /// It stops reading for a while, in a room where much is said.
    Staller,
    /// It says much.
    Loud,
}

impl Temper {
    pub(crate) const ALL: [Self; 5] = [
        Self::Steady,
        Self::Wanderer,
        Self::Vanisher,
        Self::Staller,
        Self::Loud,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Steady => "steady",
            Self::Wanderer => "wanderer",
            Self::Vanisher => "vanisher",
            Self::Staller => "staller",
            Self::Loud => "loud",
        }
    }
}

/// A client of `rooms`.
pub(crate) struct Member {
    world: Arc<World>,
    random: Random,
    temper: Temper,
    /// What it says is told apart by this.
    name: String,
    client: String,
    seats: Arc<Mutex<Seats>>,
    /// The rooms that it wants to be in.
    wanted: BTreeSet<String>,
    /// What it said with a key and does not know the fate of.
    unsure: Vec<Saying>,
    heard: Heard,
    said: u64,
    requests: u64,
}

/// Something that is to be said in a room.
#[derive(Clone, Debug)]
struct Saying {
    room: String,
    text: String,
    key: Option<String>,
    /// The newest message of the room when it was said first.
    newest: u64,
}

impl Member {
    pub(crate) fn new(
        world: Arc<World>,
        mut random: Random,
        temper: Temper,
        (phase, number): (u64, usize),
    ) -> Self {
        let name = format!("{}-{phase}.{number}", temper.name());
        // Some share an id, as two tabs do.
        let tabs = number - usize::from(number % 5 == 4);
        let client = format!("c{tabs}");
        let mut wanted = BTreeSet::new();
        for _ in 0..=random.below(3) {
            wanted.extend(random.pick(&ROOMS).map(|room| (*room).to_owned()));
        }
        if matches!(temper, Temper::Staller | Temper::Loud) {
            wanted.insert(LOUD.to_owned());
        }
        let seats = Arc::new(Mutex::new(Seats::new(&name, &client)));
        world.enter(seats.clone());
        Self {
            world,
            random,
            temper,
            name,
            client,
            seats,
            wanted,
            unsure: Vec::new(),
            heard: Heard::default(),
            said: 0,
            requests: 0,
        }
    }

    /// Connects again and again, until all are to go.
    pub(crate) async fn run(mut self) {
        let mut mode = self.world.mode();
        while *mode.borrow_and_update() != Mode::Leave {
            let life = tokio::select! {
                life = self.world.up() => life,
                _ = mode.changed() => continue,
            };
            match self.connect().await {
                Ok((ws, cut)) => {
                    self.world.tally.count("opened/rooms");
                    self.session(ws, cut, life).await;
                    let pause = self.random.millis(1, 400);
                    self.world.pause(pause).await;
                }
                Err(_) if self.world.is_excused(life) => sleep(Duration::from_millis(20)).await,
                Err(error) => {
                    let what = format!("cannot connect though the server is up: {error}");
                    return self.complain(&what);
                }
            }
        }
    }

    async fn connect(&mut self) -> Result<(WebSocket<Socket>, Cut), ConnectError> {
        let address = self.world.address;
        let (socket, cut) = Socket::connect(address, self.temper == Temper::Staller)
            .await
            .map_err(ConnectError::Transport)?;
        let uri = format!("ws://{address}/ws/{}?username={}", self.client, self.name);
        let mut connect = telsiz::connect(uri).max_message_size(16 << 20);
        if self.random.chance(40) {
            connect = connect.deflate(Deflate::default());
        }
        Ok((connect.over(socket).await?, cut))
    }

    fn complain(&self, what: &str) {
        self.violated(crate::oracle::Violation::Other(what.into()));
    }

    fn violated(&self, violation: crate::oracle::Violation) {
        self.world.violated(&self.name, violation, &self.heard);
    }

    fn note(&mut self, what: &str, text: &str) {
        self.heard.note(self.world.elapsed(), what, text);
    }

    fn is_in(&self, room: &str) -> bool {
        lock(&self.seats).is_in(room)
    }

    /// Does something with what it heard of a room.
    fn with_reader<T>(&self, room: &str, with: impl FnOnce(&mut Reader) -> T) -> T {
        let mut seats = lock(&self.seats);
        let reader = seats.rooms.entry(room.to_owned());
        with(reader.or_insert_with(|| Reader::new(room)))
    }
}

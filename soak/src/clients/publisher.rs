//! A program that publishes over HTTP, and tries again until it is told where its message stands.

use serde_json::{Value, json};

use super::{Again, PATIENCE};
use crate::http;
use crate::oracle::{Entry, KEEP};
use crate::plan::ROOMS;
use crate::random::Random;
use crate::world::World;

/// A program that publishes over HTTP.
#[derive(Debug)]
pub(super) struct Publisher {
    name: String,
    said: u64,
    /// What it was told last.
    last: Option<Saying>,
}

#[derive(Clone, Debug)]
struct Saying {
    room: &'static str,
    text: String,
    /// The newest message of the room when it was said first.
    newest: u64,
}

impl Publisher {
    pub(super) fn new(phase: u64, number: usize) -> Self {
        Self {
            name: format!("http-{phase}.{number}"),
            said: 0,
            last: None,
        }
    }
}

impl Again for Publisher {
    const KIND: &'static str = "publisher";
    const REST: u64 = 400;

    async fn once(&mut self, world: &World, random: &mut Random) -> Result<(), String> {
        match random.below(10) {
            0 => return look_back(world, random).await,
            1 => return look_around(world, random).await,
            // It is there already.
            2..4 => {
                if let Some(last) = self.last.take() {
                    return publish(world, &last).await.map(|_| ());
                }
            }
            _ => {}
        }
        let room = *random.pick(&ROOMS).unwrap_or(&"genel");
        self.said += 1;
        let saying = Saying {
            room,
            text: format!("{}/{}", self.name, self.said),
            newest: world.newest(room),
        };
        world.tally.count("published");
        loop {
            let life = world.up().await;
            match publish(world, &saying).await {
                Ok(is_done) => {
                    self.last = is_done.then_some(saying);
                    return Ok(());
                }
                Err(_) if world.is_excused(life) => world.tally.count("tried again"),
                Err(what) => return Err(what),
            }
        }
    }
}

/// Whether it was published, or is known to have been.
async fn publish(world: &World, saying: &Saying) -> Result<bool, String> {
    let Saying { room, text, newest } = saying;
    // The server may have forgotten the key.
    if world.newest(room) >= newest + KEEP / 2 {
        return Ok(false);
    }
    let path = format!("/api/rooms/{room}/messages");
    let body = json!({"message": text, "idempotency_key": text}).to_string();
    let answer = http::ask(world.address, "POST", &path, &body, PATIENCE)
        .await
        .map_err(|error| format!("POST {path}: {error}"))?;
    let told = answer.json();
    match (answer.status, told["epoch"].as_str(), told["seq"].as_u64()) {
        (200, Some(epoch), Some(seq)) => {
            world.tally.count("acknowledged");
            let entry = Entry {
                epoch,
                seq,
                client: "http",
                text,
            };
            let stands = world.stands(room, entry);
            stands.map_err(|violation| format!("POST {path}: {violation}"))?;
            Ok(true)
        }
        // Nothing was stored.
        (503, ..) if answer.body.contains("Retry") => Ok(false),
        (status, ..) => Err(format!("POST {path}: {status} {}", answer.body)),
    }
}

/// Asks for a history.
async fn look_back(world: &World, random: &mut Random) -> Result<(), String> {
    let room = *random.pick(&ROOMS).unwrap_or(&"genel");
    let page = 1 + random.below(3);
    let path = format!("/api/rooms/{room}/messages?page={page}&per_page=40");
    let answer = http::ask(world.address, "GET", &path, "", PATIENCE)
        .await
        .map_err(|error| format!("GET {path}: {error}"))?;
    let told = answer.json();
    let Some(messages) = told["messages"].as_array() else {
        return Err(format!("GET {path}: {} {}", answer.status, answer.body));
    };
    for said in messages {
        let stands = world.stands(room, entry(said));
        stands.map_err(|violation| format!("GET {path}: {violation}"))?;
    }
    Ok(())
}

/// A message as a history shows it.
pub(crate) fn entry(said: &Value) -> Entry<'_> {
    Entry {
        epoch: said["epoch"].as_str().unwrap_or_default(),
        seq: said["seq"].as_u64().unwrap_or_default(),
        client: said["client_id"].as_str().unwrap_or_default(),
        text: said["message"].as_str().unwrap_or_default(),
    }
}

/// Asks for pages that are there, and for one that is not.
async fn look_around(world: &World, random: &mut Random) -> Result<(), String> {
    let (path, status) = [
        ("/", 200),
        ("/rooms", 200),
        ("/api/stats", 200),
        ("/metrics", 200),
        ("/openapi.json", 200),
        ("/nowhere", 404),
    ][random.below(6)];
    let answer = http::ask(world.address, "GET", path, "", PATIENCE)
        .await
        .map_err(|error| format!("GET {path}: {error}"))?;
    match answer.status == status {
        true => Ok(()),
        false => Err(format!("GET {path}: {} {}", answer.status, answer.body)),
    }
}

//! A client that comes to one of the apps, says something and goes, one way or another.

use serde_json::{Value, json};
use telsiz::{CloseCode, Message, WebSocket};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::socket::{Cut, Socket};
use super::{Again, PATIENCE};
use crate::plan::ROOMS;
use crate::random::Random;
use crate::world::World;

/// A client that passes by.
#[derive(Debug)]
pub(super) struct Passer {
    name: String,
    visits: u64,
}

impl Passer {
    pub(super) fn new(phase: u64, number: usize) -> Self {
        Self {
            name: format!("p{phase}.{number}"),
            visits: 0,
        }
    }
}

impl Again for Passer {
    const KIND: &'static str = "passer";
    const REST: u64 = 200;

    async fn once(&mut self, world: &World, random: &mut Random) -> Result<(), String> {
        self.visits += 1;
        let name = format!("{}.{}", self.name, self.visits);
        let room = *random.pick(&ROOMS).unwrap_or(&"genel");
        let (path, what) = match random.below(9) {
            0 => return half_open(world, random).await,
            1 => ("/echo".into(), Visit::Echo),
            2 => (
                "/relay".into(),
                Visit::Ask {
                    say: vec![name.clone()],
                    expect: format!("Your message: {name}"),
                },
            ),
            3 => (
                "/chat".into(),
                Visit::Ask {
                    say: vec![
                        json!({"type": "join", "nick": name}).to_string(),
                        json!({"type": "chat", "text": name}).to_string(),
                    ],
                    expect: json!({"type": "chat", "nick": name, "text": name}).to_string(),
                },
            ),
            4 => (
                format!("/ws/chat/{room}?user_id={name}&username={name}"),
                Visit::Ask {
                    say: vec![json!({"type": "message", "content": name}).to_string()],
                    expect: format!("\"content\":\"{name}\""),
                },
            ),
            5 => (
                "/numbered".into(),
                Visit::Ask {
                    say: vec![name.clone()],
                    expect: "Welcome to chat!".into(),
                },
            ),
            6 => (
                "/stats".into(),
                Visit::Ask {
                    say: Vec::new(),
                    expect: "cpu_usage".into(),
                },
            ),
            7 => ("/broadcast".into(), Visit::Silence),
            _ => (format!("/ws/{name}"), Visit::Silence),
        };
        let mut visitor = Visitor::open(world, &path).await?;
        match what {
            Visit::Echo => visitor.echo(random).await?,
            Visit::Ask { say, expect } => visitor.ask(say, &expect).await?,
            Visit::Silence => {
                let join = json!({"type": "join_room", "room_id": room}).to_string();
                // Nothing is read: neither what others say nor pings.
                let _ = timeout(PATIENCE, visitor.ws.send(join)).await;
                world.pause(random.millis(100, 15_000)).await;
                visitor.cut.now(random.chance(50));
                return Ok(());
            }
        }
        visitor.leave(random).await
    }
}

/// What is done in an app.
enum Visit {
    Echo,
    /// Says all this and waits for that.
    Ask {
        say: Vec<String>,
        expect: String,
    },
    /// Joins and reads nothing.
    Silence,
}

struct Visitor {
    ws: WebSocket<Socket>,
    cut: Cut,
}

impl Visitor {
    async fn open(world: &World, path: &str) -> Result<Self, String> {
        world.tally.count("opened/apps");
        let (socket, cut) = Socket::connect(world.address, false)
            .await
            .map_err(|error| format!("cannot connect though the server is up: {error}"))?;
        let connect = telsiz::connect(format!("ws://{}{path}", world.address));
        let ws = connect.over(socket).await;
        let ws = ws.map_err(|error| format!("{path}: {error}"))?;
        Ok(Self { ws, cut })
    }

    async fn next(&mut self) -> Result<Message, String> {
        let told = timeout(PATIENCE, self.ws.recv()).await;
        let told = told.map_err(|_| "an app does not answer".to_owned())?;
        let told = told.map_err(|error| format!("an app ended the connection: {error}"))?;
        told.ok_or_else(|| format!("an app closed the connection: {:?}", self.ws.close_code()))
    }

    async fn echo(&mut self, random: &mut Random) -> Result<(), String> {
        for _ in 0..random.below(20) {
            let length = match random.chance(10) {
                true => random.below(65_000),
                false => random.below(200),
            };
            let sent = Message::from(random.bytes(length));
            let sending = timeout(PATIENCE, self.ws.send(sent.clone())).await;
            sending
                .map_err(|_| "echo does not read".to_owned())?
                .map_err(|error| format!("echo ended: {error}"))?;
            if self.next().await? != sent {
                return Err("an echo is not what was sent".into());
            }
        }
        Ok(())
    }

    async fn ask(&mut self, say: Vec<String>, expect: &str) -> Result<(), String> {
        for text in say {
            let sent = self.ws.send(text).await;
            sent.map_err(|error| format!("an app ended the connection: {error}"))?;
        }
        loop {
            let told = self.next().await?;
            let text = told.as_text().unwrap_or_default();
            let is_same = || {
                let expected = serde_json::from_str::<Value>(expect).ok();
                expected.is_some() && expected == serde_json::from_str(text).ok()
            };
            if text.contains(expect) || is_same() {
                return Ok(());
            }
        }
    }

    async fn leave(mut self, random: &mut Random) -> Result<(), String> {
        if random.chance(50) {
            self.cut.now(random.chance(50));
            return Ok(());
        }
        let closed = timeout(PATIENCE, self.ws.close(CloseCode::NORMAL)).await;
        closed.map_err(|_| "a Close frame is not answered".to_owned())?;
        Ok(())
    }
}

/// Connects and says nothing.
async fn half_open(world: &World, random: &mut Random) -> Result<(), String> {
    let stream = TcpStream::connect(world.address).await;
    let _stream =
        stream.map_err(|error| format!("cannot connect though the server is up: {error}"))?;
    world.pause(random.millis(10, 5000)).await;
    Ok(())
}

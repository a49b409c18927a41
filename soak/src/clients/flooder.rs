//! A client that sends more than it may, and counts what becomes of it.

use std::time::Duration;

use serde_json::Value;
use telsiz::{CloseCode, Message};
use tokio::time::{Instant, timeout};

use super::{Again, PATIENCE};
use crate::random::Random;
use crate::world::World;

/// A client that sends too much.
#[derive(Debug)]
pub(super) struct Flooder;

/// How many messages may come through in [`WINDOW`].
const QUOTA: usize = 20;

const WINDOW: Duration = Duration::from_secs(10);

impl Again for Flooder {
    const KIND: &'static str = "flooder";
    const REST: u64 = 1500;

    async fn once(&mut self, world: &World, random: &mut Random) -> Result<(), String> {
        let policy = ["reject", "close", "throttle"][random.below(3)];
        world.tally.count("floods");
        let mut ws = telsiz::connect(format!("ws://{}/{policy}", world.address))
            .await
            .map_err(|error| format!("cannot connect though the server is up: {error}"))?;
        let count = QUOTA + 1 + random.below(180);
        let begun = Instant::now();
        for number in 0..count {
            // That it has ended is told where it is received from.
            let _ = ws.feed(number.to_string()).await;
        }
        let (mut echoed, mut rejected) = (0, 0);
        while echoed + rejected < count {
            let told = timeout(PATIENCE, ws.recv()).await;
            let told = told.map_err(|_| format!("{policy}: {echoed} of {count} come back"))?;
            match told.map_err(|error| format!("{policy}: {error}"))? {
                Some(Message::Text(text)) if text.as_str() == echoed.to_string() => echoed += 1,
                Some(Message::Text(text)) if is_rejection(text.as_str()) => rejected += 1,
                Some(other) => return Err(format!("{policy}: unexpected {other:?}")),
                None => break,
            }
        }
        world.tally.add("sent", count as u64);
        let code = ws.close_code().map(u16::from);
        let most = QUOTA * (1 + (begun.elapsed().as_millis() / WINDOW.as_millis()) as usize);
        let is_right = match policy {
            "reject" => (QUOTA..=most).contains(&echoed) && echoed + rejected == count,
            "close" => (QUOTA..=most).contains(&echoed) && code == Some(1008),
            _ => echoed == count && begun.elapsed().as_millis() >= (count as u128 - 1) * 10,
        };
        if !is_right {
            return Err(format!(
                "{policy}: of {count} messages {echoed} came back and {rejected} were refused in {:?}, code {code:?}",
                begun.elapsed()
            ));
        }
        if code.is_none() {
            let closed = timeout(PATIENCE, ws.close(CloseCode::NORMAL)).await;
            closed.map_err(|_| format!("{policy}: a Close frame is not answered"))?;
        }
        Ok(())
    }
}

fn is_rejection(text: &str) -> bool {
    let told: Value = serde_json::from_str(text).unwrap_or_default();
    told["error"] == "Rate limit exceeded" && told["retry_after"].as_u64() >= Some(1)
}

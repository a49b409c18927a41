//! A run, from the first start of the server to its last stop.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::checks;
use crate::clients::Clients;
use crate::http;
use crate::plan::{self, Crowd, Kind, Phase};
use crate::process::Held;
use crate::random::Random;
use crate::server::Server;
use crate::world::{Mode, World};

/// How long clients may take to end when they are to.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long `/health` may take to answer while the server lives.
const HEALTH: Duration = Duration::from_secs(5);

/// How much more memory than at the start there may be at the end, in hundredths.
const GROWTH: u64 = 10;

/// A run.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) world: Arc<World>,
    pub(crate) server: Server,
    pub(crate) seed: u64,
    /// What the server held when it was warm, and at the end of that life.
    pub(crate) held: Option<(Held, Held)>,
}

impl Run {
    pub(crate) fn new(server: Server, seed: u64) -> Self {
        Self {
            world: Arc::new(World::new(server.address())),
            server,
            seed,
            held: None,
        }
    }

    /// Goes on until it is over or something was found, which the world knows then.
    pub(crate) async fn go(&mut self, time: Duration) {
        let world = self.world.clone();
        let health = tokio::spawn(watch_health(world.clone()));
        let done = tokio::select! {
            done = self.phases(time) => done,
            () = world.watch_ourselves() => Ok(()),
            // What others find at the same moment belongs to it.
            () = async { world.failed().await; sleep(Duration::from_millis(300)).await } => Ok(()),
        };
        health.abort();
        if let Err(what) = done {
            world.complain("the run", what);
        }
        if let Some(line) = self.server.panicked() {
            world.complain("the log", line);
        }
    }

    async fn phases(&mut self, time: Duration) -> Result<(), String> {
        self.start().await?;
        let mut phases = VecDeque::from(plan::phases(time));
        let (mut last, mut cold) = (Kind::Falls, 0);
        let mut again = plan::WARM_AGAIN;
        for number in 1.. {
            let Some(phase) = phases.pop_front() else {
                break;
            };
            if phase.kind == Kind::Warm && last != Kind::Warm {
                self.end(false).await?;
                self.start().await?;
                cold = self.world.tally.get("bytes");
            }
            last = phase.kind;
            self.phase(number, phase).await?;
            let said = self.world.tally.get("bytes") - cold;
            if phase.kind == Kind::Warm && said < plan::WARM_BYTES && again > 0 {
                again -= 1;
                phases.push_front(phase);
            }
        }
        self.end(false).await
    }

    async fn phase(&mut self, number: u64, phase: Phase) -> Result<(), String> {
        self.say(&format!("{:?} for {} s", phase.kind, phase.time.as_secs()));
        self.world.ask_for(Mode::Load);
        let mut clients = Clients::enter(&self.world, self.seed, number, &Crowd::USUAL);
        let end = Instant::now() + phase.time;
        let mut random = Random::of(self.seed, number, "falls", 0);
        let mut falls = 0;
        while Instant::now() < end {
            let next = match phase.kind {
                Kind::Falls => Instant::now() + random.millis(2000, 12_000),
                Kind::Warm | Kind::Long => end,
            };
            self.live_until(next.min(end)).await?;
            if phase.kind == Kind::Falls && next < end {
                // Each phase has both.
                let kill = match falls {
                    0 => true,
                    1 => false,
                    _ => random.chance(60),
                };
                falls += 1;
                self.end(kill).await?;
                sleep(random.millis(0, 1200)).await;
                self.start().await?;
            }
        }

        self.world.ask_for(Mode::Hush);
        all_end(&mut clients.others, "others").await?;
        let world = self.world.clone();
        checks::eventually(async || checks::all_rest(&world)).await?;
        checks::histories(&world).await?;
        checks::eventually(async || checks::all_heard(&world)).await?;
        checks::eventually(async || checks::members(&world).await).await?;
        self.still_lives()?;

        self.world.ask_for(Mode::Leave);
        all_end(&mut clients.members, "members").await?;
        checks::eventually(async || checks::nobody(&world).await).await?;
        self.world.forget_members();
        self.weigh(phase.kind).await
    }

    /// Compares what the server holds with what it held when it was warm.
    async fn weigh(&mut self, kind: Kind) -> Result<(), String> {
        let start = match (kind, self.held) {
            (Kind::Falls, _) => return Ok(()),
            (Kind::Long, Some((start, _))) => start,
            (_, before) => {
                // What was freed goes back to the system a while later.
                sleep(Duration::from_secs(4)).await;
                let mut held = self.server.held()?;
                if let Some((before, _)) = before {
                    held.resident = held.resident.max(before.resident);
                }
                self.held = Some((held, held));
                return Ok(());
            }
        };
        let most = start.resident + start.resident * GROWTH / 100;
        let server = &self.server;
        let mut held = start;
        let weighed = checks::eventually(async || {
            held = server.held()?;
            match held {
                _ if held.resident > most => Err(format!(
                    "the server holds {} KiB, and {} KiB when it was warm",
                    held.resident, start.resident
                )),
                _ if held.files > start.files || held.threads > start.threads => Err(format!(
                    "the server holds {} files and {} threads, and {} and {} when it was warm",
                    held.files, held.threads, start.files, start.threads
                )),
                _ => Ok(()),
            }
        })
        .await;
        self.held = Some((start, held));
        weighed
    }

    async fn start(&mut self) -> Result<(), String> {
        self.server.start().await?;
        checks::histories(&self.world).await?;
        self.world.is_up();
        Ok(())
    }

    /// Ends the server, with or without a warning.
    async fn end(&mut self, kill: bool) -> Result<(), String> {
        self.still_lives()?;
        self.world.goes_down();
        if kill {
            self.world.tally.count("kills");
            return self.server.kill().await;
        }
        self.world.tally.count("stops");
        let took = self.server.stop().await?;
        let took = took.as_millis() as u64;
        self.world.tally.most("slowest stop", took);
        Ok(())
    }

    async fn live_until(&mut self, end: Instant) -> Result<(), String> {
        while Instant::now() < end {
            self.still_lives()?;
            let next = Instant::now() + Duration::from_millis(200);
            tokio::time::sleep_until(next.min(end)).await;
        }
        Ok(())
    }

    fn still_lives(&mut self) -> Result<(), String> {
        match self.server.ended() {
            Some(status) => Err(format!("the server ended by itself, with {status}")),
            None => Ok(()),
        }
    }

    fn say(&self, what: &str) {
        let at = self.world.elapsed().as_secs();
        let tally = &self.world.tally;
        println!(
            "{at:>5} s  {what}; so far {} published, {} delivered, {} kills, {} stops",
            tally.get("published"),
            tally.get("delivered"),
            tally.get("kills"),
            tally.get("stops")
        );
    }
}

async fn all_end(clients: &mut JoinSet<()>, who: &str) -> Result<(), String> {
    let ending = async {
        while let Some(ended) = clients.join_next().await {
            ended.map_err(|error| format!("one of the {who} is wrong itself: {error}"))?;
        }
        Ok(())
    };
    match timeout(PATIENCE, ending).await {
        Ok(ended) => ended,
        Err(_) => Err(format!("{} {who} do not come to an end", clients.len())),
    }
}

/// Asks for `/health` again and again.
async fn watch_health(world: Arc<World>) {
    loop {
        let life = world.up().await;
        let begun = Instant::now();
        let asked = http::ask(world.address, "GET", "/health", "", HEALTH).await;
        match asked {
            Ok(answer) if answer.status == 200 => {
                let took = begun.elapsed().as_millis() as u64;
                world.tally.most("slowest health", took);
            }
            _ if world.is_excused(life) => {}
            other => return world.complain("health", format!("/health: {other:?}")),
        }
        sleep(Duration::from_millis(100)).await;
    }
}

//! The clients of a run: some keep to the rules, some do not.

mod flooder;
mod garbage;
mod member;
mod passer;
mod publisher;
mod raw;
mod socket;

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use self::member::{Member, Temper};
pub(crate) use self::publisher::entry;
use crate::plan::Crowd;
use crate::random::Random;
use crate::world::World;

/// How long anything may take that a client waits for.
const PATIENCE: Duration = Duration::from_secs(20);

/// All clients of a phase.
#[derive(Debug, Default)]
pub(crate) struct Clients {
    /// They stay until all are to leave.
    pub(crate) members: JoinSet<()>,
    /// They end when there is to be silence.
    pub(crate) others: JoinSet<()>,
}

/// A client that does the same again and again, as long as there is to be load.
trait Again: Send + 'static {
    /// Its name in reports.
    const KIND: &'static str;

    /// The most milliseconds that it waits before the next time.
    const REST: u64;

    /// Does it once. What is not as it should be counts unless the server went down meanwhile.
    fn once(
        &mut self,
        world: &World,
        random: &mut Random,
    ) -> impl Future<Output = Result<(), String>> + Send;
}

impl Clients {
    /// Lets all of them in.
    pub(crate) fn enter(world: &Arc<World>, seed: u64, phase: u64, crowd: &Crowd) -> Self {
        let mut clients = Self::default();
        let mut number = 0;
        for temper in Temper::ALL {
            for _ in 0..crowd.members(temper.name()) {
                let random = Random::of(seed, phase, "member", number);
                let member = Member::new(world.clone(), random, temper, (phase, number));
                world.tally.count(&format!("clients/{}", temper.name()));
                clients.members.spawn(member.run());
                number += 1;
            }
        }
        clients.spawn(
            world,
            seed,
            phase,
            crowd.publishers,
            publisher::Publisher::new,
        );
        clients.spawn(world, seed, phase, crowd.passers, passer::Passer::new);
        clients.spawn(world, seed, phase, crowd.flooders, |_, _| flooder::Flooder);
        clients.spawn(world, seed, phase, crowd.garbage, |_, _| garbage::Garbage);
        clients
    }

    fn spawn<C: Again>(
        &mut self,
        world: &Arc<World>,
        seed: u64,
        phase: u64,
        count: usize,
        client: impl Fn(u64, usize) -> C,
    ) {
        for number in 0..count {
            let random = Random::of(seed, phase, C::KIND, number);
            world.tally.count(&format!("clients/{}", C::KIND));
            let name = format!("{}-{phase}.{number}", C::KIND);
            let again = again(world.clone(), random, client(phase, number), name);
            self.others.spawn(again);
        }
    }
}

async fn again<C: Again>(world: Arc<World>, mut random: Random, mut client: C, name: String) {
    while world.is_load() {
        let life = world.up().await;
        match client.once(&world, &mut random).await {
            Ok(()) => {}
            Err(_) if world.is_excused(life) => {}
            Err(what) => return world.complain(&name, what),
        }
        world.pause(random.millis(1, C::REST)).await;
    }
}

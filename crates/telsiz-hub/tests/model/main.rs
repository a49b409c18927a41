//! Hubs, workers and clients in random runs, one step at a time: no gap, nothing doubled,
//! nothing out of order, and nothing lost that was acknowledged.
//!
//! A failure prints the shortest script that still fails, and the seed that leads to it.
//! `TELSIZ_SEED` plays a seed again; `TELSIZ_CASES` says how many scripts are played.

use std::sync::Arc;

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use self::platter::Disk;
use self::random::Random;
use self::script::{Setup, Step};
use self::storage::{InMemory, Storage};
use self::world::World;

mod executor;
#[macro_use]
#[path = "../common/hand_on.rs"]
mod hand_on;
mod platter;
mod random;
mod record;
mod script;
mod storage;
mod world;

fn number(variable: &str) -> Option<u64> {
    let value = std::env::var(variable).ok()?;
    Some(value.parse().expect("a number"))
}

fn fails(setup: &Setup, steps: &[Step], storage: fn(Arc<Random>) -> Box<dyn Storage>) -> String {
    let random = Arc::new(Random::new(setup.seed));
    let mut world = World::new(setup, storage(random.clone()), random);
    for step in steps {
        world.play(step);
        if !world.failures().is_empty() {
            return world.failures().join("\n");
        }
    }
    world.settle();
    world.failures().join("\n")
}

fn on(is_durable: bool) -> fn(Arc<Random>) -> Box<dyn Storage> {
    match is_durable {
        true => |random| Box::new(Disk::new(random)),
        false => |random| Box::new(InMemory::new(random)),
    }
}

#[test]
fn whoever_is_in_a_room_gets_everything_once_and_in_order() {
    let cases = number("TELSIZ_CASES").unwrap_or(3000);
    let seed = number("TELSIZ_SEED").unwrap_or_else(rand_seed);
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config {
        cases: cases.try_into().expect("not so many"),
        failure_persistence: None,
        max_shrink_iters: 20_000,
        max_shrink_time: 30_000,
        ..Config::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let script = (script::setup(), script::steps(80));
    let result = runner.run(&script, |(setup, steps)| {
        match fails(&setup, &steps, on(setup.is_durable)) {
            failure if failure.is_empty() => Ok(()),
            failure => Err(TestCaseError::fail(failure)),
        }
    });
    match result {
        Ok(()) => {}
        Err(TestError::Fail(failure, (setup, steps))) => {
            panic!("TELSIZ_SEED={seed} TELSIZ_CASES={cases}: {failure}\n{setup:?}\n{steps:?}")
        }
        Err(TestError::Abort(why)) => panic!("TELSIZ_SEED={seed}: {why}"),
    }
}

fn rand_seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0)
}

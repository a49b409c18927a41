//! What happens in a run.

use std::num::NonZeroUsize;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// What a run begins with.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    /// Of all choices that the script leaves open.
    pub(crate) seed: u64,
    pub(crate) is_durable: bool,
    pub(crate) hubs: usize,
    pub(crate) workers: usize,
    /// Of an inbox, in bytes.
    pub(crate) inbox: usize,
    pub(crate) turn: usize,
    pub(crate) keep: usize,
    /// In steps of the script.
    pub(crate) age: u64,
    pub(crate) announce_limit: usize,
    /// Of a room.
    pub(crate) max_members: Option<NonZeroUsize>,
}

/// The position that somebody joins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Since {
    None,
    /// The one that it knows.
    Last,
    /// A number of its own making.
    Made(u64),
}

/// Clients and rooms are given by any number.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Join(u8, u8, Since),
    Leave(u8, u8),
    Publish(u8, u8, Option<u8>),
    /// So many, one after the other.
    Burst(u8, u8, u8),
    Typing(u8, u8),
    Status(u8),
    /// Lets tasks run, so many steps.
    Run(u8),
    /// Until nothing more happens.
    Settle,
    /// Drops a future where it stands.
    Cancel(u8),
    /// Drops the run of a worker and starts it again.
    StopWorker(u8),
    /// Everybody of a hub leaves at once, and it is started again.
    RestartHub(u8),
    Crash,
    /// A crash that leaves nothing.
    Wipe,
    FailWrite,
    FailRead,
    Wait(u8),
    Tidy,
}

pub(crate) fn setup() -> impl Strategy<Value = Setup> {
    let sizes = (
        select(vec![1 << 20, 0, 1, 300, 600, 1200]),
        select(vec![512, 1, 2]),
        select(vec![1000, 0, 1, 2, 4, 40]),
        select(vec![1 << 40, 5, 40]),
        select(vec![500, 0, 1, 3]),
        select(vec![None, None, Some(1), Some(2), Some(4)]),
    );
    (any::<u64>(), any::<bool>(), 1..3_usize, 1..3_usize, sizes).prop_map(
        |(seed, is_durable, hubs, workers, (inbox, turn, keep, age, announce_limit, most))| Setup {
            seed,
            is_durable,
            hubs,
            workers,
            inbox,
            turn,
            keep,
            age,
            announce_limit,
            max_members: most.and_then(NonZeroUsize::new),
        },
    )
}

pub(crate) fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    vec(step(), 1..most)
}

fn step() -> impl Strategy<Value = Step> {
    let who = 0..8_u8;
    let room = || 0..3_u8;
    let since = prop_oneof![
        3 => Just(Since::None),
        6 => Just(Since::Last),
        1 => select(vec![0, 1, 2, 5, u64::MAX - 1, u64::MAX]).prop_map(Since::Made),
    ];
    prop_oneof![
        12 => (who.clone(), room(), since).prop_map(|(who, room, since)| Step::Join(who, room, since)),
        3 => (who.clone(), room()).prop_map(|(who, room)| Step::Leave(who, room)),
        18 => (who.clone(), room(), proptest::option::weighted(0.3, 0..3_u8))
            .prop_map(|(who, room, key)| Step::Publish(who, room, key)),
        6 => (who.clone(), room(), 2..12_u8)
            .prop_map(|(who, room, count)| Step::Burst(who, room, count)),
        3 => (who.clone(), room()).prop_map(|(who, room)| Step::Typing(who, room)),
        2 => who.prop_map(Step::Status),
        16 => (1..20_u8).prop_map(Step::Run),
        4 => Just(Step::Settle),
        3 => any::<u8>().prop_map(Step::Cancel),
        2 => any::<u8>().prop_map(Step::StopWorker),
        1 => any::<u8>().prop_map(Step::RestartHub),
        1 => Just(Step::Crash),
        1 => prop_oneof![3 => Just(Step::FailWrite), 3 => Just(Step::FailRead), 1 => Just(Step::Wipe)],
        1 => (1..60_u8).prop_map(Step::Wait),
        1 => Just(Step::Tidy),
    ]
}

//! What a run consists of.

use std::time::Duration;

/// The rooms that members wander between.
pub(crate) const ROOMS: [&str; 8] = [
    "genel", "mutfak", "salon", "bahce", "cati", "depo", "okul", "pazar",
];

/// The room where much is said.
pub(crate) const LOUD: &str = "meydan";

/// All rooms whose logs are checked.
pub(crate) fn rooms() -> impl Iterator<Item = &'static str> {
    ROOMS.into_iter().chain([LOUD])
}

/// How many clients there are of each kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Crowd {
    steady: usize,
    wanderers: usize,
    vanishers: usize,
    stallers: usize,
    loud: usize,
    pub(crate) publishers: usize,
    pub(crate) passers: usize,
    pub(crate) flooders: usize,
    pub(crate) garbage: usize,
}

impl Crowd {
    /// That of a run, unless somebody asks for another.
    pub(crate) const USUAL: Self = Self {
        steady: 16,
        wanderers: 16,
        vanishers: 16,
        stallers: 8,
        loud: 2,
        publishers: 6,
        passers: 30,
        flooders: 4,
        garbage: 8,
    };

    pub(crate) fn members(&self, temper: &str) -> usize {
        match temper {
            "steady" => self.steady,
            "wanderer" => self.wanderers,
            "vanisher" => self.vanishers,
            "staller" => self.stallers,
            "loud" => self.loud,
            _ => 0,
        }
    }
}

/// A time of load, after which everybody goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Phase {
    pub(crate) time: Duration,
    pub(crate) kind: Kind,
}

/// What a phase is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The server is killed and stopped, again and again.
    Falls,
    /// It lives on; the most that it holds at the end of such a phase is what it starts with.
    Warm,
    /// It lives on; what it holds at the end is compared with that.
    Long,
}

/// How long the server has to be under load, at least, until it holds what it holds under load.
const WARM: Duration = Duration::from_secs(60);

/// How much has to be said until then: twice what it keeps of it in memory. Where the machine has other things to do,
/// that takes longer.
pub(crate) const WARM_BYTES: u64 = 32 << 20;

/// How often a phase may be repeated for that.
pub(crate) const WARM_AGAIN: usize = 2;

/// The phases of a run: more than half of it with falls, then one long life, which begins with making it warm.
pub(crate) fn phases(time: Duration) -> Vec<Phase> {
    let split = |kind, most: u64, time: Duration| {
        let count = (time.as_secs() / most).max(1) as u32;
        let phase = Phase {
            time: time / count,
            kind,
        };
        vec![phase; count as usize]
    };
    let warm = WARM.max(time / 6);
    let long = (time - warm) * 3 / 8;
    [
        split(Kind::Falls, 60, time - warm - long),
        split(Kind::Warm, 30, warm),
        split(Kind::Long, 60, long),
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_phases_take_the_time_that_was_asked_for() {
        for minutes in [2, 3, 30] {
            let time = Duration::from_secs(60 * minutes);
            let all: Duration = phases(time).iter().map(|phase| phase.time).sum();
            assert_eq!(all.as_secs(), time.as_secs());
        }
        let kinds = phases(Duration::from_secs(180));
        let kinds: Vec<_> = kinds.iter().map(|phase| phase.kind).collect();
        assert_eq!(kinds, [Kind::Falls, Kind::Warm, Kind::Warm, Kind::Long]);
    }
}

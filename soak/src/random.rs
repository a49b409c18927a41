//! Where every choice of a run comes from.

use std::time::Duration;

/// Random numbers of a seed (SplitMix64).
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// Those of one client: what others choose, and when, changes nothing about them.
    pub(crate) fn of(seed: u64, phase: u64, kind: &str, number: usize) -> Self {
        let mut random = Self(seed);
        for part in [phase, number as u64] {
            random.0 = random.next() ^ part;
        }
        for byte in kind.bytes() {
            random.0 = random.next() ^ u64::from(byte);
        }
        random
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// One of `0..count`; 0 if there is none.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        (self.next() % (count as u64).max(1)) as usize
    }

    /// True in so many of a hundred.
    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn pick<'a, T>(&mut self, among: &'a [T]) -> Option<&'a T> {
        among.get(self.below(among.len()))
    }

    /// From `least` to `most` milliseconds.
    pub(crate) fn millis(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_millis(least + self.next() % (most - least + 1))
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_chooses_the_same_again_and_another_one_something_else() {
        let first = |phase, kind, number| Random::of(7, phase, kind, number).next();
        assert_eq!(first(1, "member", 2), first(1, "member", 2));
        assert_ne!(first(1, "member", 2), first(1, "member", 3));
        assert_ne!(first(1, "member", 2), first(2, "member", 2));
        assert_ne!(first(1, "member", 2), first(1, "flooder", 2));
        assert_ne!(
            Random::of(8, 1, "member", 2).next(),
            first(1, "member", 2),
            "the seed counts"
        );
    }
}

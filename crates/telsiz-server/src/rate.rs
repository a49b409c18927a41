//! How many messages a connection may send.
//!
//! Crates for this (`governor` and its like) refill a bucket bit by bit. That is no sliding window,
//! and what they say about trying again is about the next drop; hence our own.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

/// What is done about connections that send too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rate {
    /// Nothing.
    Off,
    /// The connection is closed.
    Close(Quota),
    /// The message is not processed, and its sender is told when to try again.
    Reject(Quota),
    /// The message waits until this long after the one before it.
    Throttle(Duration),
}

/// So many messages in any time of this length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quota {
    /// The most messages.
    pub(crate) most: NonZeroU32,
    /// The length of the window, which slides.
    pub(crate) window: Duration,
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is processed.
    Admit,
    /// It is processed after this time; until then nothing else is read.
    Wait(Duration),
    /// It is not processed.
    Reject {
        /// After so many whole seconds one is, at least 1.
        retry_after: u64,
    },
    /// It was one too many for the connection.
    Close,
}

impl Rate {
    /// That of an app, unless it says otherwise.
    pub(crate) const DEFAULT: Self = Self::Reject(Quota {
        most: NonZeroU32::new(1_200).expect("some"),
        window: Duration::from_secs(60),
    });

    /// Whether there is nothing to judge.
    pub(crate) fn is_off(self) -> bool {
        self == Self::Off
    }
}

/// What one connection has sent lately. One that has sent nothing is 8 bytes, one that has sent
/// as much as it may 4 bytes a message more.
#[derive(Debug, Default)]
pub(crate) struct Limiter(Option<Box<Recent>>);

/// The messages that still count.
#[derive(Debug)]
struct Recent {
    oldest: Instant,
    newest: Instant,
    /// The milliseconds from each to the next.
    gaps: VecDeque<u32>,
}

impl Limiter {
    /// What becomes of a message that comes now. One that is not processed does not count.
    pub(crate) fn judge(&mut self, rate: Rate, now: Instant) -> Verdict {
        match rate {
            Rate::Off => Verdict::Admit,
            Rate::Close(quota) => match self.count(quota, now) {
                Ok(()) => Verdict::Admit,
                Err(_) => Verdict::Close,
            },
            Rate::Reject(quota) => match self.count(quota, now) {
                Ok(()) => Verdict::Admit,
                Err(left) => Verdict::Reject {
                    retry_after: whole_seconds(left),
                },
            },
            Rate::Throttle(gap) => self.pace(gap, now),
        }
    }

    /// Counts a message, or tells how long there is no room for it.
    fn count(&mut self, quota: Quota, now: Instant) -> Result<(), Duration> {
        let Some(recent) = &mut self.0 else {
            self.0 = Some(Box::new(Recent::first(now)));
            return Ok(());
        };
        if !recent.forget_before(quota.window, now) {
            **recent = Recent::first(now);
            return Ok(());
        }
        let most = quota.most.get() as usize;
        if recent.gaps.len() + 1 < most {
            recent.push(now, most);
            return Ok(());
        }
        // More may still count than are let through now: the limit may have been lowered.
        let beyond = recent.gaps.len() + 1 - most;
        let gaps: u64 = recent
            .gaps
            .iter()
            .take(beyond)
            .copied()
            .map(u64::from)
            .sum();
        let age = now.saturating_duration_since(recent.oldest + Duration::from_millis(gaps));
        Err(quota.window.saturating_sub(age))
    }

    fn pace(&mut self, gap: Duration, now: Instant) -> Verdict {
        let Some(recent) = &mut self.0 else {
            self.0 = Some(Box::new(Recent::first(now)));
            return Verdict::Admit;
        };
        let turn = recent.newest + gap;
        **recent = Recent::first(turn.max(now));
        match turn.saturating_duration_since(now) {
            Duration::ZERO => Verdict::Admit,
            wait => Verdict::Wait(wait),
        }
    }
}

impl Recent {
    fn first(now: Instant) -> Self {
        Self {
            oldest: now,
            newest: now,
            gaps: VecDeque::new(),
        }
    }

    /// Forgets what is as old as `window`; whether anything is left.
    fn forget_before(&mut self, window: Duration, now: Instant) -> bool {
        while now.saturating_duration_since(self.oldest) >= window {
            let Some(gap) = self.gaps.pop_front() else {
                return false;
            };
            self.oldest += Duration::from_millis(gap.into());
        }
        true
    }

    fn push(&mut self, now: Instant, most: usize) {
        // The rest of a millisecond belongs to the next gap, so that nothing adds up.
        let gap = now.saturating_duration_since(self.newest).as_millis();
        let gap = u32::try_from(gap).unwrap_or(u32::MAX);
        self.newest += Duration::from_millis(gap.into());
        let len = self.gaps.len();
        if len == self.gaps.capacity() {
            let room = (2 * len).clamp(4, most.saturating_sub(1).max(4));
            self.gaps.reserve_exact(room - len);
        }
        self.gaps.push_back(gap);
    }
}

fn whole_seconds(time: Duration) -> u64 {
    let more = u64::from(time.subsec_nanos() > 0);
    (time.as_secs() + more).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota(most: u32, seconds: u64) -> Quota {
        Quota {
            most: NonZeroU32::new(most).expect("some"),
            window: Duration::from_secs(seconds),
        }
    }

    /// A connection on a clock that only the test moves.
    struct Virtual {
        rate: Rate,
        limiter: Limiter,
        start: Instant,
    }

    impl Virtual {
        fn new(rate: Rate) -> Self {
            Self {
                rate,
                limiter: Limiter::default(),
                start: Instant::now(),
            }
        }

        /// What becomes of a message after so many milliseconds.
        fn at(&mut self, ms: u64) -> Verdict {
            let now = self.start + Duration::from_millis(ms);
            self.limiter.judge(self.rate, now)
        }

        /// The bytes that it keeps.
        fn keeps(&self) -> usize {
            let recent = self.limiter.0.as_ref();
            size_of::<Limiter>()
                + recent.map_or(0, |recent| {
                    size_of::<Recent>() + size_of::<u32>() * recent.gaps.capacity()
                })
        }
    }

    fn reject(retry_after: u64) -> Verdict {
        Verdict::Reject { retry_after }
    }

    #[test]
    fn the_window_slides_message_by_message() {
        let mut peer = Virtual::new(Rate::Reject(quota(3, 60)));
        for ms in [0, 10_000, 30_500] {
            assert_eq!(peer.at(ms), Verdict::Admit, "{ms}");
        }
        assert_eq!(peer.at(30_500), reject(30));
        assert_eq!(peer.at(59_999), reject(1));
        assert_eq!(peer.at(60_000), Verdict::Admit);
        assert_eq!(peer.at(60_000), reject(10));
        assert_eq!(peer.at(69_999), reject(1));
        assert_eq!(peer.at(70_000), Verdict::Admit);
        assert_eq!(peer.at(70_000), reject(21));
        assert_eq!(peer.at(90_499), reject(1));
        assert_eq!(peer.at(90_500), Verdict::Admit);
    }

    #[test]
    fn what_is_refused_does_not_count_and_the_time_that_was_told_is_enough() {
        let mut peer = Virtual::new(Rate::Reject(quota(20, 60)));
        for number in 0..20 {
            assert_eq!(peer.at(number * 7), Verdict::Admit);
        }
        for ms in 200..400 {
            assert_eq!(peer.at(ms), reject(60), "{ms}");
        }
        assert_eq!(peer.at(400 + 60_000), Verdict::Admit);
    }

    /// The plainest limiter that there is: it keeps all times.
    #[derive(Default)]
    struct Plain(Vec<u64>);

    impl Plain {
        fn judge(&mut self, most: usize, window: u64, now: u64) -> Verdict {
            let lately = self.0.iter().filter(|sent| **sent + window > now);
            let lately: Vec<u64> = lately.copied().collect();
            if lately.len() < most {
                self.0.push(now);
                return Verdict::Admit;
            }
            reject((lately[0] + window - now).div_ceil(1000).max(1))
        }
    }

    #[test]
    fn it_is_as_one_that_keeps_all_times() {
        for (most, window, pace) in [(1, 1, 700), (5, 2, 900), (40, 3, 60), (1200, 60, 45)] {
            let mut peer = Virtual::new(Rate::Reject(quota(most, window)));
            let mut plain = Plain::default();
            let mut now = 0;
            for step in 0..10_000 {
                now += match step % 97 {
                    0 => window * 600,
                    _ => rand::random_range(0..pace),
                };
                let expected = plain.judge(most as usize, window * 1000, now);
                assert_eq!(peer.at(now), expected, "{most} in {window} s, at {now}");
            }
        }
    }

    #[test]
    fn fractions_of_a_millisecond_do_not_add_up() {
        let rate = Rate::Reject(quota(1000, 1));
        let mut limiter = Limiter::default();
        let start = Instant::now();
        let at = |number: u32| start + Duration::from_micros(999) * number;
        for number in 0..1000 {
            assert_eq!(limiter.judge(rate, at(number)), Verdict::Admit);
        }
        // 999 ms have passed; the first still counts.
        assert_eq!(limiter.judge(rate, at(1000)), reject(1));
        // Two try in the time of one.
        let tries = (1000..1500).flat_map(|number| [at(number), at(number)]);
        let admitted = tries.filter(|now| limiter.judge(rate, *now) == Verdict::Admit);
        assert!(admitted.count() <= 500);
    }

    #[test]
    fn after_a_limit_was_changed_the_time_that_is_told_is_enough() {
        let mut peer = Virtual::new(Rate::Reject(quota(3, 60)));
        for ms in [0, 10_000, 20_000] {
            assert_eq!(peer.at(ms), Verdict::Admit);
        }
        peer.rate = Rate::Reject(quota(1, 60));
        assert_eq!(peer.at(30_000), reject(50));
        assert_eq!(peer.at(79_999), reject(1));
        assert_eq!(peer.at(80_000), Verdict::Admit);
        peer.rate = Rate::Throttle(Duration::from_secs(1));
        assert_eq!(peer.at(120_000), Verdict::Admit);
        peer.rate = Rate::Reject(quota(2, 60));
        assert_eq!(peer.at(125_000), Verdict::Admit);
        assert_eq!(peer.at(130_000), reject(50));
    }

    #[test]
    fn close_closes_at_one_too_many() {
        let mut peer = Virtual::new(Rate::Close(quota(20, 1)));
        for ms in 0..20 {
            assert_eq!(peer.at(ms), Verdict::Admit);
        }
        assert_eq!(peer.at(999), Verdict::Close);
        assert_eq!(peer.at(1000), Verdict::Admit);
    }

    #[test]
    fn throttle_lets_one_through_per_gap_and_loses_none() {
        let mut peer = Virtual::new(Rate::Throttle(Duration::from_millis(100)));
        let wait = |ms| Verdict::Wait(Duration::from_millis(ms));
        assert_eq!(peer.at(0), Verdict::Admit);
        assert_eq!(peer.at(30), wait(70));
        // The one before it went through at 100.
        assert_eq!(peer.at(100), wait(100));
        assert_eq!(peer.at(300), Verdict::Admit);
        assert_eq!(peer.at(399), wait(1));
        assert_eq!(peer.at(1000), Verdict::Admit);
    }

    #[test]
    fn off_keeps_nothing() {
        let mut peer = Virtual::new(Rate::Off);
        for _ in 0..10_000 {
            assert_eq!(peer.at(0), Verdict::Admit);
        }
        assert_eq!(peer.keeps(), 8);
    }

    #[test]
    fn what_it_keeps_is_small_bounded_and_given_back() {
        let mut peer = Virtual::new(Rate::DEFAULT);
        assert_eq!(peer.keeps(), 8);
        peer.at(0);
        assert!(peer.keeps() <= 80, "{}", peer.keeps());
        for _ in 0..10_000 {
            peer.at(1);
        }
        assert!(peer.keeps() <= 80 + 4 * 1_200, "{}", peer.keeps());
        peer.at(120_000);
        assert!(peer.keeps() <= 80, "{}", peer.keeps());
    }
}

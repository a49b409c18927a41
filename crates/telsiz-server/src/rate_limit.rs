//! How rates are to be limited: as it is written, for all mounts and for one.

use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use crate::config::Period;
use crate::rate::{Quota, Rate};

/// The most messages that a limit may count: each is kept with 4 bytes for as long as it counts.
const MOST: u32 = 1_000_000;

/// How rates are to be limited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum RateLimit {
    /// As the app has it.
    #[default]
    On,
    /// Like this.
    As(Rate),
}

/// How the rates of a mount are to be limited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct MountRate {
    limit: RateLimit,
    /// Whether that was said of this mount alone.
    is_own: bool,
}

impl MountRate {
    /// What is said of the mount, if something is, or of `all` of them.
    pub(crate) fn new(own: Option<RateLimit>, all: RateLimit) -> Self {
        Self {
            limit: own.unwrap_or(all),
            is_own: own.is_some(),
        }
    }

    /// What follows for an app that by itself has this rate. What is said of all mounts is not
    /// said of apps without limits.
    pub(crate) fn of_app(self, default: Rate) -> Rate {
        match (self.limit, default) {
            (_, Rate::Off) if !self.is_own => Rate::Off,
            (RateLimit::On, Rate::Off) => Rate::DEFAULT,
            (RateLimit::On, default) => default,
            (RateLimit::As(rate), _) => rate,
        }
    }
}

/// A text is no limit.
const EXPECTED: &str = "expected on, off, reject N/TIME, close N/TIME or throttle TIME, such as close 20/1s, N at most 1000000";

impl FromStr for RateLimit {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut words = text.split_whitespace();
        let (policy, numbers, rest) = (words.next(), words.next(), words.next());
        let quota = |default| match numbers {
            None => Some(default),
            Some(numbers) => quota(numbers),
        };
        let limit = match (policy, numbers) {
            (Some("on"), None) => Some(Self::On),
            (Some("off"), None) => Some(Self::As(Rate::Off)),
            (Some("reject"), _) => quota(twenty_in(60)).map(|quota| Self::As(Rate::Reject(quota))),
            (Some("close"), _) => quota(twenty_in(1)).map(|quota| Self::As(Rate::Close(quota))),
            (Some("throttle"), None) => Some(Self::As(Rate::Throttle(Duration::from_millis(100)))),
            (Some("throttle"), Some(gap)) => time(gap).map(|gap| Self::As(Rate::Throttle(gap))),
            _ => None,
        };
        limit.filter(|_| rest.is_none()).ok_or(EXPECTED)
    }
}

/// How often a connection may read the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HistoryRate(pub(crate) Rate);

impl FromStr for HistoryRate {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rate = match text {
            "off" => Some(Rate::Off),
            text => quota(text).map(Rate::Reject),
        };
        rate.map(Self)
            .ok_or("expected off or N/TIME, such as 20/60s, N at most 1000000")
    }
}

/// The quota that a policy has unless it is given another.
fn twenty_in(seconds: u64) -> Quota {
    const TWENTY: NonZeroU32 = NonZeroU32::new(20).expect("some");
    Quota {
        most: TWENTY,
        window: Duration::from_secs(seconds),
    }
}

fn quota(text: &str) -> Option<Quota> {
    let (most, window) = text.split_once('/')?;
    let most = most
        .parse()
        .ok()
        .filter(|most: &NonZeroU32| most.get() <= MOST)?;
    let window = time(window)?;
    Some(Quota { most, window })
}

fn time(text: &str) -> Option<Duration> {
    text.parse().ok().map(|Period(time)| time)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota(most: u32, millis: u64) -> Quota {
        Quota {
            most: NonZeroU32::new(most).expect("some"),
            window: Duration::from_millis(millis),
        }
    }

    #[test]
    fn a_limit_is_a_policy_and_its_numbers() {
        for (text, expected) in [
            ("on", Some(RateLimit::On)),
            ("off", Some(RateLimit::As(Rate::Off))),
            (
                "reject",
                Some(RateLimit::As(Rate::Reject(quota(20, 60_000)))),
            ),
            (
                "reject 5/1m",
                Some(RateLimit::As(Rate::Reject(quota(5, 60_000)))),
            ),
            ("close", Some(RateLimit::As(Rate::Close(quota(20, 1_000))))),
            (
                "close  1/100ms",
                Some(RateLimit::As(Rate::Close(quota(1, 100)))),
            ),
            (
                "close 1000000/24h",
                Some(RateLimit::As(Rate::Close(quota(1_000_000, 86_400_000)))),
            ),
            (
                "throttle",
                Some(RateLimit::As(Rate::Throttle(Duration::from_millis(100)))),
            ),
            (
                "throttle 2s",
                Some(RateLimit::As(Rate::Throttle(Duration::from_secs(2)))),
            ),
            ("", None),
            ("on 5", None),
            ("off 5/1s", None),
            ("close 1000001/1s", None),
            ("close 0/1s", None),
            ("close 5", None),
            ("close 5/1", None),
            ("close 5/1s more", None),
            ("throttle 5/1s", None),
            ("throttle 0s", None),
            ("Reject", None),
        ] {
            assert_eq!(text.parse().ok(), expected, "{text}");
        }
    }

    #[test]
    fn a_rate_of_reading_is_a_quota() {
        for (text, expected) in [
            ("off", Some(Rate::Off)),
            ("20/60s", Some(Rate::Reject(quota(20, 60_000)))),
            ("1000001/1s", None),
            ("0/1s", None),
            ("reject 20/60s", None),
            ("on", None),
            ("", None),
        ] {
            let read = text.parse().ok();
            assert_eq!(read.map(|HistoryRate(rate)| rate), expected, "{text}");
        }
    }

    #[test]
    fn what_is_said_of_one_mount_goes_before_what_is_said_of_all() {
        let (one, all) = (Rate::Close(quota(1, 1)), Rate::Close(quota(2, 2)));
        let (own, other) = (Some(RateLimit::As(one)), RateLimit::As(all));
        for (own, all, default, expected) in [
            (None, RateLimit::On, Rate::DEFAULT, Rate::DEFAULT),
            (None, RateLimit::On, Rate::Off, Rate::Off),
            (None, other, Rate::DEFAULT, all),
            (None, other, Rate::Off, Rate::Off),
            (None, RateLimit::As(Rate::Off), Rate::DEFAULT, Rate::Off),
            (own, other, Rate::DEFAULT, one),
            (own, RateLimit::As(Rate::Off), Rate::Off, one),
            (Some(RateLimit::On), other, Rate::DEFAULT, Rate::DEFAULT),
            (
                Some(RateLimit::On),
                RateLimit::As(Rate::Off),
                Rate::Off,
                Rate::DEFAULT,
            ),
        ] {
            assert_eq!(
                MountRate::new(own, all).of_app(default),
                expected,
                "{own:?}, {all:?}"
            );
        }
    }
}

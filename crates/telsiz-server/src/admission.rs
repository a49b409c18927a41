//! How many connections there may be, in all and from one address, and how many may come in a second.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv6Addr};
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::connections::{Connections, Counted, Held};
use crate::limits_hit::Limit;
use crate::live::Live;

/// When to come again where nobody knows when there will be a place.
const LATER: Duration = Duration::from_secs(5);

const SECOND: Duration = Duration::from_secs(1);

/// How many may come; what is `None` has no bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// Connections at a time.
    pub(crate) connections: Option<NonZeroUsize>,
    /// Those of one address. Of IPv6 that is a network of /64, which one client can have whole.
    pub(crate) per_address: Option<NonZeroUsize>,
    /// Handshakes in a second.
    pub(crate) handshakes: Option<NonZeroU32>,
}

/// Lets connections in as long as there is a place. Cloning counts a reference.
#[derive(Clone, Debug, Default)]
pub(crate) struct Admission {
    pub(crate) bounds: Live<Bounds>,
    places: Places,
    handshakes: Arc<Bucket>,
}

/// Somebody cannot come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full {
    /// What is used up.
    pub(crate) limit: Limit,
    /// When to try again.
    pub(crate) retry_after: Duration,
}

impl Admission {
    /// With these bounds, until others are set.
    pub(crate) fn with(bounds: Bounds) -> Self {
        Self {
            bounds: bounds.into(),
            ..Self::default()
        }
    }

    /// Counts a connection of `client`, if there is a place for it. All of it is taken before the
    /// handshake is answered and given back when what comes of this is dropped.
    pub(crate) fn admit(
        &self,
        connections: &Connections,
        client: IpAddr,
    ) -> Result<(Counted, Held), Full> {
        let bounds = self.bounds.copy();
        let full = |limit| Full {
            limit,
            retry_after: LATER,
        };
        let place = match bounds.per_address {
            Some(most) => {
                let place = self.places.take(client, most);
                Some(place.ok_or(full(Limit::ConnectionsPerAddress))?)
            }
            None => None,
        };
        let entered = connections.enter_below(bounds.connections, place, client);
        let entered = entered.ok_or(full(Limit::Connections))?;
        // Last, so that who finds no place takes nothing from others.
        if let Some(most) = bounds.handshakes {
            let taken = self.handshakes.take(most, Instant::now());
            taken.map_err(|retry_after| Full {
                limit: Limit::Handshakes,
                retry_after,
            })?;
        }
        Ok(entered)
    }
}

/// How many connections each address has.
#[derive(Clone, Debug, Default)]
struct Places(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One connection of an address, until this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Places,
    address: IpAddr,
}

impl Places {
    fn take(&self, client: IpAddr, most: NonZeroUsize) -> Option<Place> {
        let address = counted_as(client);
        let mut places = self.lock();
        let taken = places.entry(address).or_default();
        if *taken >= most.get() {
            return None;
        }
        *taken += 1;
        drop(places);
        let places = self.clone();
        Some(Place { places, address })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Entry::Occupied(mut taken) = self.places.lock().entry(self.address) {
            match taken.get() {
                0 | 1 => {
                    taken.remove();
                }
                _ => *taken.get_mut() -= 1,
            }
        }
    }
}

/// The address by which a client is counted.
fn counted_as(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V4(ip) => ip.into(),
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

/// A bucket of tokens that holds what a second brings. It keeps the time at which it is full again.
///
/// A crate for this (`governor`) would bring more crates than this has lines.
#[derive(Debug, Default)]
struct Bucket(Mutex<Option<Instant>>);

impl Bucket {
    /// Takes a token, or tells how long it takes until there is one.
    fn take(&self, a_second: NonZeroU32, now: Instant) -> Result<(), Duration> {
        let mut full = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = full.map_or(Duration::ZERO, |full| full.saturating_duration_since(now));
        let after = before + SECOND / a_second.get();
        match after.checked_sub(SECOND) {
            Some(wait) if !wait.is_zero() => Err(wait),
            _ => {
                *full = Some(now + after);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn admission(connections: usize, per_address: usize, handshakes: u32) -> Admission {
        Admission::with(Bounds {
            connections: NonZeroUsize::new(connections),
            per_address: NonZeroUsize::new(per_address),
            handshakes: NonZeroU32::new(handshakes),
        })
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn of_all_there_are_as_many_as_may_be_and_no_more() {
        let (admission, connections) = (admission(3, 0, 0), Connections::default());
        let admit = || admission.admit(&connections, ip("192.0.2.1"));
        let mut open: Vec<_> = (0..3).map(|_| admit().expect("a place")).collect();
        for _ in 0..3 {
            let full = admit().expect_err("no place");
            assert_eq!((full.limit, full.retry_after), (Limit::Connections, LATER));
            assert_eq!(connections.number(), 3);
        }
        open.pop();
        open.push(admit().expect("a place again"));
        assert!(admit().is_err());
    }

    #[test]
    fn of_an_address_there_are_as_many_as_may_be_and_no_more() {
        let (admission, connections) = (admission(0, 2, 0), Connections::default());
        let admit = |text| admission.admit(&connections, ip(text));
        let first = admit("192.0.2.1").expect("a place");
        let _second = admit("::ffff:192.0.2.1").expect("a place");
        let full = admit("192.0.2.1").expect_err("no place");
        assert_eq!(full.limit, Limit::ConnectionsPerAddress);
        let _other = admit("192.0.2.2").expect("a place");
        drop(first);
        let _again = admit("192.0.2.1").expect("a place again");
        assert!(admit("192.0.2.1").is_err());
    }

    #[test]
    fn an_ipv6_client_is_its_network() {
        let (admission, connections) = (admission(0, 1, 0), Connections::default());
        let admit = |text| admission.admit(&connections, ip(text));
        let _first = admit("2001:db8:1:2::1").expect("a place");
        assert!(admit("2001:db8:1:2:ffff:ffff:ffff:ffff").is_err());
        let _next = admit("2001:db8:1:3::1").expect("another network");
    }

    #[test]
    fn who_is_refused_takes_no_place() {
        let (limited, connections) = (admission(1, 5, 0), Connections::default());
        let first = limited.admit(&connections, ip("192.0.2.1"));
        for _ in 0..9 {
            let full = limited.admit(&connections, ip("192.0.2.2"));
            assert_eq!(full.expect_err("no place").limit, Limit::Connections);
        }
        drop(first);
        assert!(limited.places.lock().is_empty(), "nobody is left");
        assert_eq!(connections.number(), 0);

        let limited = admission(5, 5, 1);
        let first = limited.admit(&connections, ip("192.0.2.1"));
        let full = limited.admit(&connections, ip("192.0.2.1"));
        assert_eq!(full.expect_err("too soon").limit, Limit::Handshakes);
        assert_eq!(connections.number(), 1);
        drop(first);
        assert!(limited.places.lock().is_empty() && connections.number() == 0);
    }

    #[test]
    fn however_many_come_at_once_the_bounds_hold_and_all_is_given_back() {
        let (limited, connections) = (admission(3, 2, 0), Connections::default());
        thread::scope(|scope| {
            for number in 0..8_u8 {
                let (limited, connections) = (&limited, &connections);
                scope.spawn(move || {
                    for _ in 0..2_000 {
                        let client = IpAddr::from([192, 0, 2, number % 2]);
                        let counted = limited.admit(connections, client);
                        thread::yield_now();
                        assert!(connections.number() <= 3);
                        let most = limited.places.lock().values().max().copied();
                        assert!(most.unwrap_or(0) <= 2);
                        drop(counted);
                    }
                });
            }
        });
        assert!(limited.places.lock().is_empty());
        // Nobody was refused for good.
        let all: Vec<_> = (0..3_u8)
            .map(|number| limited.admit(&connections, IpAddr::from([198, 51, 100, number])))
            .collect();
        assert!(all.iter().all(Result::is_ok));
    }

    #[test]
    fn a_bucket_holds_what_a_second_brings_and_fills_evenly() {
        let (bucket, start) = (Bucket::default(), Instant::now());
        let four = NonZeroU32::new(4).expect("four");
        let take = |after| bucket.take(four, start + Duration::from_millis(after));
        for _ in 0..4 {
            assert_eq!(take(0), Ok(()));
        }
        assert_eq!(take(0), Err(Duration::from_millis(250)));
        assert_eq!(take(249), Err(Duration::from_millis(1)));
        assert_eq!(take(250), Ok(()));
        assert!(take(250).is_err(), "one at a time");
        assert_eq!(take(1_000), Ok(()));
        assert_eq!(take(1_000), Ok(()));
        assert_eq!(take(1_000), Ok(()));
        assert!(take(1_000).is_err());
        for _ in 0..4 {
            assert_eq!(take(60_000), Ok(()), "it holds no more than before");
        }
        assert!(take(60_000).is_err());
    }

    #[test]
    fn any_number_can_be_asked_of_a_bucket() {
        for number in [1, 3, 7, 1_000_000] {
            let (bucket, start) = (Bucket::default(), Instant::now());
            let number = NonZeroU32::new(number).expect("a number");
            for _ in 0..number.get() {
                assert_eq!(bucket.take(number, start), Ok(()), "{number}");
            }
            assert!(bucket.take(number, start).is_err(), "{number}");
        }
        let bucket = Bucket::default();
        assert_eq!(bucket.take(NonZeroU32::MAX, Instant::now()), Ok(()));
    }

    #[test]
    fn bounds_that_are_set_later_count_from_then_on() {
        let (admission, connections) = (Admission::default(), Connections::default());
        let admit = || admission.admit(&connections, ip("192.0.2.1"));
        let open: Vec<_> = (0..9).map(|_| admit().expect("no bound")).collect();
        admission.bounds.set(Bounds {
            connections: NonZeroUsize::new(9),
            ..Bounds::default()
        });
        assert!(admit().is_err());
        drop(open);
        admit().expect("a place");
    }
}

//! The open WebSockets: which there are, what goes over them, and how they end.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use slab::Slab;
use telsiz::{CloseFrame, Closer, Options, Sender};
use telsiz_hub::{ConnectionId, Timestamp, User};

use crate::admission::Place;
use crate::apps::NAMES;
use crate::closes::Closes;
use crate::limits_hit::LimitsHit;
use crate::timestamp;
use crate::traffic::{Counts, Traffic};
use crate::unopened::Refused;

/// The index of connections to no app, and of those on no mount.
const NONE: u16 = u16::MAX;

/// The open WebSockets of a server, seen from one of its mounts. Cloning counts a reference.
#[derive(Clone, Debug)]
pub(crate) struct Connections {
    open: Arc<Open>,
    app: u16,
    mount: u16,
}

/// One that takes a place of those there are, until this is dropped: when it has ended, which may be
/// later than its handler.
#[derive(Debug)]
pub(crate) struct Held {
    open: Arc<Open>,
    /// Among those of its address, if these are bounded.
    _place: Option<Place>,
}

/// One that is counted and listed, until this is dropped.
#[derive(Debug)]
pub(crate) struct Counted {
    open: Arc<Open>,
    key: u32,
    app: u16,
}

#[derive(Debug, Default)]
struct Open {
    number: AtomicUsize,
    /// How many have not ended, whoever still hears of them.
    held: AtomicUsize,
    /// By their index; the last is none.
    apps: [OfApp; NAMES.len() + 1],
    limits_hit: LimitsHit,
    closes: Closes,
    refused: Refused,
    list: Mutex<Slab<Entry>>,
    /// Of the next one.
    serial: AtomicU32,
}

/// What is counted of the connections of an app.
#[derive(Debug, Default)]
struct OfApp {
    open: AtomicUsize,
    accepted: AtomicU64,
    traffic: Traffic,
}

/// What is counted of the connections of an app.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AppFigures<'a> {
    /// What it is called; `none` where there is none.
    pub(crate) app: &'static str,
    /// How many are open.
    pub(crate) open: usize,
    /// How many there were.
    pub(crate) accepted: u64,
    /// What goes over them.
    pub(crate) traffic: &'a Traffic,
}

/// A connection as it is kept in the list: each byte counts.
#[derive(Debug)]
struct Entry {
    since: Timestamp,
    /// Nothing until it is accepted.
    closer: Option<Closer>,
    speaker: Option<Box<Speaker>>,
    /// One of IPv4 as IPv6 writes it.
    ip: Ipv6Addr,
    mount: u16,
    serial: u32,
}

/// Who is at the other end.
#[derive(Clone, Debug)]
struct Speaker {
    sender: Sender,
    user: Option<User>,
    member: Option<ConnectionId>,
}

/// A connection as it is listed.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    /// What it is known by, as long as it is open.
    pub(crate) id: String,
    /// Since when it is open.
    pub(crate) since: Timestamp,
    /// The address of the client.
    pub(crate) address: IpAddr,
    /// The index of its mount, if it is on one.
    pub(crate) mount: Option<usize>,
    /// Who that is, if it said so.
    pub(crate) user: Option<User>,
    /// What it is in rooms, if it can be in rooms.
    pub(crate) member: Option<ConnectionId>,
    sender: Option<Sender>,
}

impl Default for Connections {
    fn default() -> Self {
        Self {
            open: Arc::default(),
            app: NONE,
            mount: NONE,
        }
    }
}

impl Connections {
    /// The same, seen from a mount with this index and app.
    pub(crate) fn of(&self, app: &str, mount: usize) -> Self {
        Self {
            open: self.open.clone(),
            app: index(app),
            mount: u16::try_from(mount).unwrap_or(NONE),
        }
    }

    /// Counts and lists one more, unless there are as many as may be.
    ///
    /// It is counted before its handshake is answered, so that whoever has the answer
    /// finds itself counted.
    pub(crate) fn enter_below(
        &self,
        most: Option<NonZeroUsize>,
        place: Option<Place>,
        client: IpAddr,
    ) -> Option<(Counted, Held)> {
        let most = most.map_or(usize::MAX, NonZeroUsize::get);
        let more = |number| (number < most).then_some(number + 1);
        let (set, read) = (Ordering::Relaxed, Ordering::Relaxed);
        self.open.held.fetch_update(set, read, more).ok()?;
        self.open.number.fetch_add(1, Ordering::Relaxed);
        let of_app = self.open.of_app(self.app);
        of_app.open.fetch_add(1, Ordering::Relaxed);
        let entry = Entry {
            since: timestamp::millis(),
            closer: None,
            speaker: None,
            ip: match client {
                IpAddr::V4(ip) => ip.to_ipv6_mapped(),
                IpAddr::V6(ip) => ip,
            },
            mount: self.mount,
            serial: self.open.serial.fetch_add(1, Ordering::Relaxed),
        };
        let key = self.open.lock().insert(entry);
        let counted = Counted {
            open: self.open.clone(),
            // There are never so many.
            key: u32::try_from(key).unwrap_or(u32::MAX),
            app: self.app,
        };
        let held = Held {
            open: self.open.clone(),
            _place: place,
        };
        Some((counted, held))
    }

    /// Counts and lists one more that came from nowhere.
    #[cfg(test)]
    pub(crate) fn count(&self) -> Counted {
        let nowhere = Ipv6Addr::UNSPECIFIED.into();
        let entered = self.enter_below(None, None, nowhere);
        let (counted, _) = entered.expect("no bound");
        counted.accepted();
        counted
    }

    /// How many there are.
    pub(crate) fn number(&self) -> usize {
        self.open.number.load(Ordering::Relaxed)
    }

    /// The messages of the app.
    pub(crate) fn traffic(&self) -> &Traffic {
        &self.open.of_app(self.app).traffic
    }

    /// The messages of the app that is called so.
    pub(crate) fn traffic_of(&self, app: &str) -> &Traffic {
        &self.open.of_app(index(app)).traffic
    }

    /// The messages of all apps.
    pub(crate) fn counts(&self) -> Counts {
        let counts = self.open.apps.iter().map(|app| app.traffic.counts());
        counts.fold(Counts::default(), std::ops::Add::add)
    }

    /// What is counted of each app.
    pub(crate) fn by_app(&self) -> impl Iterator<Item = AppFigures<'_>> {
        let names = NAMES.into_iter().chain(["none"]);
        names.zip(&self.open.apps).map(|(app, of_app)| AppFigures {
            app,
            open: of_app.open.load(Ordering::Relaxed),
            accepted: of_app.accepted.load(Ordering::Relaxed),
            traffic: &of_app.traffic,
        })
    }

    /// The limits that all hit.
    pub(crate) fn limits_hit(&self) -> &LimitsHit {
        &self.open.limits_hit
    }

    /// How all ended.
    pub(crate) fn closes(&self) -> &Closes {
        &self.open.closes
    }

    /// Those that came to nothing.
    pub(crate) fn refused(&self) -> &Refused {
        &self.open.refused
    }

    /// Options with which it is counted how connections end.
    pub(crate) fn hear(&self, options: Options) -> Options {
        let open = self.open.clone();
        options.on_end(move |outcome| open.closes.count(outcome))
    }

    /// At most `limit` of them behind the first `skip`, in an order that stays; and how many there
    /// are.
    pub(crate) fn list(&self, skip: usize, limit: usize) -> (Vec<Listed>, usize) {
        let list = self.open.lock();
        let page = list.iter().skip(skip).take(limit);
        (page.map(Entry::listed).collect(), list.len())
    }

    /// Closes the one that is known by `id`; whether it was there.
    pub(crate) fn close(&self, id: &str, frame: CloseFrame) -> bool {
        let found = parse(id).and_then(|(key, serial)| {
            let list = self.open.lock();
            let entry = list.get(key).filter(|entry| entry.serial == serial)?;
            let speaker = entry.speaker.as_ref();
            Some((
                entry.closer.clone()?,
                speaker.map(|speaker| speaker.sender.clone()),
            ))
        });
        let Some((closer, sender)) = found else {
            return false;
        };
        // Whoever waits for the client to read sees this at once, too.
        if let Some(sender) = sender {
            sender.close(frame.clone());
        }
        closer.close(frame)
    }
}

impl Open {
    fn of_app(&self, app: u16) -> &OfApp {
        &self.apps[usize::from(app).min(NAMES.len())]
    }

    fn lock(&self) -> MutexGuard<'_, Slab<Entry>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The index of the app that is called so.
fn index(app: &str) -> u16 {
    let index = NAMES.iter().position(|known| *known == app);
    index
        .and_then(|index| u16::try_from(index).ok())
        .unwrap_or(NONE)
}

/// What an id stands for: the place in the list, and the number of the connection there.
fn parse(id: &str) -> Option<(usize, u32)> {
    let (key, serial) = id.split_once('-')?;
    Some((key.parse().ok()?, serial.parse().ok()?))
}

impl Entry {
    fn listed((key, entry): (usize, &Self)) -> Listed {
        let speaker = entry.speaker.as_deref();
        Listed {
            id: format!("{key}-{}", entry.serial),
            since: entry.since,
            address: entry.ip.to_canonical(),
            mount: (entry.mount != NONE).then_some(entry.mount.into()),
            user: speaker.and_then(|speaker| speaker.user.clone()),
            member: speaker.and_then(|speaker| speaker.member),
            sender: speaker.map(|speaker| speaker.sender.clone()),
        }
    }
}

impl Listed {
    /// How many bytes wait for it, where that is known.
    pub(crate) fn queue(&self) -> Option<usize> {
        self.sender.as_ref().map(Sender::backlog)
    }
}

impl Counted {
    /// The messages of the app.
    pub(crate) fn traffic(&self) -> &Traffic {
        &self.open.of_app(self.app).traffic
    }

    /// This closes it.
    pub(crate) fn ends_by(&self, closer: Closer) {
        self.change(|entry| entry.closer = Some(closer));
    }

    /// Its upgrade is accepted.
    pub(crate) fn accepted(&self) {
        let of_app = self.open.of_app(self.app);
        of_app.accepted.fetch_add(1, Ordering::Relaxed);
    }

    /// It is reached so.
    pub(crate) fn speaks_through(&self, sender: Sender) {
        let speaker = Speaker {
            sender,
            user: None,
            member: None,
        };
        self.change(|entry| entry.speaker = Some(Box::new(speaker)));
    }

    /// It is this user, and this connection in rooms if it can be in rooms.
    pub(crate) fn is(&self, user: User, member: Option<ConnectionId>) {
        self.change(|entry| {
            if let Some(speaker) = &mut entry.speaker {
                speaker.user = Some(user);
                speaker.member = member;
            }
        });
    }

    fn change(&self, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.open.lock().get_mut(self.key as usize) {
            change(entry);
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.open.held.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let entry = self.open.lock().try_remove(self.key as usize);
        // Not under the lock: it may be the last to hold on to a connection.
        drop(entry);
        let of_app = self.open.of_app(self.app);
        of_app.open.fetch_sub(1, Ordering::Relaxed);
        self.open.number.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_counts_until_it_is_dropped() {
        let connections = Connections::default();
        let first = connections.count();
        let second = connections.clone().count();
        assert_eq!(connections.number(), 2);
        drop(first);
        assert_eq!(connections.number(), 1);
        drop(second);
        assert_eq!(connections.number(), 0);
    }

    #[test]
    fn each_app_counts_its_own() {
        let connections = Connections::default();
        let (echo, rooms) = (connections.of("echo", 0), connections.of("rooms", 1));
        let first = echo.count();
        drop(rooms.count());
        let nowhere = connections.count();
        first.traffic().received(3);
        rooms.traffic().sent(2, 5);
        assert_eq!(connections.traffic_of("rooms").counts().sent, 2);
        let figures: Vec<_> = connections
            .by_app()
            .filter(|figures| figures.accepted > 0)
            .map(|figures| (figures.app, figures.open, figures.accepted))
            .collect();
        assert_eq!(figures, [("echo", 1, 1), ("rooms", 0, 1), ("none", 1, 1)]);
        let expected = Counts {
            received: 1,
            received_bytes: 3,
            sent: 2,
            sent_bytes: 5,
        };
        assert_eq!(connections.counts(), expected);
        drop(nowhere);
    }

    #[test]
    fn they_are_listed_page_by_page_and_known_by_ids_that_are_not_used_again() {
        let connections = Connections::default().of("echo", 3);
        let open: Vec<_> = (0..5).map(|_| connections.count()).collect();
        let ids = |skip, limit| {
            let (page, count) = connections.list(skip, limit);
            let ids: Vec<_> = page.into_iter().map(|listed| listed.id).collect();
            (ids, count)
        };
        assert_eq!(ids(1, 2), (vec!["1-1".into(), "2-2".into()], 5));
        assert_eq!(ids(4, 2).0, ["4-4"]);
        assert_eq!(ids(5, 2), (vec![], 5));
        drop(open);
        assert_eq!(ids(0, 9), (vec![], 0));
        let _again = connections.count();
        let (page, _) = connections.list(0, 9);
        assert!(page[0].id.ends_with("-5"), "{}", page[0].id);
        assert_eq!(page[0].mount, Some(3));
    }

    #[test]
    fn nobody_is_closed_by_an_id_that_is_none() {
        let connections = Connections::default();
        let _counted = connections.count();
        for id in [
            "",
            "-",
            "0",
            "0-",
            "0-1",
            "1-0",
            "x-0",
            "99999999999999999999-0",
        ] {
            assert!(!connections.close(id, crate::close::ENDED), "{id}");
        }
    }

    #[test]
    fn an_idle_connection_takes_little_in_the_list() {
        let size = size_of::<Entry>();
        assert!(size <= 64, "{size} bytes");
        let size = size_of::<Counted>();
        assert!(size <= 16, "{size} bytes");
    }
}

//! The open WebSockets: how many there are, what goes over them, and which limits they hit.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::admission::Place;
use crate::limits_hit::LimitsHit;
use crate::traffic::Traffic;

/// Counts the open WebSockets of a server, and their messages.
#[derive(Clone, Debug, Default)]
pub(crate) struct Connections(Arc<Seat>);

/// One that is counted, until this is dropped.
#[derive(Debug)]
pub(crate) struct Counted(Arc<Seat>);

/// What a connection that is counted leads to: the same for all, unless it has a place of its own.
/// So each keeps one pointer.
#[derive(Debug, Default)]
struct Seat {
    all: Arc<All>,
    /// The messages of all, without a way round.
    traffic: Traffic,
    _place: Option<Place>,
}

#[derive(Debug, Default)]
struct All {
    number: AtomicUsize,
    limits_hit: LimitsHit,
}

impl Connections {
    /// Counts one more, unless there are as many as may be. It keeps `place` as long.
    ///
    /// It is counted before its handshake is answered, so that whoever has the answer
    /// finds itself counted.
    pub(crate) fn count_below(
        &self,
        most: Option<NonZeroUsize>,
        place: Option<Place>,
    ) -> Option<Counted> {
        let most = most.map_or(usize::MAX, NonZeroUsize::get);
        let more = |number| (number < most).then_some(number + 1);
        let (set, read) = (Ordering::Relaxed, Ordering::Relaxed);
        self.0.all.number.fetch_update(set, read, more).ok()?;
        Some(Counted(match place {
            None => self.0.clone(),
            place => Arc::new(Seat {
                all: self.0.all.clone(),
                traffic: self.0.traffic.clone(),
                _place: place,
            }),
        }))
    }

    /// Counts one more, however many there are.
    #[cfg(test)]
    pub(crate) fn count(&self) -> Counted {
        self.count_below(None, None).expect("no bound")
    }

    /// How many there are.
    pub(crate) fn number(&self) -> usize {
        self.0.all.number.load(Ordering::Relaxed)
    }

    /// The messages of all.
    pub(crate) fn traffic(&self) -> &Traffic {
        &self.0.traffic
    }

    /// The limits that all hit.
    pub(crate) fn limits_hit(&self) -> &LimitsHit {
        &self.0.all.limits_hit
    }
}

impl Counted {
    /// The messages of all.
    pub(crate) fn traffic(&self) -> &Traffic {
        &self.0.traffic
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.all.number.fetch_sub(1, Ordering::Relaxed);
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
}

//! The open WebSockets: how many there are, what goes over them, and which limits they hit.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::limits_hit::LimitsHit;
use crate::traffic::Traffic;

/// Counts the open WebSockets of a server, and their messages.
#[derive(Clone, Debug, Default)]
pub(crate) struct Connections(Arc<Open>);

/// One that is counted, until this is dropped.
#[derive(Debug)]
pub(crate) struct Counted(Arc<Open>);

#[derive(Debug, Default)]
struct Open {
    number: AtomicUsize,
    traffic: Traffic,
    limits_hit: LimitsHit,
}

impl Connections {
    /// Counts one more.
    ///
    /// It is counted before its handshake is answered, so that whoever has the answer
    /// finds itself counted.
    pub(crate) fn count(&self) -> Counted {
        self.0.number.fetch_add(1, Ordering::Relaxed);
        Counted(self.0.clone())
    }

    /// How many there are.
    pub(crate) fn number(&self) -> usize {
        self.0.number.load(Ordering::Relaxed)
    }

    /// The messages of all.
    pub(crate) fn traffic(&self) -> &Traffic {
        &self.0.traffic
    }

    /// The limits that all hit.
    pub(crate) fn limits_hit(&self) -> &LimitsHit {
        &self.0.limits_hit
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
        self.0.number.fetch_sub(1, Ordering::Relaxed);
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

//! The open connections of a server: how a stop reaches all of them.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Waker;

use slab::Slab;
use telsiz_proto::CloseFrame;
use tokio::sync::Notify;

/// The connections of one server, or of one of its workers.
#[derive(Default)]
pub(crate) struct Registry {
    stop: OnceLock<CloseFrame>,
    /// Whom to wake, for each connection that waits.
    wakers: Mutex<Slab<Option<Waker>>>,
    emptied: Notify,
}

/// A connection's place in a [`Registry`], given up when dropped.
pub(crate) struct Lease {
    registry: Arc<Registry>,
    key: usize,
}

impl Registry {
    pub(crate) fn lease(self: &Arc<Self>) -> Lease {
        Lease {
            key: self.lock().insert(None),
            registry: self.clone(),
        }
    }

    /// The number of connections.
    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    /// Tells all connections to close with `frame`, those to come too.
    pub(crate) fn stop(&self, frame: CloseFrame) {
        let _ = self.stop.set(frame);
        let wakers: Vec<_> = self
            .lock()
            .iter_mut()
            .filter_map(|(_, w)| w.take())
            .collect();
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Waits until no connection is left.
    pub(crate) async fn emptied(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.len() == 0 {
                return;
            }
            emptied.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Slab<Option<Waker>>> {
        self.wakers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease {
    /// Says whom to wake when the server stops. Look at [`Lease::stop`] after it.
    pub(crate) fn register(&self, waker: &Waker) {
        if let Some(place) = self.registry.lock().get_mut(self.key) {
            *place = Some(waker.clone());
        }
    }

    /// The frame to close with, if the server stops.
    pub(crate) fn stop(&self) -> Option<&CloseFrame> {
        self.registry.stop.get()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut wakers = self.registry.lock();
        let waker = wakers.try_remove(self.key);
        let empty = wakers.is_empty();
        drop(wakers);
        drop(waker);
        if empty {
            self.registry.emptied.notify_waiters();
        }
    }
}

//! The clients that have an id: its connections, and whether it is here or away.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use telsiz::Sender;
use telsiz_hub::{ConnectionId, Status};

use crate::close;

/// The clients that have an id. Several connections may have the same one. Cloning counts a
/// reference.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clients(Arc<Mutex<HashMap<Arc<str>, Known>>>);

/// What is known of an id as long as it has a connection.
#[derive(Debug, Default)]
struct Known {
    status: Status,
    connections: Vec<(ConnectionId, Sender)>,
}

/// A connection among the [`Clients`], until it is dropped.
#[derive(Debug)]
pub(crate) struct Client {
    clients: Clients,
    id: Arc<str>,
    connection: ConnectionId,
}

impl Clients {
    /// Adds a connection of `id`. If it takes over, all others of that id are closed.
    pub(crate) fn enter(
        &self,
        id: &Arc<str>,
        connection: ConnectionId,
        sender: Sender,
        takes_over: bool,
    ) -> Client {
        let mut all = self.lock();
        let known = all.entry(id.clone()).or_default();
        let older = if takes_over {
            known.connections.clone()
        } else {
            Vec::new()
        };
        known.connections.push((connection, sender));
        drop(all);
        for (_, sender) in older {
            sender.close(close::REPLACED);
        }
        Client {
            clients: self.clone(),
            id: id.clone(),
            connection,
        }
    }

    /// Whether a client is here or away.
    pub(crate) fn status(&self, id: &str) -> Status {
        self.lock()
            .get(id)
            .map_or(Status::Online, |known| known.status)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Client {
    /// It is here or away, with all its connections.
    pub(crate) fn set_status(&self, status: Status) {
        if let Some(known) = self.clients.lock().get_mut(&self.id) {
            known.status = status;
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let mut all = self.clients.lock();
        let Some(known) = all.get_mut(&self.id) else {
            return;
        };
        let place = known
            .connections
            .iter()
            .position(|(known, _)| *known == self.connection);
        let sender = place.map(|place| known.connections.swap_remove(place));
        if known.connections.is_empty() {
            all.remove(&self.id);
        }
        // Not under the lock, whatever this drops.
        drop(all);
        drop(sender);
    }
}

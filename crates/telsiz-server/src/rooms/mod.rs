//! The rooms of the server: what the apps that speak of rooms, and HTTP, share.

use std::sync::{Arc, OnceLock};

use telsiz_hub::{AllowAll, Clock, Engine, Hub, HubOptions};

use crate::connections::Connections;
use crate::limits_hit::Limit;

pub(crate) use self::arrival::sit_down;
pub(crate) use self::asked::{HISTORY_PAGE, Key, Number};
pub(crate) use self::clients::{Client, Clients};
pub(crate) use self::dialect::Dialect;
pub(crate) use self::limits::RoomLimits;
pub(crate) use self::line::Line;
pub(crate) use self::outlet::Outlet;
pub(crate) use self::said::{Chat, History, MemberEntry};
pub(crate) use self::seats::Seats;

mod arrival;
mod asked;
#[cfg(test)]
mod at_scale;
mod clients;
mod dialect;
mod limits;
mod line;
mod outlet;
mod said;
mod seats;
pub(crate) mod texts;

/// The room of those who name none.
pub(crate) const DEFAULT_ROOM: &str = "genel";

/// How many entries a list of members has at most.
pub(crate) const LIST: usize = 500;

/// The way into rooms through the worker that serves a connection.
pub(crate) type Worker = telsiz_hub::Worker<Outlet>;

/// The rooms of the server. Cloning counts a reference.
#[derive(Clone, Debug)]
pub(crate) struct Rooms(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    hub: Arc<Hub>,
    /// One for each thread, which begins with its first connection.
    workers: Box<[OnceLock<Arc<Worker>>]>,
    clients: Clients,
    connections: Connections,
    limits: RoomLimits,
}

impl Rooms {
    /// On `engine`, for so many threads.
    pub(crate) fn new(
        engine: Arc<dyn Engine>,
        clock: Clock,
        workers: usize,
        connections: &Connections,
        limits: RoomLimits,
    ) -> Self {
        let options = HubOptions {
            max_members: limits.max_members,
            max_text: limits.max_publish_size,
            ..HubOptions::default()
        };
        let hub = Hub::new(engine, AllowAll, clock, options);
        Self(Arc::new(Inner {
            hub,
            workers: (0..workers.max(1)).map(|_| OnceLock::new()).collect(),
            clients: Clients::default(),
            connections: connections.clone(),
            limits,
        }))
    }

    /// The hub.
    pub(crate) fn hub(&self) -> &Arc<Hub> {
        &self.0.hub
    }

    /// How many rooms somebody is in.
    pub(crate) fn number(&self) -> usize {
        self.0.hub.room_count()
    }

    /// The clients that have an id.
    pub(crate) fn clients(&self) -> &Clients {
        &self.0.clients
    }

    /// How they are limited.
    pub(crate) fn limits(&self) -> &RoomLimits {
        &self.0.limits
    }

    /// Counts that somebody hit `limit`.
    pub(crate) fn hit(&self, limit: Limit) {
        self.0.connections.limits_hit().count(limit);
    }

    /// The worker of the thread with this number, on which this must be called.
    pub(crate) fn worker(&self, number: usize) -> Arc<Worker> {
        let Inner {
            hub,
            workers,
            connections,
            ..
        } = &*self.0;
        let place = &workers[number % workers.len()];
        let worker = place.get_or_init(|| {
            let worker = hub.worker(Outlet::new(connections.clone()));
            let running = worker.clone();
            tokio::spawn(async move { running.run().await });
            worker
        });
        worker.clone()
    }
}

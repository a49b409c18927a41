//! The figures on their way to all who listen: taken once for all, and only while somebody does.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use telsiz::{Prepared, Sender};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::messages::FromServer;
use super::sample::Sampler;
use crate::audience::{Audience, Member};
use crate::rules::Site;

/// The time between two figures.
const PERIOD: Duration = Duration::from_secs(1);

/// The figures of a mount.
#[derive(Debug)]
pub(super) struct Stream {
    audience: Arc<Audience<()>>,
    listening: Mutex<Listening>,
    sampler: Mutex<Sampler>,
    newest: Mutex<Option<(Instant, Prepared)>>,
    /// How often figures were taken.
    taken: AtomicUsize,
}

/// Who listens.
#[derive(Debug, Default)]
struct Listening {
    listeners: usize,
    /// Whether somebody takes the figures.
    is_served: bool,
}

/// A connection that listens, until this is dropped.
#[derive(Debug)]
pub(super) struct Listener {
    stream: Arc<Stream>,
    _member: Member<()>,
}

impl Stream {
    /// Those of a server.
    pub(super) fn of(site: &Site) -> Self {
        let sampler = Sampler::new(site.connections.clone(), site.rooms.clone());
        Self {
            audience: Arc::new(Audience::counted_by(site.connections.traffic())),
            listening: Mutex::default(),
            sampler: Mutex::new(sampler),
            newest: Mutex::default(),
            taken: AtomicUsize::new(0),
        }
    }

    /// The newest figures, at most a second old.
    pub(super) async fn newest(self: &Arc<Self>) -> Option<Prepared> {
        if let Some(newest) = self.known() {
            return Some(newest);
        }
        let stream = self.clone();
        // The kernel may take its time.
        let taken = spawn_blocking(move || {
            let mut sampler = lock(&stream.sampler);
            // Somebody else may have been before us.
            stream.known().unwrap_or_else(|| stream.take(&mut sampler))
        });
        taken.await.ok()
    }

    fn known(&self) -> Option<Prepared> {
        let newest = lock(&self.newest);
        let (taken, newest) = newest.as_ref()?;
        (taken.elapsed() < PERIOD).then(|| newest.clone())
    }

    fn take(&self, sampler: &mut Sampler) -> Prepared {
        self.taken.fetch_add(1, Ordering::Relaxed);
        let figures = Prepared::new(FromServer::Figures(sampler.take()).to_json());
        *lock(&self.newest) = Some((Instant::now(), figures.clone()));
        figures
    }

    /// Sends somebody the `newest` figures, and then others as they come.
    pub(super) fn listen(self: &Arc<Self>, sender: Sender, newest: Option<Prepared>) -> Listener {
        let member = self.audience.join(());
        match newest {
            Some(newest) => member.open_with(sender, newest, None),
            None => member.open(sender),
        }
        let mut listening = lock(&self.listening);
        listening.listeners += 1;
        if !std::mem::replace(&mut listening.is_served, true) {
            tokio::spawn(self.clone().serve());
        }
        Listener {
            stream: self.clone(),
            _member: member,
        }
    }

    /// Takes the figures again and again until nobody listens.
    async fn serve(self: Arc<Self>) {
        let mut ticks = interval_at(Instant::now() + PERIOD, PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            {
                let mut listening = lock(&self.listening);
                if listening.listeners == 0 {
                    listening.is_served = false;
                    return;
                }
            }
            let stream = self.clone();
            let taken = spawn_blocking(move || stream.take(&mut lock(&stream.sampler)));
            if let Ok(figures) = taken.await {
                self.audience.send_to_all(|()| Some(figures.clone()));
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        lock(&self.stream.listening).listeners -= 1;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic leaves at worst figures that were not sent.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use telsiz::{Upgrade, WebSocket};

    use super::*;
    use crate::testing::{self, connect, text};

    async fn served() -> (Arc<Stream>, std::net::SocketAddr) {
        let stream = Arc::new(Stream::of(&testing::site()));
        let local = stream.clone();
        let address = testing::serve(|serve| {
            serve.fallback(move |upgrade: Upgrade| {
                let stream = local.clone();
                async move {
                    let (mut receiver, sender) = upgrade.accept().await?.split();
                    let newest = stream.newest().await;
                    let _listener = stream.listen(sender, newest);
                    receiver.recv().await
                }
            })
        })
        .await;
        (stream, address)
    }

    async fn listener(address: std::net::SocketAddr) -> WebSocket {
        let mut listener = connect(address, "/").await;
        text(&mut listener).await;
        listener
    }

    #[tokio::test]
    async fn figures_are_taken_once_for_all() {
        let (stream, address) = served().await;
        let mut listeners = Vec::new();
        for _ in 0..20 {
            listeners.push(listener(address).await);
        }
        let mut same = Vec::new();
        for listener in &mut listeners {
            same.push(text(listener).await);
        }
        assert!(same.iter().all(|figures| *figures == same[0]), "{same:?}");
        assert!(stream.taken.load(Ordering::Relaxed) <= 4);
    }

    #[tokio::test]
    async fn nothing_is_taken_while_nobody_listens() {
        let (stream, address) = served().await;
        assert_eq!(stream.taken.load(Ordering::Relaxed), 0);
        let mut first = listener(address).await;
        text(&mut first).await;
        first.close(telsiz::CloseCode::NORMAL).await;
        let is_served = || lock(&stream.listening).is_served;
        for _ in 0..200 {
            if !is_served() {
                break;
            }
            // Nothing here wakes us when a task ends.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(!is_served());
        let taken = stream.taken.load(Ordering::Relaxed);
        // It begins again for the next.
        let mut second = listener(address).await;
        text(&mut second).await;
        assert!(stream.taken.load(Ordering::Relaxed) > taken);
    }
}

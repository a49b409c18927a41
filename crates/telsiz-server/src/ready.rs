//! Whether the server can do its work, and if not, why.

use std::sync::Arc;
use std::time::Duration;

use telsiz::Stopper;
use telsiz_hub::{EngineError, Hub};
use tokio::time::interval;

use crate::lang::Lang;

/// For how long something may wait to be delivered.
const LATE: Duration = Duration::from_secs(10);

/// The time between two looks at it.
const LOOK: Duration = Duration::from_secs(1);

/// Whether a server can do its work. Cloning counts a reference.
#[derive(Clone, Debug, Default)]
pub(crate) struct Readiness {
    stopper: Stopper,
}

/// Why a server cannot do its work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unready {
    /// It was told to stop.
    Stopping,
    /// What is said cannot be stored: why, and what to do.
    Storage(Arc<str>),
    /// What was published is not delivered for so long.
    Delivery(Duration),
}

impl Readiness {
    /// Of a server that this stops.
    pub(crate) fn of(stopper: Stopper) -> Self {
        Self { stopper }
    }

    /// All that is wrong with a server that has these rooms; nothing if it is ready.
    pub(crate) fn reasons(&self, hub: &Hub) -> Vec<Unready> {
        let stopping = self.stopper.is_stopping();
        let storage = match hub.engine().ready() {
            Ok(()) => None,
            Err(EngineError::Closed) if stopping => None,
            Err(EngineError::Closed) => Some(Unready::Stopping),
            Err(error) => Some(Unready::Storage(error.to_string().into())),
        };
        let stopping = stopping.then_some(Unready::Stopping);
        let (_, late) = hub.waiting();
        let delivery = (late >= LATE).then_some(Unready::Delivery(late));
        stopping
            .into_iter()
            .chain(storage)
            .chain(delivery)
            .collect()
    }

    /// Logs when the server becomes ready or no longer is, but for a stop, which is logged where
    /// it is asked for.
    pub(crate) async fn watch(self, hub: Arc<Hub>) {
        let mut ticks = interval(LOOK);
        let mut before = Vec::new();
        loop {
            ticks.tick().await;
            let reasons = self.reasons(&hub);
            let is_news = |reason: &&Unready| {
                let is_same = |known: &Unready| known.name() == reason.name();
                **reason != Unready::Stopping && !before.iter().any(is_same)
            };
            for reason in reasons.iter().filter(is_news) {
                let why = reason.explain(Lang::En);
                tracing::error!(check = reason.name(), "not ready: {why}");
            }
            if reasons.is_empty() && !before.is_empty() {
                tracing::info!("ready again");
            }
            before = reasons;
        }
    }
}

impl Unready {
    /// What it is called for programs.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Stopping => "stopping",
            Self::Storage(_) => "storage",
            Self::Delivery(_) => "delivery",
        }
    }

    /// Says so.
    pub(crate) fn explain(&self, lang: Lang) -> String {
        match (self, lang) {
            (Self::Stopping, Lang::Tr) => "sunucu durduruluyor".into(),
            (Self::Stopping, Lang::En) => "the server is stopping".into(),
            (Self::Storage(why), Lang::Tr) => format!("söylenenler kaydedilemiyor: {why}"),
            (Self::Storage(why), Lang::En) => format!("what is said cannot be stored: {why}"),
            (Self::Delivery(late), Lang::Tr) => {
                format!("söylenenler {} saniyedir dağıtılamıyor", late.as_secs())
            }
            (Self::Delivery(late), Lang::En) => format!(
                "what is said has waited for {} seconds to be delivered",
                late.as_secs()
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[tokio::test]
    async fn it_is_ready_until_it_stops_and_says_so_once() {
        let (site, readiness) = (testing::site(), Readiness::default());
        let hub = site.rooms.hub();
        assert_eq!(readiness.reasons(hub), []);
        readiness.stopper.stop();
        assert_eq!(readiness.reasons(hub), [Unready::Stopping]);
        hub.engine().close().await;
        assert_eq!(readiness.reasons(hub), [Unready::Stopping]);
        let other = Readiness::default();
        assert_eq!(other.reasons(hub), [Unready::Stopping]);
    }
}

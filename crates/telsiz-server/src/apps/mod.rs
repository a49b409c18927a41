//! The apps: what is said on the connections of a path.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::future::Either;
use telsiz::{Error, Serve, Upgrade};

use crate::close;
use crate::connections::Counted;
use crate::json::Schema;
use crate::lang::ByLang;
use crate::rules::Site;

pub(crate) use self::relay::Relay;

mod broadcast;
mod echo;
mod envelope;
mod lobby;
mod numbered;
mod relay;
mod room;
mod rooms;
mod stats;
mod typed;

/// All apps, in the order in which they are shown.
pub(crate) const APPS: [&App; 10] = [
    &echo::APP,
    &broadcast::APP,
    &relay::APP,
    &lobby::APP,
    &room::APP,
    &rooms::APP,
    &envelope::APP,
    &typed::APP,
    &numbered::APP,
    &stats::APP,
];

/// A behaviour on a path.
pub(crate) struct App {
    /// What it is called.
    pub(crate) name: &'static str,
    /// The path pattern that it is mounted on by default.
    pub(crate) pattern: &'static str,
    /// What it does, in one line.
    pub(crate) about: ByLang<&'static str>,
    /// The schema of its messages, if they are JSON.
    pub(crate) schema: Option<fn() -> Schema>,
    /// Adds it to a server.
    mount: fn(Mounting) -> Mounting,
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// A server to which apps are being added.
#[derive(Debug)]
pub(crate) struct Mounting {
    /// The server.
    pub(crate) serve: Serve,
    /// What they share.
    pub(crate) site: Arc<Site>,
    /// Whether the app to come is alone, and so serves every path.
    pub(crate) alone: bool,
    /// The relay, if it was mounted: requests over HTTP go through it.
    pub(crate) relay: Option<Arc<Relay>>,
}

impl Mounting {
    /// Adds `app`.
    pub(crate) fn mount(self, app: &App) -> Self {
        (app.mount)(self)
    }

    /// Serves the connections of `app` with `handle`, once they passed the gate. Each is
    /// counted from before its handshake is answered.
    fn handle<F, R>(self, app: &App, handle: F) -> Self
    where
        F: Fn(Upgrade, Counted) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = Result<(), Error>> + Send + 'static,
    {
        self.handle_on(&[app.pattern], handle)
    }

    /// As [`Mounting::handle`], on several patterns.
    fn handle_on<F, R>(mut self, patterns: &[&str], handle: F) -> Self
    where
        F: Fn(Upgrade, Counted) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = Result<(), Error>> + Send + 'static,
    {
        let handle = behind_gate(&self.site, handle);
        for pattern in patterns {
            self.serve = self.serve.route(pattern, handle.clone());
        }
        if self.alone {
            self.serve = self.serve.fallback(handle);
        }
        self
    }

    /// Tells everyone on other paths that nothing is there.
    pub(crate) fn nothing_elsewhere(mut self) -> Self {
        let nothing = |upgrade: Upgrade, counted: Counted| async {
            upgrade.accept_and_close(close::UNKNOWN_ENDPOINT).await;
            drop(counted);
            Ok(())
        };
        self.serve = self.serve.fallback(behind_gate(&self.site, nothing));
        self
    }
}

/// A handler of those upgrades that pass the gate; the others are refused.
fn behind_gate<F, R>(
    site: &Arc<Site>,
    handle: F,
) -> impl Fn(Upgrade) -> Either<R, Refusing> + Clone + use<F, R>
where
    F: Fn(Upgrade, Counted) -> R + Clone,
{
    let site = site.clone();
    move |upgrade| match site.admit(upgrade) {
        Ok(upgrade) => Either::Left(handle(upgrade, site.connections.count())),
        Err((upgrade, refusal)) => {
            // In a box: nobody else keeps room for it.
            Either::Right(Box::pin(async {
                refusal.answer(upgrade).await;
                Ok(())
            }))
        }
    }
}

/// An upgrade that is being refused.
type Refusing = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

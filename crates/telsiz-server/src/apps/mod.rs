//! The apps: what is said on the connections of a path.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::future::Either;
use telsiz::{Error, Serve, Upgrade};

use crate::close;
use crate::config::Mount;
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

/// What they are called.
pub(crate) const NAMES: [&str; APPS.len()] = {
    let mut names = [""; APPS.len()];
    let mut index = 0;
    while index < names.len() {
        names[index] = APPS[index].name;
        index += 1;
    }
    names
};

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
    mount: fn(Mounting<'_>) -> Mounting<'_>,
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// A server to which an app is being added.
#[derive(Debug)]
pub(crate) struct Mounting<'m> {
    /// The server.
    pub(crate) serve: Serve,
    /// What the connections of the mount share, some of it with those of all others.
    pub(crate) site: Arc<Site>,
    /// Which app is where.
    pub(crate) mount: &'m Mount,
    /// Whether the app is alone, and so serves every path.
    pub(crate) alone: bool,
    /// The relays that were mounted.
    pub(crate) relays: Vec<Arc<Relay>>,
}

impl Mounting<'_> {
    /// Adds the app.
    pub(crate) fn mount(self) -> Self {
        (self.mount.app().mount)(self)
    }

    /// Serves the connections of the mount with `handle`, once they passed the gate. Each is
    /// counted from before its handshake is answered.
    fn handle<F, R>(mut self, handle: F) -> Self
    where
        F: Fn(Upgrade, Counted) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = Result<(), Error>> + Send + 'static,
    {
        let handle = behind_gate(&self.site, handle);
        for pattern in self.mount.patterns() {
            self.serve = self.serve.route(pattern, handle.clone());
        }
        if self.alone {
            self.serve = self.serve.fallback(handle);
        }
        self
    }
}

/// Tells everyone on other paths that nothing is there.
pub(crate) fn nothing_elsewhere(serve: Serve, site: &Arc<Site>) -> Serve {
    let nothing = |upgrade: Upgrade, counted: Counted| async move {
        counted.accepted();
        upgrade.accept_and_close(close::UNKNOWN_ENDPOINT).await;
        Ok(())
    };
    serve.fallback(behind_gate(site, nothing))
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
        Ok((upgrade, counted)) => Either::Left(handle(upgrade, counted)),
        Err(turned_away) => {
            // In a box: nobody else keeps room for it.
            Either::Right(Box::pin(async {
                turned_away.answer().await;
                Ok(())
            }))
        }
    }
}

/// An upgrade that is being refused.
type Refusing = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

//! The apps: what is said on the connections of a path.

use std::fmt;
use std::sync::Arc;

use telsiz::{Error, Receiver, Sender, Serve, Upgrade};

use crate::connections::{Connections, Counted};
use crate::lang::{ByLang, Lang};
use crate::limits::Limits;

pub(crate) use self::relay::Relay;

mod broadcast;
mod echo;
mod numbered;
mod relay;
mod typed;

/// All apps, in the order in which they are shown.
pub(crate) const APPS: [&App; 5] = [
    &echo::APP,
    &broadcast::APP,
    &relay::APP,
    &numbered::APP,
    &typed::APP,
];

/// A behaviour on a path.
pub(crate) struct App {
    /// What it is called.
    pub(crate) name: &'static str,
    /// The path pattern that it is mounted on by default.
    pub(crate) pattern: &'static str,
    /// What it does, in one line.
    pub(crate) about: ByLang<&'static str>,
    /// Adds it to a server.
    mount: fn(Mounting) -> Mounting,
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// What all apps of a server share.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    /// The language of those who ask for none.
    pub(crate) lang: Lang,
    /// What a connection may send.
    pub(crate) limits: Limits,
    /// How many there are.
    pub(crate) connections: Connections,
}

impl Site {
    /// The language that a client reads.
    pub(crate) fn lang_of(&self, upgrade: &Upgrade) -> Lang {
        Lang::asked(upgrade.query_param("lang").as_deref()).unwrap_or(self.lang)
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

    /// Serves the connections of `app` with `handle`. Each is counted from before
    /// its handshake is answered.
    fn handle<F, R>(mut self, app: &App, handle: F) -> Self
    where
        F: Fn(Upgrade, Counted) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = Result<(), Error>> + Send + 'static,
    {
        let connections = self.site.connections.clone();
        let handle = move |upgrade| handle(upgrade, connections.count());
        self.serve = self.serve.route(app.pattern, handle.clone());
        if self.alone {
            self.serve = self.serve.fallback(handle);
        }
        self
    }
}

/// Answers a handshake; the halves of the connection.
async fn open(upgrade: Upgrade) -> Result<(Receiver, Sender), Error> {
    Ok(upgrade.accept().await?.split())
}

/// Whose own answers pile up reads them before it is heard again.
async fn keep_pace(sender: &Sender) -> Result<(), Error> {
    /// As much as other connections let pile up.
    const PILE: usize = 64 * 1024;
    match sender.backlog() > PILE {
        true => sender.flush().await,
        false => Ok(()),
    }
}

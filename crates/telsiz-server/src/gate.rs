//! What an upgrade has to pass before its app sees it.

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode};
use telsiz::{CloseFrame, Options, Upgrade};

use crate::admission::Full;
use crate::close;
use crate::connections::Counted;
use crate::http::Refusal;
use crate::json::WrongField;
use crate::lang::{ByLang, Lang};
use crate::limits_hit::Limit;
use crate::rules::Site;
use crate::unopened::Reason;

/// The sub-protocol of our own clients.
const OURS: &str = "telsiz.v1";

/// The start of one that carries a token.
const BEARER: &str = "bearer.";

/// After so long a place may be free.
const PUT_OFF: Duration = Duration::from_secs(5);

/// How long a client of ours that is accepted only to be closed may take to go.
const LINGER: Duration = Duration::from_secs(2);

/// An upgrade that does not get in.
pub(crate) struct TurnedAway {
    upgrade: Upgrade,
    refusal: Refusal,
    /// What our own clients are closed with instead: browsers hide HTTP answers from them. Others
    /// would count an accepted connection as a success and come again for ever.
    frame: Option<CloseFrame>,
    /// Of such a connection.
    options: Options,
}

impl Site {
    /// Lets an upgrade in and counts it, or tells how to refuse it.
    pub(crate) fn admit(&self, upgrade: Upgrade) -> Result<(Upgrade, Counted), Box<TurnedAway>> {
        // Not even ours are accepted and closed with 1012: after a 503 a balancer asks another server,
        // and a client waits longer each time.
        if let Some(refusal) = self.stopping.refusal(self.http_lang(upgrade.headers())) {
            return Err(TurnedAway::refused(upgrade, refusal));
        }
        if let Some(origin) = self.origins.foreign(upgrade.headers()) {
            self.connections.refused().count(Reason::Origin);
            let lang = self.http_lang(upgrade.headers());
            let refusal = foreign(origin, upgrade.path(), lang);
            return Err(TurnedAway::refused(upgrade, refusal));
        }
        let client = self
            .trusted_proxies
            .client(upgrade.remote_addr(), upgrade.headers());
        match self.admission.admit(&self.connections, client) {
            Ok((counted, held)) => {
                counted.ends_by(upgrade.closer());
                Ok((select_subprotocol(upgrade).keep(held), counted))
            }
            Err(full) => {
                self.connections.limits_hit().count(full.limit);
                tracing::debug!(%client, limit = full.limit.name(), "refused a WebSocket");
                let (refusal, frame) = full.told(self.http_lang(upgrade.headers()));
                Err(Box::new(TurnedAway {
                    upgrade,
                    refusal,
                    frame: Some(frame),
                    options: self.short(),
                }))
            }
        }
    }

    /// The options of a connection that is only closed.
    fn short(&self) -> Options {
        let options = Options::default().close_timeout(LINGER);
        self.connections.hear(options)
    }

    /// Refuses an upgrade whose address has these fields wrong.
    pub(crate) async fn turn_away(&self, upgrade: Upgrade, wrong: &[WrongField]) {
        self.connections.refused().count(Reason::Address);
        let refusal = Refusal::wrong(wrong, self.http_lang(upgrade.headers()));
        refusal.status(StatusCode::FORBIDDEN).answer(upgrade).await;
    }

    /// Refuses an upgrade for which there is no place now; a client of ours is closed with `frame`.
    pub(crate) async fn put_off<T: Into<String>>(
        &self,
        upgrade: Upgrade,
        why: impl FnOnce(Lang) -> T,
        frame: CloseFrame,
    ) {
        let lang = self.http_lang(upgrade.headers());
        let refusal = Refusal::new(StatusCode::SERVICE_UNAVAILABLE, why(lang)).in_lang(lang);
        let turned_away = TurnedAway {
            refusal: refusal.retry_after(PUT_OFF),
            frame: Some(frame),
            options: self.short(),
            upgrade,
        };
        Box::new(turned_away).answer().await;
    }
}

impl TurnedAway {
    /// One that is refused, whoever it is.
    fn refused(upgrade: Upgrade, refusal: Refusal) -> Box<Self> {
        Box::new(Self {
            upgrade,
            refusal,
            frame: None,
            options: Options::default(),
        })
    }

    /// Tells the client.
    pub(crate) async fn answer(self: Box<Self>) {
        let is_ours = self.upgrade.subprotocols().any(|name| name == OURS);
        match self.frame.filter(|_| is_ours) {
            Some(frame) => {
                let upgrade = self.upgrade.subprotocol(OURS).options(self.options);
                upgrade.accept_and_close(frame).await;
            }
            None => self.refusal.answer(self.upgrade).await,
        }
    }
}

impl Full {
    /// How a client is told.
    fn told(self, lang: Lang) -> (Refusal, CloseFrame) {
        let (text, frame) = match self.limit {
            Limit::ConnectionsPerAddress => (
                ByLang {
                    tr: "Bu adresten çok fazla bağlantı var; birini kapatın ya da daha sonra deneyin",
                    en: "There are too many connections from this address; close one or try again later",
                },
                close::TOO_MANY_CONNECTIONS,
            ),
            Limit::Handshakes => (
                ByLang {
                    tr: "Şu anda çok fazla istemci bağlanıyor; daha sonra deneyin",
                    en: "Too many clients are connecting at the moment; try again later",
                },
                close::TOO_MANY_HANDSHAKES,
            ),
            _ => (
                ByLang {
                    tr: "Sunucuda çok fazla bağlantı var; daha sonra deneyin",
                    en: "The server has too many connections; try again later",
                },
                close::TOO_MANY_CONNECTIONS,
            ),
        };
        let refusal = Refusal::new(StatusCode::SERVICE_UNAVAILABLE, text.of(lang));
        (refusal.in_lang(lang).retry_after(self.retry_after), frame)
    }
}

/// Refuses a page of `origin`, and logs what to set.
fn foreign(origin: &HeaderValue, path: &str, lang: Lang) -> Refusal {
    let origin = String::from_utf8_lossy(origin.as_bytes());
    // Both are as long as a head may be.
    let (named, path) = (start(&origin), start(path));
    tracing::warn!(
        origin = named,
        path,
        "refused a WebSocket of a page from another origin; to allow it, start the server with \
         --allow-origin {named:?}"
    );
    let detail = match lang {
        Lang::Tr => format!(
            "{origin} sayfalarının bağlanmasına izin verilmiyor. İzin vermek için sunucuyu \
             --allow-origin {origin} ile başlatın."
        ),
        Lang::En => format!(
            "Pages of {origin} may not connect. To allow it, start the server with \
             --allow-origin {origin}."
        ),
    };
    Refusal::new(StatusCode::FORBIDDEN, detail).in_lang(lang)
}

/// As much of a text as a line of the log can hold.
fn start(text: &str) -> &str {
    let end = text.char_indices().nth(200);
    end.and_then(|(end, _)| text.get(..end)).unwrap_or(text)
}

/// Of the sub-protocols that are offered ours is selected, else one that carries a token: a browser
/// that offered some gives up unless one of them is.
fn select_subprotocol(upgrade: Upgrade) -> Upgrade {
    let offered = || upgrade.subprotocols();
    let ours = offered().find(|name| *name == OURS);
    let selected = ours.or_else(|| offered().find(|name| name.starts_with(BEARER)));
    match selected.map(str::to_owned) {
        Some(name) => upgrade.subprotocol(&name),
        None => upgrade,
    }
}

//! What an upgrade has to pass before its app sees it.

use axum::http::{HeaderValue, StatusCode};
use telsiz::{CloseFrame, Upgrade};

use crate::http::Refusal;
use crate::json::WrongField;
use crate::lang::Lang;
use crate::rules::Site;

/// The sub-protocol of our own clients.
const OURS: &str = "telsiz.v1";

/// The start of one that carries a token.
const BEARER: &str = "bearer.";

impl Site {
    /// Lets an upgrade in, or tells how to refuse it.
    pub(crate) fn admit(&self, upgrade: Upgrade) -> Result<Upgrade, (Upgrade, Refusal)> {
        // Not even ours are accepted and closed with 1012: after a 503 a balancer asks another server,
        // and a client waits longer each time.
        if let Some(refusal) = self.stopping.refusal(self.http_lang(upgrade.headers())) {
            return Err((upgrade, refusal));
        }
        if let Some(origin) = self.origins.foreign(upgrade.headers()) {
            let lang = self.http_lang(upgrade.headers());
            let refusal = foreign(origin, upgrade.path(), lang);
            return Err((upgrade, refusal));
        }
        Ok(select_subprotocol(upgrade))
    }

    /// Refuses an upgrade whose address has these fields wrong.
    pub(crate) async fn turn_away(&self, upgrade: Upgrade, wrong: &[WrongField]) {
        let refusal = Refusal::wrong(wrong, self.http_lang(upgrade.headers()));
        refusal.status(StatusCode::FORBIDDEN).answer(upgrade).await;
    }

    /// Refuses an upgrade for which there is no room now. A client of ours is accepted and closed with
    /// `frame` instead: browsers hide answers over HTTP from it.
    pub(crate) async fn put_off<T: Into<String>>(
        &self,
        upgrade: Upgrade,
        why: impl FnOnce(Lang) -> T,
        frame: CloseFrame,
    ) {
        if upgrade.subprotocols().any(|name| name == OURS) {
            return upgrade.accept_and_close(frame).await;
        }
        let lang = self.http_lang(upgrade.headers());
        let refusal = Refusal::new(StatusCode::SERVICE_UNAVAILABLE, why(lang)).in_lang(lang);
        refusal.answer(upgrade).await;
    }
}

/// Refuses a page of `origin`, and logs what to set.
fn foreign(origin: &HeaderValue, path: &str, lang: Lang) -> Refusal {
    let origin = String::from_utf8_lossy(origin.as_bytes());
    tracing::warn!(
        ?origin,
        path,
        "refused a WebSocket of a page from another origin; to allow it, start the server with \
         --allow-origin {origin:?}"
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

//! Requests for which there is no page, or which are not for HTTP.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{Method, StatusCode, Uri, header};

use super::extract::Reader;
use super::{Http, Refusal};
use crate::lang::{ByLang, Lang};

/// A path without a page: that of a mount, or none.
pub(super) async fn no_page(
    State(http): State<Arc<Http>>,
    Reader(lang): Reader,
    method: Method,
    uri: Uri,
) -> Refusal {
    match (http.mounts.have(uri.path()), method) {
        (false, _) => not_found(lang, uri.path()),
        (true, Method::GET | Method::HEAD) => upgrade_required(lang),
        (true, method) => refuse(&method, lang).header(header::ALLOW, "GET,HEAD"),
    }
}

fn upgrade_required(lang: Lang) -> Refusal {
    const TEXT: ByLang<&str> = ByLang {
        tr: "Bu yol WebSocket içindir: ws:// ile bağlanın",
        en: "This path is for WebSockets: connect with ws://",
    };
    Refusal::new(StatusCode::UPGRADE_REQUIRED, TEXT.of(lang))
        .in_lang(lang)
        .header(header::UPGRADE, "websocket")
        .header(header::CONNECTION, "Upgrade")
}

fn not_found(lang: Lang, path: &str) -> Refusal {
    let detail = match lang {
        Lang::Tr => format!("Böyle bir sayfa yok: {path}"),
        Lang::En => format!("There is no such page: {path}"),
    };
    Refusal::new(StatusCode::NOT_FOUND, detail).in_lang(lang)
}

/// A page that cannot be asked for like this.
pub(super) async fn no_method(Reader(lang): Reader, method: Method) -> Refusal {
    refuse(&method, lang)
}

/// A page of which there is no head.
pub(super) async fn no_head(Reader(lang): Reader) -> Refusal {
    refuse(&Method::HEAD, lang).header(header::ALLOW, "GET")
}

fn refuse(method: &Method, lang: Lang) -> Refusal {
    let detail = match lang {
        Lang::Tr => format!("Bu sayfa {method} ile istenemez"),
        Lang::En => format!("This page cannot be asked for with {method}"),
    };
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, detail).in_lang(lang)
}

//! Requests for which there is no page, or which are not for HTTP.

use axum::http::{Method, StatusCode, Uri, header};

use super::Refusal;
use super::extract::Reader;
use crate::lang::{ByLang, Lang};

/// The path of an app.
pub(super) async fn upgrade_required(Reader(lang): Reader) -> Refusal {
    const TEXT: ByLang<&str> = ByLang {
        tr: "Bu yol WebSocket içindir: ws:// ile bağlanın",
        en: "This path is for WebSockets: connect with ws://",
    };
    Refusal::new(StatusCode::UPGRADE_REQUIRED, TEXT.of(lang))
        .in_lang(lang)
        .header(header::UPGRADE, "websocket")
        .header(header::CONNECTION, "Upgrade")
}

/// Any other path.
pub(super) async fn not_found(Reader(lang): Reader, uri: Uri) -> Refusal {
    let path = uri.path();
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

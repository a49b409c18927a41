//! Whether the server is there: `/`, `/health` and `/ready`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

use super::extract::Reader;
use super::operation::{Described, Operation, schema_of};
use super::refusal::Refused;
use super::{Http, Refusal, page};
use crate::lang::ByLang;

/// What `/` answers to programs.
#[derive(Debug, Serialize, JsonSchema)]
struct Running {
    message: &'static str,
    connected_clients: usize,
}

/// What `/` answers: a page to browsers, JSON to programs.
#[derive(Debug)]
pub(super) struct Root(Response);

/// Whether the server is well, or ready.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Status {
    status: &'static str,
}

/// `GET /`.
pub(super) async fn root(
    State(http): State<Arc<Http>>,
    Reader(lang): Reader,
    headers: HeaderMap,
) -> Root {
    const RUNNING: ByLang<&str> = ByLang {
        tr: "WebSocket Sunucusu Çalışıyor",
        en: "WebSocket Server Is Running",
    };
    let mut response = match page::is_asked_for(&headers) {
        true => page::page(lang, &http.mounts),
        false => Json(Running {
            message: RUNNING.of(http.site.lang.copy()),
            connected_clients: http.site.connections.number(),
        })
        .into_response(),
    };
    let vary = HeaderValue::from_static("accept, accept-language");
    response.headers_mut().append(header::VARY, vary);
    Root(response)
}

/// `GET /health`.
pub(super) async fn health() -> Json<Status> {
    Json(Status { status: "ok" })
}

/// `GET /ready`: whether the server can do its work, or all that is wrong.
pub(super) async fn ready(
    State(http): State<Arc<Http>>,
    Reader(lang): Reader,
) -> Result<Json<Status>, Refused<503>> {
    let reasons = http.site.readiness.reasons(http.site.rooms.hub());
    match reasons.is_empty() {
        true => Ok(Json(Status { status: "ready" })),
        false => {
            let refusal = Refusal::unready(&reasons, lang);
            Err(Refused(match http.site.stopping.retry_after() {
                Some(time) => refusal.retry_after(time),
                None => refusal,
            }))
        }
    }
}

impl IntoResponse for Root {
    fn into_response(self) -> Response {
        self.0
    }
}

impl Described for Root {
    fn describe(operation: &mut Operation) {
        operation.answers("application/json", schema_of::<Running>);
        operation.answers("text/html", schema_of::<String>);
    }
}

impl Described for HeaderMap {
    fn describe(_: &mut Operation) {}
}

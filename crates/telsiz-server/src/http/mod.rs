//! What is answered to HTTP requests that ask for no WebSocket.

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Serialize;
use serde_json::json;

use self::write_access::WriteAccess;
use crate::apps::{App, Relay};
use crate::lang::{ByLang, Lang};
use crate::rules::Site;

mod cors;
mod page;
mod refusal;
mod schemas;
mod send;
mod write_access;

pub(crate) use self::refusal::Refusal;
pub(crate) use self::write_access::ApiKey;

/// What the HTTP side knows of its server.
#[derive(Debug)]
pub(crate) struct Http {
    site: Arc<Site>,
    apps: Vec<&'static App>,
    relay: Option<Arc<Relay>>,
    write_access: WriteAccess,
}

impl Http {
    /// The HTTP side of a server with these apps.
    pub(crate) fn new(
        site: Arc<Site>,
        apps: Vec<&'static App>,
        relay: Option<Arc<Relay>>,
        api_key: Option<ApiKey>,
    ) -> Self {
        let write_access = WriteAccess {
            origins: site.origins.clone(),
            api_key,
        };
        Self {
            site,
            apps,
            relay,
            write_access,
        }
    }

    /// The routes.
    pub(crate) fn router(self) -> Router {
        // JSON may spell each byte of a message with six.
        let body = self.site.limits.max_message_size;
        let body = body.saturating_mul(6).saturating_add(1024);
        let mut router = Router::new()
            .route("/", get(root))
            // HEAD promises to change nothing.
            .route("/send/{message}", get(send::by_get).head(no_head))
            .route("/send", post(send::by_post))
            .route("/health", get(health))
            .route("/ready", get(ready));
        for app in &self.apps {
            router = router.route(app.pattern, get(upgrade_required));
        }
        schemas::route(router, &self.apps)
            .fallback(not_found)
            .method_not_allowed_fallback(no_method)
            .layer(DefaultBodyLimit::max(body))
            .layer(cors::layer(&self.site.origins))
            .with_state(Arc::new(self))
    }

    /// The language of HTTP pages and errors.
    fn lang_of(&self, headers: &HeaderMap) -> Lang {
        self.site.http_lang(headers)
    }
}

/// What `/` answers to programs.
#[derive(Serialize)]
struct Running {
    message: &'static str,
    connected_clients: usize,
}

async fn root(State(http): State<Arc<Http>>, headers: HeaderMap) -> Response {
    const RUNNING: ByLang<&str> = ByLang {
        tr: "WebSocket Sunucusu Çalışıyor",
        en: "WebSocket Server Is Running",
    };
    let mut response = match page::is_asked_for(&headers) {
        true => page::page(http.lang_of(&headers), &http.apps),
        false => Json(Running {
            message: RUNNING.of(http.site.lang),
            connected_clients: http.site.connections.number(),
        })
        .into_response(),
    };
    let vary = header::HeaderValue::from_static("accept, accept-language");
    response.headers_mut().append(header::VARY, vary);
    let no_store = header::HeaderValue::from_static("no-store");
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, no_store);
    response
}

async fn health() -> Json<serde_json::Value> {
    Json(json!({ "status": "ok" }))
}

/// Whoever reaches the server finds it ready: it listens last, and a stop closes the
/// port first.
async fn ready() -> Json<serde_json::Value> {
    Json(json!({ "status": "ready" }))
}

async fn upgrade_required(State(http): State<Arc<Http>>, headers: HeaderMap) -> Response {
    const TEXT: ByLang<&str> = ByLang {
        tr: "Bu yol WebSocket içindir: ws:// ile bağlanın",
        en: "This path is for WebSockets: connect with ws://",
    };
    let refusal = Refusal::new(
        StatusCode::UPGRADE_REQUIRED,
        TEXT.of(http.lang_of(&headers)),
    );
    let mut response = refusal.into_response();
    for (name, value) in [
        (header::UPGRADE, "websocket"),
        (header::CONNECTION, "Upgrade"),
    ] {
        let value = header::HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    }
    response
}

async fn not_found(State(http): State<Arc<Http>>, headers: HeaderMap, uri: Uri) -> Refusal {
    let path = uri.path();
    let detail = match http.lang_of(&headers) {
        Lang::Tr => format!("Böyle bir sayfa yok: {path}"),
        Lang::En => format!("There is no such page: {path}"),
    };
    Refusal::new(StatusCode::NOT_FOUND, detail)
}

async fn no_method(State(http): State<Arc<Http>>, headers: HeaderMap, method: Method) -> Refusal {
    let detail = match http.lang_of(&headers) {
        Lang::Tr => format!("Bu sayfa {method} ile istenemez"),
        Lang::En => format!("This page cannot be asked for with {method}"),
    };
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, detail)
}

async fn no_head(http: State<Arc<Http>>, headers: HeaderMap) -> Response {
    let mut response = no_method(http, headers, Method::HEAD).await.into_response();
    let get = header::HeaderValue::from_static("GET");
    response.headers_mut().insert(header::ALLOW, get);
    response
}

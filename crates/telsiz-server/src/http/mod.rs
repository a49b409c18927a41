//! What is answered to HTTP requests that ask for no WebSocket.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::StatusCode;
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::middleware::{Next, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use tokio::sync::Mutex;

use self::docs::Documents;
use self::write_access::WriteAccess;
use crate::apps::Relay;
use crate::config::Mounts;
use crate::lang::{ByLang, Lang};
use crate::live::Live;
use crate::rules::Site;

#[cfg(test)]
mod asking;
mod body;
mod connections;
mod cors;
mod docs;
mod elsewhere;
mod extract;
mod figures;
mod headers;
mod messages;
mod openapi;
mod operation;
mod page;
mod refusal;
mod rooms;
mod routes;
mod schemas;
mod send;
mod status;
mod told;
mod write_access;

pub(crate) use self::headers::HEADERS;
pub(crate) use self::refusal::Refusal;
pub(crate) use self::write_access::ApiKey;

/// What a body may have besides its message: names, a key, and what is between them.
const BESIDES: usize = 4 * 1024;

/// What the HTTP side knows of its server.
#[derive(Debug)]
pub(crate) struct Http {
    site: Arc<Site>,
    mounts: Mounts,
    relay: Option<Arc<Relay>>,
    write_access: WriteAccess,
    documents: Documents,
    /// Whoever is told the figures.
    exposing: Mutex<()>,
}

impl Http {
    /// The HTTP side of a server with these mounts.
    pub(crate) fn new(
        site: Arc<Site>,
        mounts: Mounts,
        relay: Option<Arc<Relay>>,
        api_key: Live<Option<ApiKey>>,
    ) -> Self {
        let write_access = WriteAccess {
            origins: site.origins.clone(),
            api_key,
        };
        Self {
            site,
            mounts,
            relay,
            write_access,
            documents: Documents::default(),
            exposing: Mutex::default(),
        }
    }

    /// The routes.
    pub(crate) fn router(mut self) -> Router {
        let routes = routes::all(&self);
        self.documents = Documents::of(&routes.operations, &self.mounts);
        // JSON may spell each byte of a message with six.
        let body = self.site.limits.max_message_size;
        let body = body.saturating_mul(6).saturating_add(BESIDES);
        let site = self.site.clone();
        routes
            .router
            .fallback(elsewhere::no_page)
            .method_not_allowed_fallback(elsewhere::no_method)
            .layer(DefaultBodyLimit::max(body))
            .layer(cors::layer(&self.site.origins))
            .layer(from_fn_with_state(site, not_rebound))
            .layer(map_response(settled))
            .with_state(Arc::new(self))
    }

    /// The language of HTTP pages and errors.
    fn lang_of(&self, headers: &HeaderMap) -> Lang {
        self.site.http_lang(headers)
    }
}

/// Refuses pages that have made their own name lead here, whatever they ask for.
async fn not_rebound(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    const TEXT: ByLang<&str> = ByLang {
        tr: "İsteğin Host başlığı bu makineyi göstermiyor. Bu ada izin vermek için sunucuyu \
             --allow-origin http://HOST:PORT ile başlatın.",
        en: "The Host of the request is not this machine. To allow that name, start the server with \
             --allow-origin http://HOST:PORT.",
    };
    if !site.origins.is_rebound(request.headers(), request.uri()) {
        return next.run(request).await;
    }
    let lang = site.http_lang(request.headers());
    let refusal = Refusal::new(StatusCode::FORBIDDEN, TEXT.of(lang));
    refusal.in_lang(lang).into_response()
}

/// What is told changes at any time, unless it says otherwise.
async fn settled(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

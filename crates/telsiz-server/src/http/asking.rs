//! What tests need to ask the routes of a server in the same process.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::Request;
use serde_json::Value;
use tower::ServiceExt;

use super::Http;
use crate::apps::Relay;
use crate::config::Mounts;
use crate::live::Live;
use crate::rules::Site;

/// What was answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// Nothing if it is no JSON.
    pub(super) json: Value,
}

impl Answer {
    /// What an error says.
    pub(super) fn detail(&self) -> &str {
        self.json["detail"].as_str().expect("a detail")
    }
}

/// Asks a server with this relay and no mounts.
pub(super) async fn ask(site: &Site, relay: Option<Relay>, mut request: Request<Body>) -> Answer {
    let here = SocketAddr::from(([127, 0, 0, 1], 1));
    request.extensions_mut().insert(here);
    let http = Http::new(
        Arc::new(site.clone()),
        Mounts::default(),
        relay.map(Arc::new),
        Live::default(),
    );
    let response = http.router().oneshot(request).await.expect("an answer");
    let (head, body) = response.into_parts();
    let body = to_bytes(body, 1_000_000).await.expect("a body");
    Answer {
        status: head.status.as_u16(),
        json: serde_json::from_slice(&body).unwrap_or_default(),
    }
}

/// A program of this machine posts this, and reads English.
pub(super) fn post(path: &str, body: &str) -> Request<Body> {
    let request = Request::post(path)
        .header("host", "localhost")
        .header("accept-language", "en");
    let body = Body::from(body.to_owned());
    request.body(body).expect("a request")
}

/// A program of this machine asks for this, and reads English.
pub(super) fn get(path: &str) -> Request<Body> {
    let request = Request::get(path)
        .header("host", "localhost")
        .header("accept-language", "en");
    request.body(Body::empty()).expect("a request")
}

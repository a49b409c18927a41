//! Figures of the server over HTTP: `/api/stats`, and `/metrics` for Prometheus.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;
use tokio::task::spawn_blocking;

use super::extract::Reader;
use super::operation::{Described, Operation, schema_of};
use super::refusal::Refused;
use super::rooms::{Unavailable, unavailable};
use super::{Http, Refusal};
use crate::metrics;

/// How many rooms are listed at most.
const ROOMS: usize = 1_000;

/// Figures of the server.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Stats {
    /// How many WebSockets are open.
    total_connections: usize,
    /// How many rooms somebody is in.
    total_rooms: usize,
    /// How many connections are in each room, of the first 1,000 by name.
    rooms: BTreeMap<String, usize>,
}

/// `GET /api/stats`.
pub(super) async fn stats(
    State(http): State<Arc<Http>>,
    Reader(lang): Reader,
) -> Result<Json<Stats>, Unavailable> {
    let rooms = http.site.rooms.hub().rooms(0, ROOMS).await;
    let (rooms, total_rooms) = rooms.map_err(|error| unavailable(error, lang))?;
    let connections = |room: telsiz_hub::RoomSummary| (room.name.to_string(), room.connections);
    Ok(Json(Stats {
        total_connections: http.site.connections.number(),
        total_rooms,
        rooms: rooms.into_iter().map(connections).collect(),
    }))
}

/// Figures in the text format of Prometheus.
#[derive(Debug)]
pub(super) struct Exposition(String);

/// `GET /metrics`.
pub(super) async fn metrics(State(http): State<Arc<Http>>) -> Result<Exposition, Refused<500>> {
    // One at a time and elsewhere: the operating system takes its time where many files are open.
    let _turn = http.exposing.lock().await;
    let site = http.site.clone();
    let told = spawn_blocking(move || metrics::all(&site).into_text()).await;
    told.map(Exposition).map_err(|error| {
        let refusal = Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string());
        Refused(refusal)
    })
}

impl IntoResponse for Exposition {
    fn into_response(self) -> Response {
        let media_type = "text/plain; version=0.0.4; charset=utf-8";
        ([(header::CONTENT_TYPE, media_type)], self.0).into_response()
    }
}

impl Described for Exposition {
    fn describe(operation: &mut Operation) {
        operation.answers("text/plain", schema_of::<String>);
    }
}

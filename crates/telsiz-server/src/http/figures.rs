//! Figures of the server: `/api/stats`, and `/metrics` in the text format of Prometheus.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

use super::Http;
use super::extract::Reader;
use super::operation::{Described, Operation, schema_of};
use super::rooms::{Unavailable, unavailable};

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

/// Figures in the text format of Prometheus, version 0.0.4.
#[derive(Debug)]
pub(super) struct Exposition(String);

/// `GET /metrics`.
pub(super) async fn metrics(
    State(http): State<Arc<Http>>,
    Reader(lang): Reader,
) -> Result<Exposition, Unavailable> {
    let rooms = http.site.rooms.hub().rooms(0, 0).await;
    let (_, rooms) = rooms.map_err(|error| unavailable(error, lang))?;
    let messages = http.site.connections.traffic().counts();
    let mut exposition = Exposition(String::new());
    exposition.add(
        "telsiz_connections",
        "gauge",
        "Open WebSockets.",
        http.site.connections.number() as u64,
    );
    exposition.add(
        "telsiz_rooms",
        "gauge",
        "Rooms that somebody is in.",
        rooms as u64,
    );
    exposition.add(
        "telsiz_messages_received_total",
        "counter",
        "Messages that clients sent.",
        messages.received,
    );
    exposition.add(
        "telsiz_messages_sent_total",
        "counter",
        "Messages that went out to clients.",
        messages.sent,
    );
    exposition.add_each(
        "telsiz_limits_hit_total",
        "counter",
        "Limits that clients hit.",
        "limit",
        http.site
            .connections
            .limits_hit()
            .counts()
            .map(|(limit, count)| (limit.name(), count)),
    );
    Ok(exposition)
}

impl Exposition {
    fn add(&mut self, name: &str, kind: &str, about: &str, value: u64) {
        // Writing to a string cannot fail.
        let _ = writeln!(
            self.0,
            "# HELP {name} {about}\n# TYPE {name} {kind}\n{name} {value}"
        );
    }

    /// As [`Exposition::add`], a value for each of what `label` may be.
    fn add_each<'a>(
        &mut self,
        name: &str,
        kind: &str,
        about: &str,
        label: &str,
        values: impl Iterator<Item = (&'a str, u64)>,
    ) {
        let _ = writeln!(self.0, "# HELP {name} {about}\n# TYPE {name} {kind}");
        for (of, value) in values {
            let _ = writeln!(self.0, "{name}{{{label}=\"{of}\"}} {value}");
        }
    }
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

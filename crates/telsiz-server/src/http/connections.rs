//! The open connections over HTTP: which there are, and ending one.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;
use telsiz_hub::EngineError;

use super::extract::{ConnectionIdOfPath, Paging, Reader, Writer};
use super::refusal::Refused;
use super::rooms::{Unavailable, rooms_of, unavailable};
use super::{Http, Refusal};
use crate::close;
use crate::connections::Listed;
use crate::lang::Lang;
use crate::timestamp::Iso;

/// A page of the open connections.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ConnectionsPage {
    connections: Vec<OpenConnection>,
    /// How many are open.
    count: usize,
    page: usize,
    /// At least 1.
    total_pages: usize,
}

/// An open connection.
#[derive(Debug, Serialize, JsonSchema)]
struct OpenConnection {
    /// What it is known by, as long as it is open.
    id: String,
    connected_at: Iso,
    /// The address of the client, behind trusted proxies too.
    #[schemars(with = "String")]
    address: IpAddr,
    /// The app that it talks to; nothing if there is none on its path.
    app: Option<&'static str>,
    /// The path pattern of its mount.
    path: Option<String>,
    /// Who it is, where clients say so.
    user_id: Option<String>,
    username: Option<String>,
    /// The first 100 rooms that it is in.
    rooms: Vec<String>,
    /// The bytes that wait until the client reads; nothing where this is not known, as in `echo`.
    queue: Option<usize>,
}

/// A connection that was ended.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Ended {
    /// What it was known by.
    id: String,
}

/// `GET /api/connections`: addresses and names are nobody's business but of those who may write.
pub(super) async fn list(
    State(http): State<Arc<Http>>,
    _: Writer,
    paging: Paging<100, 1_000>,
    Reader(lang): Reader,
) -> Result<Json<ConnectionsPage>, Unavailable> {
    let connections = &http.site.connections;
    let (listed, count) = connections.list(paging.skip(), paging.per_page);
    let mut connections = Vec::with_capacity(listed.len());
    for listed in listed {
        let told = http.told(listed).await;
        connections.push(told.map_err(|error| unavailable(error, lang))?);
    }
    Ok(Json(ConnectionsPage {
        connections,
        count,
        page: paging.page,
        total_pages: paging.pages(count),
    }))
}

/// `DELETE /api/connections/{id}`: closes with 1008, after which our clients do not come back by
/// themselves.
pub(super) async fn end(
    State(http): State<Arc<Http>>,
    _: Writer,
    ConnectionIdOfPath(id): ConnectionIdOfPath,
    Reader(lang): Reader,
) -> Result<Json<Ended>, Refused<404>> {
    if !http.site.connections.close(&id, close::ENDED) {
        let detail = match lang {
            Lang::Tr => format!("Böyle bir açık bağlantı yok: {id}"),
            Lang::En => format!("There is no such open connection: {id}"),
        };
        let refusal = Refusal::new(StatusCode::NOT_FOUND, detail);
        return Err(Refused(refusal.in_lang(lang)));
    }
    tracing::info!(id, "ended a connection, as was asked for over HTTP");
    Ok(Json(Ended { id }))
}

impl Http {
    async fn told(&self, listed: Listed) -> Result<OpenConnection, EngineError> {
        let rooms = match listed.member {
            Some(member) => rooms_of(self.site.rooms.hub(), member).await?,
            None => Vec::new(),
        };
        let mount = listed.mount.and_then(|index| self.mounts.get(index));
        Ok(OpenConnection {
            queue: listed.queue(),
            id: listed.id,
            connected_at: Iso(listed.since),
            address: listed.address,
            app: mount.map(|mount| mount.app().name),
            path: mount.map(|mount| mount.path().to_owned()),
            user_id: listed.user.as_ref().map(|user| user.id.to_string()),
            username: listed.user.map(|user| user.name.to_string()),
            rooms,
        })
    }
}

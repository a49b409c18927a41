//! A client that asks for a WebSocket.

use std::any::Any;
use std::fmt;
use std::net::SocketAddr;

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Request, Response, StatusCode, Uri};
use telsiz_proto::handshake::{Opening, offered_subprotocols};
use telsiz_proto::{CloseFrame, Role};

use super::accept::Site;
use super::opening::Responder;
use super::registry::{Closer, Lease};
use super::router::Params;
use crate::error::Error;
use crate::link::Link;
use crate::options::Options;
use crate::tls::Transport;
use crate::websocket::WebSocket;

/// A client that asks for a WebSocket: look at its request, then
/// [`accept`](Upgrade::accept) it or [`refuse`](Upgrade::refuse) it with any HTTP
/// answer.
///
/// Dropped without either, it is answered with 500.
pub struct Upgrade(Box<Inner>);

struct Inner {
    request: Request<()>,
    params: Params,
    remote: SocketAddr,
    worker: usize,
    opening: Opening,
    responder: Responder,
    lease: Lease,
    options: Options,
    /// What the answer gets besides.
    headers: HeaderMap,
    subprotocol: Option<HeaderValue>,
}

impl Upgrade {
    pub(super) fn new(
        site: &Site,
        request: Request<()>,
        params: Params,
        remote: SocketAddr,
        opening: Opening,
        responder: Responder,
        lease: Lease,
    ) -> Self {
        Self(Box::new(Inner {
            request,
            params,
            remote,
            worker: site.worker,
            opening,
            responder,
            lease,
            options: site.options.clone(),
            headers: HeaderMap::new(),
            subprotocol: None,
        }))
    }

    /// Where it comes from.
    pub fn remote_addr(&self) -> SocketAddr {
        self.0.remote
    }

    /// What closes the connection from anywhere, whatever its handler waits for.
    pub fn closer(&self) -> Closer {
        self.0.lease.closer()
    }

    /// The number of the worker that serves it, below that of
    /// [`Serve::workers`](crate::Serve::workers); 0 if there is one.
    pub fn worker(&self) -> usize {
        self.0.worker
    }

    /// Whether it came over TLS.
    pub fn is_tls(&self) -> bool {
        self.0.responder.is_tls()
    }

    /// The URI as it was asked for.
    pub fn uri(&self) -> &Uri {
        self.0.request.uri()
    }

    /// The path, not decoded.
    pub fn path(&self) -> &str {
        self.uri().path()
    }

    /// The part of the path that the pattern of the route calls `name`, decoded.
    pub fn param(&self, name: &str) -> Option<&str> {
        let found = self.0.params.iter().find(|(known, _)| **known == *name);
        found.map(|(_, value)| &**value)
    }

    /// The query after the `?`, not decoded.
    pub fn query(&self) -> Option<&str> {
        self.uri().query()
    }

    /// The first value of `name` in the query, decoded.
    pub fn query_param(&self, name: &str) -> Option<String> {
        let pairs = self.query()?.split('&');
        pairs
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .find(|(known, _)| decode_query(known) == name)
            .map(|(_, value)| decode_query(value))
    }

    /// The headers of the request.
    pub fn headers(&self) -> &HeaderMap {
        self.0.request.headers()
    }

    /// The sub-protocols that the client offers, in its order of preference.
    pub fn subprotocols(&self) -> impl Iterator<Item = &str> {
        offered_subprotocols(self.headers())
    }

    /// Chooses a sub-protocol. One that the client does not offer is left alone.
    pub fn subprotocol(mut self, name: &str) -> Self {
        if self.subprotocols().any(|offered| offered == name) {
            self.0.subprotocol = HeaderValue::from_str(name).ok();
        }
        self
    }

    /// Adds a header to the answer that accepts.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.append(name, value);
        self
    }

    /// Replaces the options of the server for this connection.
    pub fn options(mut self, options: Options) -> Self {
        self.0.options = options;
        self
    }

    /// Keeps a value until the connection has ended, its closing handshake included, or was refused; one
    /// value at a time.
    pub fn keep(self, kept: impl Any + Send) -> Self {
        self.0.lease.keep(Box::new(kept));
        self
    }

    /// Opens the connection.
    ///
    /// # Errors
    ///
    /// [`Error::Lost`] if the client is gone, [`Error::Closed`] if the server
    /// stops.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the connection; before it was polled, as dropping
    /// the request, which is answered with 500.
    pub async fn accept(self) -> Result<WebSocket, Error> {
        // In a box of its own, or each connection's task would keep room for it
        // to its end.
        Box::pin(self.0.accept()).await
    }

    /// Opens the connection only to close it: browsers hide HTTP answers from
    /// their pages, but not close codes.
    ///
    /// # Cancel safety
    ///
    /// As [`accept`](Self::accept), and from then on as [`WebSocket::close`].
    pub async fn accept_and_close(self, frame: impl Into<CloseFrame>) {
        if let Ok(mut ws) = self.accept().await {
            ws.close(frame).await;
        }
    }

    /// Answers with `response` instead of a WebSocket.
    ///
    /// # Cancel safety
    ///
    /// As [`accept`](Self::accept): the client may get a part of the answer.
    pub async fn refuse(self, response: Response<impl Into<Bytes>>) {
        Box::pin(self.0.responder.refuse(response.map(Into::into))).await;
    }
}

impl Inner {
    async fn accept(self: Box<Self>) -> Result<WebSocket, Error> {
        let inner = *self;
        if inner.lease.is_stopping() {
            inner.responder.refuse(stopping()).await;
            return Err(Error::Closed);
        }
        let deflate = inner.options.get().config.deflate.as_ref();
        let (mut response, agreement) = inner.opening.accept(inner.subprotocol.as_ref(), deflate);
        response.headers_mut().extend(inner.headers);
        let (io, inbox) = inner
            .responder
            .accept(response)
            .await
            .map_err(Error::Lost)?;
        let mut link: Link<Transport> = Link::new(io, Role::Server, inner.options, inbox);
        link.set_lease(inner.lease);
        if let Some(agreement) = agreement {
            link.set_deflate(agreement);
        }
        if let Some(Ok(name)) = inner.subprotocol.as_ref().map(HeaderValue::to_str) {
            link.set_subprotocol(name.to_owned());
        }
        Ok(WebSocket::new(link))
    }
}

impl fmt::Debug for Upgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgrade")
            .field("uri", self.uri())
            .field("remote_addr", &self.remote_addr())
            .finish_non_exhaustive()
    }
}

/// What a handler may come back with: nothing, or an error to be logged.
pub trait Finished {
    /// Logs what has to be.
    fn report(self);
}

impl Finished for () {
    fn report(self) {}
}

impl<T, E: fmt::Display> Finished for Result<T, E> {
    fn report(self) {
        if let Err(error) = self {
            tracing::debug!(%error, "connection ended");
        }
    }
}

/// The answer to upgrades while the server stops.
fn stopping() -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(b"the server is stopping\n"));
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    let retry = HeaderValue::from_static("1");
    response.headers_mut().insert(header::RETRY_AFTER, retry);
    response
}

/// Undoes the encoding of a query.
fn decode_query(text: &str) -> String {
    let spaced = text.replace('+', " ");
    percent_encoding::percent_decode_str(&spaced)
        .decode_utf8_lossy()
        .into_owned()
}

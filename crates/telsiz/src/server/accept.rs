//! A connection from its first byte to the task that serves it.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, Response, StatusCode};
use telsiz_proto::CloseFrame;
use telsiz_proto::handshake::{
    HeadError, MAX_HEAD, Opening, Refused, RequestReader, verify, wants_upgrade,
};
use tokio::io::AsyncReadExt;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::http_side::{HttpService, serve_http};
use super::opening::{Responder, Way, refuse_raw};
use super::proxy_header::{self, IsProxy};
use super::registry::{Lease, Registry};
use super::router::Router;
use super::tasks::{Next, Tasks};
use super::upgrade::Upgrade;
use crate::options::Options;
use crate::tcp::Tcp;
use crate::tls::{ServerTls, Transport};

/// What a server, or one of its workers, serves its connections with.
pub(super) struct Site {
    pub(super) router: Arc<Router>,
    pub(super) http: Option<HttpService>,
    pub(super) tls: Option<ServerTls>,
    /// Which peers begin with a header that says where they come from.
    pub(super) is_proxy: Option<IsProxy>,
    /// What all answers have that open no WebSocket.
    pub(super) headers: Arc<HeaderMap>,
    pub(super) options: Options,
    pub(super) registry: Arc<Registry>,
    pub(super) tasks: Tasks,
    /// The number of the worker.
    pub(super) worker: usize,
    /// Tells HTTP connections and unfinished handshakes that the server stops.
    pub(super) stopping: CancellationToken,
    pub(super) on_unopened: Option<OnUnopened>,
}

/// A connection, as far as it was read.
struct Opened {
    io: Transport,
    buffer: BytesMut,
    first: First,
    /// Where it comes from.
    remote: SocketAddr,
}

/// Why a connection became no WebSocket, though its client may have asked for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unopened {
    /// It did not get through TLS.
    Tls,
    /// The head of its first request was not there in time.
    Timeout,
    /// What it sent is no HTTP.
    Malformed,
    /// Its upgrade breaks the rules of the handshake.
    Handshake,
    /// Nothing is served on the path of its upgrade.
    NoRoute,
}

/// Who hears of connections that became no WebSocket.
pub(super) type OnUnopened = Arc<dyn Fn(Unopened) + Send + Sync>;

/// The first request of a connection.
enum First {
    Upgrade(Box<(Request<()>, Opening)>),
    Refused(Refused),
    /// Something else, which is still in the buffer.
    Http,
    Malformed(HeadError),
}

impl Site {
    /// Tells everyone that the server stops.
    pub(super) fn stop(&self, frame: CloseFrame) {
        self.registry.stop(frame);
        self.stopping.cancel();
    }

    /// A connection becomes no WebSocket.
    pub(super) fn note(&self, why: Unopened) {
        if let Some(hear) = &self.on_unopened {
            hear(why);
        }
    }

    /// Serves a connection that was just accepted, up to its upgrade: from there a
    /// handler goes on.
    pub(super) async fn serve(self: Arc<Self>, tcp: Tcp, remote: SocketAddr, lease: Lease) -> Next {
        // A connection that cannot be set up so is served all the same.
        let _ = tcp.set_nodelay(self.options.get().nodelay);
        let opening = self.open(tcp, remote);
        let in_time = async {
            match self.options.get().open_timeout {
                Some(limit) => match timeout(limit, opening).await {
                    Ok(opened) => opened,
                    Err(_) => {
                        self.note(Unopened::Timeout);
                        None
                    }
                },
                None => opening.await,
            }
        };
        let opened = tokio::select! {
            opened = in_time => opened,
            () = self.stopping.cancelled() => None,
        };
        // Who says nothing in time, or no TLS, gets no answer.
        let Some(opened) = opened else {
            return Next::NOTHING;
        };
        let Opened {
            io,
            mut buffer,
            first,
            remote,
        } = opened;
        match first {
            First::Upgrade(upgrade) => {
                let (request, opening) = *upgrade;
                buffer = BytesMut::from(&buffer[..]);
                let responder = Responder::new(Way::Raw {
                    io,
                    inbox: buffer,
                    headers: self.headers.clone(),
                });
                return self.route(request, remote, opening, responder, lease);
            }
            First::Refused(refused) => {
                self.note(Unopened::Handshake);
                refuse_raw(io, refused.response(), &self.headers).await;
            }
            First::Malformed(error) => {
                self.note(Unopened::Malformed);
                let mut response = Response::new(Bytes::from(format!("{error}\n")));
                *response.status_mut() = error.status();
                refuse_raw(io, response, &self.headers).await;
            }
            First::Http => match self.http.clone() {
                Some(http) => serve_http(self, http, io, buffer, remote).await,
                None => refuse_raw(io, Refused::Upgrade.response(), &self.headers).await,
            },
        }
        Next::NOTHING
    }

    /// What a proxy says, if it is one; TLS, if it is asked for; the head of the first
    /// request.
    async fn open(&self, mut tcp: Tcp, mut remote: SocketAddr) -> Option<Opened> {
        let is_proxy = |is_proxy: &IsProxy| is_proxy(remote.ip().to_canonical());
        if self.is_proxy.as_ref().is_some_and(is_proxy) {
            // In a box: without a proxy nobody keeps room for it.
            match Box::pin(proxy_header::read(&mut tcp)).await {
                Ok(from) => remote = from.unwrap_or(remote),
                Err(error) => {
                    tracing::debug!(%error, proxy = %remote, "a proxy does not say whose connection it is");
                    return None;
                }
            }
        }
        let mut io = match &self.tls {
            Some(tls) => match tls.accept(tcp).await {
                Ok(io) => io,
                Err(error) => {
                    tracing::debug!(%error, "TLS handshake failed");
                    self.note(Unopened::Tls);
                    return None;
                }
            },
            None => tcp.into(),
        };
        let mut buffer = BytesMut::with_capacity(1024);
        let mut reader = RequestReader::default();
        let first = loop {
            if buffer.len() >= MAX_HEAD {
                break First::Malformed(HeadError::TooLarge);
            }
            if io.read_buf(&mut buffer).await.ok()? == 0 {
                return None;
            }
            match reader.handle_input(&buffer) {
                Ok(None) => {}
                Ok(Some((request, len))) => {
                    if !wants_upgrade(&request) {
                        break First::Http;
                    }
                    let _ = buffer.split_to(len);
                    break match verify(&request) {
                        Ok(opening) => First::Upgrade(Box::new((request, opening))),
                        Err(refused) => First::Refused(refused),
                    };
                }
                Err(error) => break First::Malformed(error),
            }
        };
        Some(Opened {
            io,
            buffer,
            first,
            remote,
        })
    }

    /// The handler of its path, for an upgrade.
    pub(super) fn route(
        &self,
        request: Request<()>,
        remote: SocketAddr,
        opening: Opening,
        responder: Responder,
        lease: Lease,
    ) -> Next {
        let Some((handler, params)) = self.router.find(request.uri().path()) else {
            self.note(Unopened::NoRoute);
            let mut response = Response::new(Bytes::from_static(b"nothing is served here\n"));
            *response.status_mut() = StatusCode::NOT_FOUND;
            return self.tasks.next(async {
                responder.refuse(response).await;
                Next::NOTHING
            });
        };
        let upgrade = Upgrade::new(self, request, params, remote, opening, responder, lease);
        handler(upgrade, &self.tasks)
    }
}

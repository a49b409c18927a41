//! Requests that are no upgrade: an HTTP service on the same port.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::{Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use telsiz_proto::handshake::{MAX_HEAD, verify, wants_upgrade};
use tokio::sync::oneshot;

use super::accept::{Site, Unopened};
use super::opening::{Responder, Way, complete};
use super::prefixed::Prefixed;
use super::tasks::Next;
use crate::tls::Transport;

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type ResponseBody = UnsyncBoxBody<Bytes, BoxError>;
type Answer = Pin<Box<dyn Future<Output = Response<ResponseBody>> + Send>>;

/// An HTTP service, whatever its types are.
pub(super) type HttpService = Arc<dyn Fn(Request<Incoming>) -> Answer + Send + Sync>;

/// Makes a service of an async function.
pub(super) fn service<F, R, B, E>(answer: F) -> HttpService
where
    F: Fn(Request<Incoming>) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Response<B>, E>> + Send + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    E: std::fmt::Display,
{
    Arc::new(move |request| {
        let answer = answer(request);
        Box::pin(async move {
            match answer.await {
                Ok(response) => response.map(|body| body.map_err(Into::into).boxed_unsync()),
                Err(error) => {
                    tracing::warn!(%error, "the HTTP service failed");
                    let mut response = Response::new(whole(Bytes::new()));
                    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                    response
                }
            }
        })
    })
}

fn whole(bytes: Bytes) -> ResponseBody {
    Full::new(bytes)
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// Serves a connection whose first request is no upgrade. A later one may be.
pub(super) async fn serve_http(
    site: Arc<Site>,
    http: HttpService,
    io: Transport,
    prefix: BytesMut,
    remote: SocketAddr,
) {
    let is_tls = io.is_tls();
    let limit = site.options.get().open_timeout;
    let io = TokioIo::new(Prefixed::new(prefix, io, limit));
    let answering = {
        let site = site.clone();
        service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(remote);
            let answer = match wants_upgrade(&request) {
                true => upgrade(&site, request, remote, is_tls),
                false => http(request),
            };
            let headers = site.headers.clone();
            async move {
                let mut response = answer.await;
                complete(&mut response, &headers);
                Ok::<_, Infallible>(response)
            }
        })
    };
    let mut builder = http1::Builder::new();
    // A later head may be as large as the first one.
    builder.timer(TokioTimer::new()).max_buf_size(MAX_HEAD);
    if let Some(timeout) = site.options.get().open_timeout {
        builder.header_read_timeout(timeout);
    }
    let mut connection = std::pin::pin!(builder.serve_connection(io, answering).with_upgrades());
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = site.stopping.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "HTTP connection ended");
    }
}

/// An upgrade on a connection that served other requests before.
fn upgrade(
    site: &Arc<Site>,
    mut request: Request<Incoming>,
    remote: SocketAddr,
    is_tls: bool,
) -> Answer {
    let opening = match verify(&request) {
        Ok(opening) => opening,
        Err(refused) => {
            site.note(Unopened::Handshake);
            let response = refused.response().map(whole);
            return Box::pin(std::future::ready(response));
        }
    };
    let upgrade = hyper::upgrade::on(&mut request);
    let (respond, response) = oneshot::channel();
    let responder = Responder::new(Way::Http {
        respond,
        upgrade,
        is_tls,
    });
    let lease = site.registry.lease();
    let routed = site.route(request.map(drop), remote, opening, responder, lease);
    // This place goes on serving the request.
    if let Next(Some(serving)) = routed {
        tokio::spawn(serving);
    }
    Box::pin(async {
        match response.await {
            Ok(response) => response.map(whole),
            Err(_) => {
                let mut response = Response::new(whole(Bytes::new()));
                *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                response
            }
        }
    })
}

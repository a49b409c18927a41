//! Answering an upgrade: on the raw transport, or through the HTTP side of a
//! connection that carried other requests before.

use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Response, StatusCode};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use telsiz_proto::handshake::encode_response;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::{Duration, timeout};

use super::prefixed::Prefixed;
use crate::tls::Transport;

/// How long a client that was refused may take to read why.
const LINGER: Duration = Duration::from_secs(2);

/// The way to answer an upgrade; dropped, it answers 500.
pub(super) struct Responder(Option<Way>);

pub(super) enum Way {
    /// The request was the first of its connection and was read by us.
    Raw {
        io: Transport,
        inbox: BytesMut,
        /// What an answer that refuses has besides.
        headers: Arc<HeaderMap>,
    },
    /// The request came through hyper.
    Http {
        respond: oneshot::Sender<Response<Bytes>>,
        upgrade: OnUpgrade,
        is_tls: bool,
    },
}

impl Responder {
    pub(super) fn new(way: Way) -> Self {
        Self(Some(way))
    }

    pub(super) fn is_tls(&self) -> bool {
        match &self.0 {
            Some(Way::Raw { io, .. }) => io.is_tls(),
            Some(Way::Http { is_tls, .. }) => *is_tls,
            None => false,
        }
    }

    /// Switches protocols; the transport, and what the client sent already.
    pub(super) async fn accept(
        mut self,
        response: Response<()>,
    ) -> io::Result<(Transport, BytesMut)> {
        let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
        let response = response.map(|()| Bytes::new());
        match self.0.take().ok_or_else(gone)? {
            Way::Raw { mut io, inbox, .. } => {
                io.write_all(&encode_response(&response)).await?;
                io.flush().await?;
                Ok((io, inbox))
            }
            Way::Http {
                respond, upgrade, ..
            } => {
                respond.send(response).map_err(|_| gone())?;
                let upgraded = upgrade.await.map_err(io::Error::other)?;
                let parts = upgraded
                    .downcast::<TokioIo<Prefixed<Transport>>>()
                    .map_err(|_| gone())?;
                let Prefixed { mut prefix, io, .. } = parts.io.into_inner();
                // What hyper read came before what it did not get to.
                let mut inbox = BytesMut::from(&parts.read_buf[..]);
                inbox.unsplit(std::mem::take(&mut prefix));
                Ok((io, inbox))
            }
        }
    }

    pub(super) async fn refuse(mut self, response: Response<Bytes>) {
        if let Some(way) = self.0.take() {
            way.refuse(response).await;
        }
    }
}

impl Way {
    async fn refuse(self, response: Response<Bytes>) {
        match self {
            Self::Raw { io, headers, .. } => refuse_raw(io, response, &headers).await,
            Self::Http { respond, .. } => {
                let _ = respond.send(response);
            }
        }
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        if let (Some(way), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            let mut response = Response::new(Bytes::new());
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            runtime.spawn(way.refuse(response));
        }
    }
}

/// Adds the headers that an answer which opens no WebSocket does not have yet.
pub(super) fn complete<B>(response: &mut Response<B>, headers: &HeaderMap) {
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        for (name, value) in headers {
            let entry = response.headers_mut().entry(name);
            entry.or_insert_with(|| value.clone());
        }
    }
}

/// Writes `response` and ends the connection without a reset, which would eat it.
pub(super) async fn refuse_raw(
    mut io: Transport,
    mut response: Response<Bytes>,
    headers: &HeaderMap,
) {
    complete(&mut response, headers);
    let refuse = async {
        io.write_all(&encode_response(&response)).await?;
        io.shutdown().await?;
        let mut rest = [0; 1024];
        while io.read(&mut rest).await? > 0 {}
        io::Result::Ok(())
    };
    // Who is gone or reads slowly does not learn why.
    let _ = timeout(LINGER, refuse).await;
}

//! Connecting.

use std::future::IntoFuture;
use std::pin::Pin;

use bytes::BytesMut;
use http::Uri;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use telsiz_proto::Role;
use telsiz_proto::handshake::{ClientHandshake, Reply};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

pub use self::error::ConnectError;
use crate::link::{Io, Link};
use crate::options::{Options, option_setters};
use crate::tls::{ClientTls, Transport};
use crate::websocket::WebSocket;

mod error;

/// Connects to the server at `uri`, `ws:` or `wss:`.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let mut ws = telsiz::connect("ws://127.0.0.1:8000/echo").await?;
/// ws.send("Merhaba!").await?;
/// println!("{:?}", ws.recv().await?);
/// # Ok(())
/// # }
/// ```
pub fn connect<U>(uri: U) -> Connect
where
    U: TryInto<Uri, Error: Into<http::Error>>,
{
    Connect {
        uri: uri.try_into().map_err(|error| error.into().to_string()),
        headers: HeaderMap::new(),
        header_error: None,
        subprotocols: Vec::new(),
        tls: None,
        options: Options::default(),
    }
}

/// A connection being set up; await it to open it.
#[derive(Debug)]
pub struct Connect {
    uri: Result<Uri, String>,
    headers: HeaderMap,
    header_error: Option<ConnectError>,
    subprotocols: Vec<String>,
    tls: Option<ClientTls>,
    options: Options,
}

impl Connect {
    /// Adds a header to the request. What is no header is an error when it is
    /// awaited.
    pub fn header<N, V>(mut self, name: N, value: V) -> Self
    where
        N: TryInto<HeaderName, Error: Into<http::Error>>,
        V: TryInto<HeaderValue, Error: Into<http::Error>>,
    {
        let name = name.try_into().map_err(Into::into);
        match (name, value.try_into().map_err(Into::into)) {
            (Ok(name), Ok(value)) => {
                self.headers.append(name, value);
            }
            (Err(error), _) | (_, Err(error)) => {
                let error = ConnectError::Header(error.to_string());
                self.header_error.get_or_insert(error);
            }
        }
        self
    }

    /// Offers sub-protocols, the preferred one first.
    pub fn subprotocols<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.subprotocols.extend(names.into_iter().map(Into::into));
        self
    }

    /// Whom to trust with `wss:`, in place of the system's authorities.
    pub fn tls(mut self, tls: ClientTls) -> Self {
        self.tls = Some(tls);
        self
    }

    option_setters!();

    /// Opens the connection on a transport that exists already; of the URI only
    /// what the request says is used.
    ///
    /// # Errors
    ///
    /// See [`ConnectError`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the transport.
    pub async fn over<S: Io>(self, io: S) -> Result<WebSocket<S>, ConnectError> {
        let limit = self.options.get().open_timeout;
        within(limit, self.shake_hands(io)).await
    }

    async fn open(mut self) -> Result<WebSocket, ConnectError> {
        let limit = self.options.get().open_timeout;
        within(limit, async move {
            let io = self.dial().await?;
            self.shake_hands(io).await
        })
        .await
    }

    /// TCP, and TLS for `wss:`.
    async fn dial(&mut self) -> Result<Transport, ConnectError> {
        let uri = match &self.uri {
            Ok(uri) => uri,
            Err(error) => return Err(ConnectError::Uri(error.clone())),
        };
        let unusable = || ConnectError::Uri(format!("{uri} is no ws: or wss: URI"));
        let secure = match uri.scheme_str() {
            Some("ws") => false,
            Some("wss") => true,
            _ => return Err(unusable()),
        };
        let host = uri
            .host()
            .filter(|host| !host.is_empty())
            .ok_or_else(unusable)?;
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let name = host.trim_start_matches('[').trim_end_matches(']');
        let tcp = TcpStream::connect((name, port))
            .await
            .map_err(ConnectError::Transport)?;
        // A connection that cannot be set up so is used all the same.
        let _ = tcp.set_nodelay(self.options.get().nodelay);
        if !secure {
            return Ok(tcp.into());
        }
        let tls = match self.tls.take() {
            Some(tls) => tls,
            None => ClientTls::system().map_err(ConnectError::Tls)?,
        };
        tls.connect(host, tcp)
            .await
            .map_err(ConnectError::Transport)
    }

    async fn shake_hands<S: Io>(self, mut io: S) -> Result<WebSocket<S>, ConnectError> {
        let uri = self.uri.map_err(ConnectError::Uri)?;
        if let Some(error) = self.header_error {
            return Err(error);
        }
        let deflate = self.options.get().config.deflate.clone();
        let nonce = rand::random();
        let mut handshake =
            ClientHandshake::new(&uri, &self.headers, self.subprotocols, deflate, nonce)
                .map_err(ConnectError::Request)?;
        io.write_all(handshake.transmit())
            .await
            .map_err(ConnectError::Transport)?;
        io.flush().await.map_err(ConnectError::Transport)?;
        let mut buffer = BytesMut::with_capacity(1024);
        let reply = loop {
            let read = io.read_buf(&mut buffer).await;
            if read.map_err(ConnectError::Transport)? == 0 {
                break handshake.handle_eof()?;
            }
            if let Some(reply) = handshake.handle_input(&mut buffer)? {
                break reply;
            }
        };
        match reply {
            Reply::Accepted {
                subprotocol,
                deflate,
                ..
            } => {
                let role = Role::Client {
                    masking_key: rand::random,
                };
                let mut link = Link::new(io, role, self.options, buffer);
                if let Some(agreement) = deflate {
                    link.set_deflate(agreement);
                }
                if let Some(subprotocol) = subprotocol {
                    link.set_subprotocol(subprotocol);
                }
                Ok(WebSocket::new(link))
            }
            Reply::Rejected(response) => Err(ConnectError::Rejected(Box::new(response))),
        }
    }
}

impl IntoFuture for Connect {
    type Output = Result<WebSocket, ConnectError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.open())
    }
}

async fn within<T>(
    limit: Option<std::time::Duration>,
    opening: impl Future<Output = Result<T, ConnectError>>,
) -> Result<T, ConnectError> {
    match limit {
        Some(limit) => timeout(limit, opening)
            .await
            .unwrap_or(Err(ConnectError::Timeout)),
        None => opening.await,
    }
}

//! What the echo servers on tokio share: everything but the WebSocket.

use std::error::Error;
use std::fs;
use std::future::Future;
use std::sync::Arc;

use futures_util::{FutureExt, Sink, SinkExt, Stream, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// What a connection or a server ends with.
pub type Result<T = ()> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// TLS over TCP.
pub type Tls = tokio_rustls::server::TlsStream<TcpStream>;

/// TCP, or TLS over it.
pub trait Socket: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Socket for S {}

/// Whether a flag stands on the command line.
pub fn has_flag(flag: &str) -> bool {
    std::env::args().any(|argument| argument == flag)
}

/// The certificate chain and the key of `--tls CERT KEY` (PEM), if it stands on the command line.
pub fn tls_files() -> Result<Option<[Vec<u8>; 2]>> {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--tls");
    if arguments.next().is_none() {
        return Ok(None);
    }
    let mut file = || fs::read(arguments.next().unwrap_or_default());
    Ok(Some([file()?, file()?]))
}

/// Listens on the address that is the first argument, prints what it is bound to and serves each connection, in a task
/// of its own on one thread: with `serve`, or with `serve_tls` if the command line has `--tls CERT KEY`. Lost connections
/// are nothing to report: the client closes without a handshake.
pub fn run<P, S>(serve: fn(TcpStream) -> P, serve_tls: fn(Tls) -> S) -> Result
where
    P: Future<Output = Result> + Send + 'static,
    S: Future<Output = Result> + Send + 'static,
{
    run_on(Builder::new_current_thread().enable_io(), serve, serve_tls)
}

/// As [`run`], for libraries that need timers.
pub fn run_with_timers<P, S>(serve: fn(TcpStream) -> P, serve_tls: fn(Tls) -> S) -> Result
where
    P: Future<Output = Result> + Send + 'static,
    S: Future<Output = Result> + Send + 'static,
{
    run_on(Builder::new_current_thread().enable_all(), serve, serve_tls)
}

fn run_on<P, S>(runtime: &mut Builder, serve: fn(TcpStream) -> P, serve_tls: fn(Tls) -> S) -> Result
where
    P: Future<Output = Result> + Send + 'static,
    S: Future<Output = Result> + Send + 'static,
{
    let address = std::env::args().nth(1).unwrap_or_default();
    let acceptor = acceptor()?;
    runtime.build()?.block_on(async {
        let listener = TcpListener::bind(&address)
            .await
            .map_err(|error| format!("cannot listen on {address:?}: {error}"))?;
        println!("{}", listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            match acceptor.clone() {
                None => tokio::spawn(serve(stream)),
                Some(acceptor) => tokio::spawn(async move {
                    let stream = acceptor.accept(stream).await?;
                    serve_tls(stream).await
                }),
            };
        }
    })
}

fn acceptor() -> Result<Option<TlsAcceptor>> {
    let Some([chain, key]) = tls_files()? else {
        return Ok(None);
    };
    let chain = CertificateDer::pem_slice_iter(&chain).collect::<std::result::Result<_, _>>()?;
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_slice(&key)?)?;
    Ok(Some(TlsAcceptor::from(Arc::new(config))))
}

/// Echoes messages, all that are ready before it flushes: as much as an application can do about batching.
pub async fn echo_ready<S, M, E>(mut socket: S, next: fn(S::Item) -> Result<Option<M>>) -> Result
where
    S: Stream + Sink<M, Error = E> + Unpin,
    E: Error + Send + Sync + 'static,
{
    while let Some(item) = socket.next().await {
        if let Some(message) = next(item)? {
            socket.feed(message).await?;
        }
        while let Some(item) = socket.next().now_or_never() {
            let Some(item) = item else { return Ok(()) };
            if let Some(message) = next(item)? {
                socket.feed(message).await?;
            }
        }
        socket.flush().await?;
    }
    Ok(())
}

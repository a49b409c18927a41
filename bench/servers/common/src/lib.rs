//! What the echo servers on tokio share: everything but the WebSocket.

use std::error::Error;
use std::future::Future;

use futures_util::{FutureExt, Sink, SinkExt, Stream, StreamExt};
use tokio::net::{TcpListener, TcpStream};

/// What a connection or a server ends with.
pub type Result<T = ()> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Listens on the address that is the last argument, prints what it is bound to and serves each connection with
/// `serve`, in a task of its own on one thread. Lost connections are nothing to report: the client closes without a
/// handshake.
pub fn run<F, Served>(serve: F) -> Result
where
    F: Fn(TcpStream) -> Served,
    Served: Future<Output = Result> + Send + 'static,
{
    let address = std::env::args().next_back().unwrap_or_default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(&address)
            .await
            .map_err(|error| format!("cannot listen on {address:?}: {error}"))?;
        println!("{}", listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::spawn(serve(stream));
        }
    })
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

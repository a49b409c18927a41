//! Our server on a free port.

use std::io;
use std::net::SocketAddr;

use telsiz::{Connect, Error, Serve, Stopper, Upgrade, WebSocket};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::soon;

/// A server that runs in this runtime.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) stopper: Stopper,
    pub(crate) serving: JoinHandle<io::Result<()>>,
}

impl Running {
    /// Starts what `set_up` makes of a server.
    pub(crate) async fn start(set_up: impl FnOnce(Serve) -> Serve) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let serve = set_up(telsiz::serve(listener));
        Self {
            address,
            stopper: serve.stopper(),
            serving: tokio::spawn(serve.into_future()),
        }
    }

    /// Starts a server that echoes on every path.
    pub(crate) async fn echo() -> Self {
        Self::start(|serve| serve.fallback(echo)).await
    }

    pub(crate) fn uri(&self, path: &str) -> String {
        format!("ws://{}{path}", self.address)
    }

    pub(crate) fn client(&self, path: &str) -> Connect {
        telsiz::connect(self.uri(path))
    }

    /// Our client on `path`.
    pub(crate) async fn connect(&self, path: &str) -> WebSocket {
        soon(self.client(path)).await.expect("the server accepts")
    }

    /// A bare connection.
    pub(crate) async fn tcp(&self) -> TcpStream {
        soon(TcpStream::connect(self.address))
            .await
            .expect("the server listens")
    }

    /// Stops it and waits until it has ended.
    pub(crate) async fn stop(self) {
        self.stopper.stop();
        self.ended().await;
    }

    /// Waits until it has begun to stop: it listens no more, and its connections know.
    pub(crate) async fn stopping(&self) {
        while soon(TcpStream::connect(self.address)).await.is_ok() {}
    }

    /// Waits until it has ended by itself.
    pub(crate) async fn ended(self) {
        let served = soon(self.serving).await.expect("the server does not panic");
        served.expect("the server ends as it should");
    }
}

/// Sends every message back.
pub(crate) async fn echo(request: Upgrade) -> Result<(), Error> {
    let mut ws = request.accept().await?;
    while let Some(message) = ws.recv().await? {
        ws.feed(message).await?;
    }
    Ok(())
}

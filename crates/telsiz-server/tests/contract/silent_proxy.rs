//! A way to the server that falls silent: nothing comes through any more, and nobody is told.

use std::future::pending;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A proxy for TCP, until this is dropped.
pub(crate) struct SilentProxy {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    is_silent: watch::Sender<bool>,
}

impl SilentProxy {
    /// One in front of `server`.
    pub(crate) async fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let (is_silent, silence) = watch::channel(false);
        tokio::spawn(async move {
            loop {
                let (near, _) = listener.accept().await.expect("a client");
                let far = TcpStream::connect(server).await.expect("a server");
                let ((near_in, near_out), (far_in, far_out)) =
                    (near.into_split(), far.into_split());
                tokio::spawn(pass_on(near_in, far_out, silence.clone()));
                tokio::spawn(pass_on(far_in, near_out, silence.clone()));
            }
        });
        Self { address, is_silent }
    }

    /// From now on nothing comes through. Both connections stay open.
    pub(crate) fn fall_silent(&self) {
        self.is_silent.send_replace(true);
    }
}

async fn pass_on(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut silence: watch::Receiver<bool>,
) {
    let passing = async {
        let mut bytes = vec![0; 16 * 1024];
        while let Ok(count @ 1..) = from.read(&mut bytes).await {
            if to.write_all(&bytes[..count]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        biased;
        _ = silence.wait_for(|silent| *silent) => {}
        () = passing => return,
    }
    // Open, until the test ends.
    pending().await
}

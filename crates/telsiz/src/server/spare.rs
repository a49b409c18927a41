//! A file descriptor in reserve: with it clients are told that there are no more.

use std::future::poll_fn;
#[cfg(unix)]
use std::os::fd::{AsFd, OwnedFd};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// How long a client may take to read why it is refused: nobody else is accepted meanwhile. One
/// whose request is here reads it at once.
const LINGER: Duration = Duration::from_millis(50);

/// One file descriptor in reserve.
pub(super) struct Spare {
    #[cfg(unix)]
    held: Option<OwnedFd>,
    /// What is answered.
    answer: Option<Bytes>,
}

/// What became of an attempt to refuse a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    /// It was refused, or none was waiting.
    Done,
    /// Nobody can be accepted even so.
    Failed,
}

impl Spare {
    /// Keeps one. Without an answer clients are only dropped.
    pub(super) fn new(listener: &TcpListener, answer: Option<Bytes>) -> Self {
        let mut spare = Self {
            #[cfg(unix)]
            held: None,
            answer,
        };
        spare.refill(listener);
        spare
    }

    /// Sees to it that there is one, if that is possible.
    pub(super) fn refill(&mut self, listener: &TcpListener) {
        #[cfg(unix)]
        if self.held.is_none() {
            // Another descriptor of the listener itself: it needs no file that may be missing.
            self.held = listener.as_fd().try_clone_to_owned().ok();
        }
        #[cfg(not(unix))]
        let _ = listener;
    }

    /// Gives it up to accept one client, answers that, and takes it back.
    pub(super) async fn refuse_one(&mut self, listener: &TcpListener) -> Attempt {
        #[cfg(unix)]
        drop(self.held.take());
        let accepted = poll_fn(|cx| {
            Poll::Ready(match listener.poll_accept(cx) {
                Poll::Ready(accepted) => Some(accepted),
                // It will be told when one is there.
                Poll::Pending => None,
            })
        });
        let attempt = match accepted.await {
            Some(Ok((tcp, _))) => {
                if let Some(answer) = &self.answer {
                    // Who reads slowly does not learn why.
                    let _ = timeout(LINGER, tell(tcp, answer)).await;
                }
                Attempt::Done
            }
            Some(Err(_)) => Attempt::Failed,
            None => Attempt::Done,
        };
        self.refill(listener);
        attempt
    }
}

/// Answers, and reads until the client has gone: a reset would eat the answer.
async fn tell(mut tcp: TcpStream, answer: &[u8]) -> std::io::Result<()> {
    tcp.write_all(answer).await?;
    tcp.shutdown().await?;
    let mut rest = [0; 1024];
    while tcp.read(&mut rest).await? > 0 {}
    Ok(())
}

//! WebSockets on tokio: strict, fast, light.
//!
//! [`connect`] opens a [`WebSocket`] to a server, [`serve`] makes a server that
//! gives one to each of its handlers. Both work on current-thread and
//! multi-thread runtimes (with I/O and time enabled).
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let mut ws = telsiz::connect("ws://127.0.0.1:8000/echo").await?;
//! ws.send("Merhaba!").await?;
//! while let Some(message) = ws.recv().await? {
//!     println!("{}", message.as_text().unwrap_or("(binary)"));
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # When bytes go out
//!
//! `send` writes at once. `feed` queues: what was fed goes out in one write when
//! `recv` has to wait, when more than the write buffer is queued, or with
//! `flush`. Answering messages with `feed` in a `recv` loop is therefore the
//! efficient way, and [`WebSocket::run`] the most efficient one.

pub use telsiz_proto::handshake::{HandshakeError, HeadError, RequestError};
pub use telsiz_proto::{
    Batch, Cause, CloseCode, CloseFrame, CloseReasonTooLong, Deflate, Exceeded, Fault, Incoming,
    Kind, Level, Message, NotUtf8, Outcome, Outgoing, Prepared, SendError, State, Text, Violation,
    WindowBits,
};

pub use self::client::{Connect, ConnectError, connect};
pub use self::error::{Error, PingError, TrySendError};
pub use self::link::Io;
pub use self::options::Options;
pub use self::replies::Replies;
pub use self::server::{Closer, Finished, RouteError, Serve, Stopper, Unopened, Upgrade, serve};
pub use self::split::{Receiver, Sender};
pub use self::tls::{ClientTls, ServerTls, TlsError, Transport};
pub use self::websocket::{Feed, WebSocket};

#[cfg(test)]
mod at_every_await;
mod client;
mod error;
#[cfg(test)]
mod every_schedule;
mod finish;
mod link;
mod options;
mod pings;
mod replies;
mod scratch;
mod server;
mod shared;
mod split;
mod sync;
mod tcp;
#[cfg(test)]
mod testing;
mod tls;
mod websocket;

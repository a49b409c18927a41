//! A room on tokio-tungstenite and `tokio::sync::broadcast`, tuned: a task for each connection, which feeds all messages
//! that are ready and flushes when there is no more.
//!
//! `broadcast-tungstenite ADDRESS SIZE` has the read buffer of 4 KiB of the tuned echo. Messages are made once and shared
//! (`Utf8Bytes`); a delivered one is SIZE bytes.

use std::cell::OnceCell;

use chat::{JOINED, Wish, wish};
use common::{Result, Socket, Tls};
use futures_util::{FutureExt, SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::sync::broadcast::{Receiver, Sender, channel, error::TryRecvError};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, accept_async_with_config};

/// More than the load has under way, so that nobody falls behind.
const CAPACITY: usize = 1024;

thread_local! {
    /// The room: there is one thread.
    static ROOM: OnceCell<Sender<Utf8Bytes>> = const { OnceCell::new() };
}

fn main() -> Result {
    common::run(serve::<TcpStream>, serve::<Tls>)
}

async fn serve<S: Socket>(stream: S) -> Result {
    let size = std::env::args().nth(2).unwrap_or_default().parse()?;
    let room = ROOM.with(|room| room.get_or_init(|| channel(CAPACITY).0).clone());
    let config = WebSocketConfig::default().read_buffer_size(4096);
    let mut socket = accept_async_with_config(stream, Some(config)).await?;
    // Who has not joined hears nothing.
    let mut messages: Option<Receiver<Utf8Bytes>> = None;
    loop {
        let message = async {
            match &mut messages {
                Some(messages) => messages.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            message = message => {
                socket.feed(Message::Text(message?)).await?;
                if let Some(messages) = &mut messages {
                    feed_ready(&mut socket, messages).await?;
                }
                socket.flush().await?;
            }
            mut item = socket.next() => loop {
                let Some(message) = item else { return Ok(()) };
                match text(message)?.and_then(|text| wish(&text, size)) {
                    Some(Wish::Join) => {
                        messages = Some(room.subscribe());
                        socket.send(Message::text(JOINED)).await?;
                    }
                    Some(Wish::Publish(text)) => {
                        // Without a member there is nobody to tell.
                        let _ = room.send(text.into());
                    }
                    None => {}
                }
                match socket.next().now_or_never() {
                    Some(ready) => item = ready,
                    None => break,
                }
            },
        }
    }
}

async fn feed_ready<S: Socket>(
    socket: &mut WebSocketStream<S>,
    messages: &mut Receiver<Utf8Bytes>,
) -> Result {
    loop {
        match messages.try_recv() {
            Ok(message) => socket.feed(Message::Text(message)).await?,
            Err(TryRecvError::Empty) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

fn text(message: std::result::Result<Message, Error>) -> Result<Option<Utf8Bytes>> {
    match message? {
        Message::Text(text) => Ok(Some(text)),
        _ => Ok(None),
    }
}

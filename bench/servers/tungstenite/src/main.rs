//! An echo on tokio-tungstenite.
//!
//! `echo-tungstenite ADDRESS` is how most people write it: default settings, one `send` per message. With `--tuned` it
//! has a read buffer of 4 KiB, which is zeroed before every read and makes the default of 128 KiB dear, and flushes
//! once for all messages that are ready.

use common::{Result, Socket, Tls, echo_ready};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{accept_async, accept_async_with_config};

fn main() -> Result {
    if common::has_flag("--tuned") {
        common::run(tuned::<TcpStream>, tuned::<Tls>)
    } else {
        common::run(default::<TcpStream>, default::<Tls>)
    }
}

async fn default<S: Socket>(stream: S) -> Result {
    let mut socket = accept_async(stream).await?;
    while let Some(message) = socket.next().await {
        if let Some(message) = data(message)? {
            socket.send(message).await?;
        }
    }
    Ok(())
}

async fn tuned<S: Socket>(stream: S) -> Result {
    let config = WebSocketConfig::default().read_buffer_size(4096);
    let socket = accept_async_with_config(stream, Some(config)).await?;
    echo_ready(socket, data).await
}

fn data(message: std::result::Result<Message, Error>) -> Result<Option<Message>> {
    let message = message?;
    Ok((message.is_text() || message.is_binary()).then_some(message))
}

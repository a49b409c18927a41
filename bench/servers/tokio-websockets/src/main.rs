//! An echo on tokio-websockets, with the settings of its own echo server (an unconstrained task, no limits, frames of
//! any size), that flushes once for all messages that are ready.

use common::{Result, Socket, Tls, echo_ready};
use tokio::net::TcpStream;
use tokio::task::unconstrained;
use tokio_websockets::{Config, Error, Limits, Message, ServerBuilder};

fn main() -> Result {
    common::run(
        |stream: TcpStream| unconstrained(serve(stream)),
        |stream: Tls| unconstrained(serve(stream)),
    )
}

async fn serve<S: Socket>(stream: S) -> Result {
    let (_, socket) = ServerBuilder::new()
        .config(Config::default().frame_size(usize::MAX))
        .limits(Limits::unlimited())
        .accept(stream)
        .await?;
    echo_ready(socket, data).await
}

fn data(message: std::result::Result<Message, Error>) -> Result<Option<Message>> {
    let message = message?;
    Ok((message.is_text() || message.is_binary()).then_some(message))
}

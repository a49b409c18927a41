//! An echo on sockudo-ws, after its own example: its handshake, its default settings; one flush for all messages that
//! are ready. With `--deflate` its shared settings (nobody refers to earlier messages), level 1.

use bytes::{Bytes, BytesMut};
use common::{Result, Socket, Tls, echo_ready};
use sockudo_ws::deflate::{DeflateConfig, negotiate_server_deflate};
use sockudo_ws::error::Error;
use sockudo_ws::handshake::{build_response, generate_accept_key, parse_request};
use sockudo_ws::protocol::Message;
use sockudo_ws::stream::CompressedWebSocketStream;
use sockudo_ws::{Compression, Config, Role, WebSocketStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn main() -> Result {
    // Its pings need the runtime's timers.
    common::run_with_timers(serve::<TcpStream>, serve::<Tls>)
}

async fn serve<S: Socket>(mut stream: S) -> Result {
    let policy = common::has_flag("--deflate").then(policy).flatten();
    let (deflate, leftover) = handshake(&mut stream, policy).await?;
    let config = Config::default();
    match deflate {
        Some(deflate) => {
            let socket =
                CompressedWebSocketStream::server_with_leftover(stream, config, deflate, leftover);
            echo_ready(socket, data).await
        }
        None => {
            let socket =
                WebSocketStream::from_raw_with_leftover(stream, Role::Server, config, leftover);
            echo_ready(socket, data).await
        }
    }
}

fn policy() -> Option<DeflateConfig> {
    Some(DeflateConfig {
        compression_level: 1,
        ..Compression::Shared.to_deflate_config()?
    })
}

/// What was agreed on, and what came behind the request.
async fn handshake<S: Socket>(
    stream: &mut S,
    policy: Option<DeflateConfig>,
) -> Result<(Option<DeflateConfig>, Option<Bytes>)> {
    let mut buffer = BytesMut::with_capacity(4096);
    loop {
        if stream.read_buf(&mut buffer).await? == 0 {
            return Err(Error::ConnectionClosed.into());
        }
        let Some((request, length)) = parse_request(&buffer)? else {
            continue;
        };
        let agreed = policy
            .as_ref()
            .zip(request.extensions)
            .and_then(|(policy, offers)| negotiate_server_deflate(offers, policy));
        let header = agreed.as_ref().map(|agreed| agreed.to_response_header());
        let key = generate_accept_key(request.key);
        stream
            .write_all(&build_response(&key, None, header.as_deref()))
            .await?;
        stream.flush().await?;
        let leftover = (length < buffer.len()).then(|| buffer.split_off(length).freeze());
        return Ok((agreed.map(|agreed| agreed.config), leftover));
    }
}

fn data(message: std::result::Result<Message, Error>) -> Result<Option<Message>> {
    let message = message?;
    Ok(matches!(message, Message::Text(_) | Message::Binary(_)).then_some(message))
}

//! An echo on yawc, with the settings of its published benchmark: a read buffer of 128 KiB, a write threshold of
//! 64 KiB, and one flush for all messages that are ready. UTF-8 is not checked: that is its default.
//!
//! With `--deflate` it compresses as its documentation has it for many connections: the fastest level, a pool of
//! compressors in place of one for each connection, and buffers of 1 KiB, which were no slower; its `zlib` feature chooses
//! the faster backend.

use std::sync::LazyLock;

use common::{Result, Socket, Tls, echo_ready};
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use yawc::{DeflatePool, Frame, OpCode, Options, UpgradeFut, WebSocket};

fn main() -> Result {
    common::run(serve::<TcpStream>, serve::<Tls>)
}

async fn serve<S: Socket>(stream: S) -> Result {
    http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service_fn(accept))
        .with_upgrades()
        .await?;
    Ok(())
}

static OPTIONS: LazyLock<Options> = LazyLock::new(|| {
    let options = Options::default()
        .with_limits(16 * 1024 * 1024, 32 * 1024 * 1024)
        .with_backpressure_boundary(64 * 1024);
    match common::has_flag("--deflate") {
        false => options
            .without_compression()
            .with_read_buffer_capacity(128 * 1024),
        true => options
            .with_low_latency_compression()
            .server_no_context_takeover()
            .client_no_context_takeover()
            .with_deflate_pool(DeflatePool::new(64))
            .with_compression_threshold(64)
            .with_read_buffer_capacity(1024)
            .with_write_buffer_capacity(1024),
    }
});

async fn accept(mut request: Request<Incoming>) -> yawc::Result<Response<Empty<Bytes>>> {
    let (response, upgraded) = WebSocket::upgrade_with_options(&mut request, OPTIONS.clone())?;
    tokio::spawn(echo(upgraded));
    Ok(response)
}

async fn echo(upgraded: UpgradeFut) -> Result {
    echo_ready(upgraded.await?, data).await
}

fn data(frame: Frame) -> Result<Option<Frame>> {
    Ok(matches!(frame.opcode(), OpCode::Text | OpCode::Binary).then_some(frame))
}

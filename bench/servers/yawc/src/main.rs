//! An echo on yawc, with the settings of its published benchmark: a read buffer of 128 KiB, a write threshold of
//! 64 KiB, and one flush for all messages that are ready. UTF-8 is not checked: that is its default.

use common::{Result, echo_ready};
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use yawc::{Frame, OpCode, Options, UpgradeFut, WebSocket};

fn main() -> Result {
    common::run(serve)
}

async fn serve(stream: TcpStream) -> Result {
    http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service_fn(accept))
        .with_upgrades()
        .await?;
    Ok(())
}

async fn accept(mut request: Request<Incoming>) -> yawc::Result<Response<Empty<Bytes>>> {
    let options = Options::default()
        .without_compression()
        .with_limits(16 * 1024 * 1024, 32 * 1024 * 1024)
        .with_read_buffer_capacity(128 * 1024)
        .with_backpressure_boundary(64 * 1024);
    let (response, upgraded) = WebSocket::upgrade_with_options(&mut request, options)?;
    tokio::spawn(echo(upgraded));
    Ok(response)
}

async fn echo(upgraded: UpgradeFut) -> Result {
    echo_ready(upgraded.await?, data).await
}

fn data(frame: Frame) -> Result<Option<Frame>> {
    Ok(matches!(frame.opcode(), OpCode::Text | OpCode::Binary).then_some(frame))
}

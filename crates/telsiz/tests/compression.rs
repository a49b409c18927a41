//! permessage-deflate, as it is agreed on and as it stands on the wire.
#![allow(clippy::unwrap_used)]

mod common;

use common::http::read_head;
use common::raw::request;
use common::server::{Running, echo};
use common::{noise, soon};
use telsiz::{Connect, Deflate, Error, Message, Prepared, Upgrade};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const OFFER: &str = "Sec-WebSocket-Extensions: permessage-deflate\r\n";

async fn echo_lent(request: Upgrade) -> Result<(), Error> {
    let mut ws = request.accept().await?;
    ws.run(|message, replies| replies.echo(message)).await
}

async fn echo_prepared(request: Upgrade) -> Result<(), Error> {
    let mut ws = request.accept().await?;
    while let Some(message) = ws.recv().await? {
        ws.send(&Prepared::new(message)).await?;
    }
    Ok(())
}

async fn start(deflate: Option<Deflate>) -> Running {
    Running::start(|serve| {
        serve
            .deflate(deflate)
            .route("/lent", echo_lent)
            .route("/owned", echo)
            .route("/prepared", echo_prepared)
    })
    .await
}

/// Opens a connection by hand; the head of the answer in lower case.
async fn open(server: &Running, path: &str, offer: &str) -> (TcpStream, String) {
    let mut tcp = server.tcp().await;
    let request = request(path, offer);
    tcp.write_all(request.as_bytes()).await.unwrap();
    let head = soon(read_head(&mut tcp)).await.to_ascii_lowercase();
    (tcp, head)
}

/// Sends a frame with a masking key of zeros; what comes back, as first byte and
/// payload.
async fn ask(tcp: &mut TcpStream, first: u8, payload: &[u8]) -> (u8, Vec<u8>) {
    let len = (payload.len() as u64).to_be_bytes();
    let header = match payload.len() {
        0..126 => vec![first, 0x80 | payload.len() as u8],
        126..0x1_0000 => [&[first, 0x80 | 126], &len[6..]].concat(),
        _ => [&[first, 0x80 | 127], &len[..]].concat(),
    };
    let frame = [&header, &[0; 4][..], payload].concat();
    tcp.write_all(&frame).await.unwrap();
    soon(async {
        let first = tcp.read_u8().await.unwrap();
        let len = match tcp.read_u8().await.unwrap() {
            126 => tcp.read_u16().await.unwrap().into(),
            127 => tcp.read_u64().await.unwrap(),
            short => short.into(),
        };
        let mut payload = vec![0; len as usize];
        tcp.read_exact(&mut payload).await.unwrap();
        (first, payload)
    })
    .await
}

#[tokio::test]
async fn a_client_that_offers_it_gets_compressed_messages() {
    let server = start(Some(Deflate::default())).await;
    for path in ["/lent", "/owned", "/prepared"] {
        let (mut tcp, head) = open(&server, path, OFFER).await;
        let answer = "sec-websocket-extensions: permessage-deflate; \
                      server_no_context_takeover; client_no_context_takeover\r\n";
        assert!(head.contains(answer), "{head}");
        for len in [1024, 4096, 100_000] {
            let message = vec![b'x'; len];
            let (first, compressed) = ask(&mut tcp, 0x82, &message).await;
            assert_eq!(first, 0xc2, "{path} {len}");
            assert!(compressed.len() < len / 10, "{path} {len}");
            // What came compressed goes back compressed.
            let again = ask(&mut tcp, 0xc2, &compressed).await;
            assert!(again == (0xc2, compressed), "{path} {len}");
        }
        // What is small, and what compressing makes larger, goes out as it is.
        for message in [vec![b'x'; 1023], noise(5000, 1)] {
            let answer = ask(&mut tcp, 0x82, &message).await;
            assert!(answer == (0x82, message), "{path}");
        }
    }
}

#[tokio::test]
async fn who_does_not_offer_it_or_is_declined_gets_plain_messages() {
    let message = vec![b'x'; 5000];
    for (deflate, offer) in [
        (Some(Deflate::default()), ""),
        (None, OFFER),
        (Some(Deflate::default()), "Sec-WebSocket-Extensions: x\r\n"),
    ] {
        let server = start(deflate).await;
        for path in ["/lent", "/owned", "/prepared"] {
            let (mut tcp, head) = open(&server, path, offer).await;
            assert!(!head.contains("extensions"), "{head}");
            let answer = ask(&mut tcp, 0x82, &message).await;
            assert!(answer == (0x82, message.clone()), "{path}");
        }
    }
}

#[tokio::test]
async fn a_malformed_offer_is_refused() {
    let server = start(Some(Deflate::default())).await;
    let offer = "Sec-WebSocket-Extensions: permessage-deflate;;\r\n";
    let (_, head) = open(&server, "/lent", offer).await;
    assert!(head.starts_with("http/1.1 400 "), "{head}");
}

#[tokio::test]
async fn our_client_and_our_server_understand_each_other() {
    let takeover = {
        let mut deflate = Deflate::default();
        deflate.server_takeover = true;
        deflate.client_takeover = true;
        deflate.threshold = 0;
        deflate
    };
    let settings = [None, Some(Deflate::default()), Some(takeover)];
    for ours in &settings {
        let server = start(ours.clone()).await;
        for theirs in &settings {
            for path in ["/lent", "/owned", "/prepared"] {
                let connect: Connect = server.client(path).deflate(theirs.clone());
                let mut ws = soon(connect).await.unwrap();
                for len in [0, 1, 1023, 1024, 5000, 200_000] {
                    for message in [
                        Message::text("ğ".repeat(len / 2)),
                        Message::binary(noise(len, len as u64)),
                    ] {
                        soon(ws.send(message.clone())).await.unwrap();
                        let echo = soon(ws.recv()).await.unwrap();
                        assert!(echo == Some(message), "{path} {len} {ours:?} {theirs:?}");
                    }
                }
            }
        }
    }
}

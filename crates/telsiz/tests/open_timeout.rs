//! The opening handshake takes only so long, on both sides.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::frozen::frozen;
use common::raw::{Raw, request};
use common::server::Running;
use common::{client, soon};
use telsiz::ConnectError;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::yield_now;
use tokio::time::{Instant, advance, sleep};

#[tokio::test(start_paused = true)]
async fn a_silent_server_is_given_up_after_10_seconds_by_default() {
    let (ours, _theirs) = tokio::io::duplex(4096);
    let start = Instant::now();
    let opened = client().over(ours).await;
    assert!(matches!(opened, Err(ConnectError::Timeout)), "{opened:?}");
    assert_eq!(start.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_reads_nothing_is_given_up() {
    let (ours, _theirs) = tokio::io::duplex(7);
    let start = Instant::now();
    let opened = client()
        .open_timeout(Duration::from_secs(3))
        .over(ours)
        .await;
    assert!(matches!(opened, Err(ConnectError::Timeout)), "{opened:?}");
    assert_eq!(start.elapsed().as_secs(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_dribbles_is_given_up() {
    // Bytes are no reason to wait longer: the deadline is for the whole.
    let (ours, mut theirs) = tokio::io::duplex(4096);
    let dribble = async {
        theirs.write_all(b"HTTP/1.1 101 ").await.unwrap();
        loop {
            sleep(Duration::from_secs(1)).await;
            if theirs.write_all(b"x").await.is_err() {
                return;
            }
        }
    };
    let start = Instant::now();
    let (opened, ()) = tokio::join!(client().over(ours), dribble);
    assert!(matches!(opened, Err(ConnectError::Timeout)), "{opened:?}");
    assert!(start.elapsed().as_secs() <= 11, "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn without_an_open_timeout_a_client_waits_as_long_as_it_takes() {
    let (ours, theirs) = tokio::io::duplex(4096);
    let accept = async {
        sleep(Duration::from_secs(100_000)).await;
        Raw::accept(theirs).await
    };
    let (opened, _peer) = tokio::join!(client().open_timeout(None).over(ours), accept);
    opened.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_open_timeout_ends_with_the_handshake() {
    let opening = client()
        .open_timeout(Duration::from_secs(1))
        .ping_interval(None);
    let (mut ws, mut peer) = common::pipe(4096, opening).await;
    sleep(Duration::from_secs(100)).await;
    ws.send("here").await.unwrap();
    assert_eq!(peer.frame().await.payload, b"here");
}

#[test]
fn a_client_that_says_nothing_is_dropped_by_the_server() {
    frozen(|| async {
        let server = Running::echo().await;
        let mut silent = server.tcp().await;
        // Another handshake shows that the server has accepted the first.
        let _other = Raw::open(&server, "/").await;
        advance(Duration::from_millis(9_900)).await;
        let mut byte = [0];
        assert!(silent.try_read(&mut byte).is_err(), "still waited for");
        advance(Duration::from_millis(200)).await;
        assert_eq!(silent.read(&mut byte).await.unwrap(), 0);
    });
}

#[test]
fn a_client_that_dribbles_its_request_is_dropped_by_the_server() {
    frozen(|| async {
        let server = Running::start(|serve| {
            serve
                .open_timeout(Duration::from_secs(4))
                .fallback(common::server::echo)
        })
        .await;
        let mut slow = server.tcp().await;
        let head = request("/", "");
        for byte in &head.as_bytes()[..5] {
            slow.write_all(&[*byte]).await.unwrap();
            // Another handshake shows that the server had its turn.
            drop(Raw::open(&server, "/").await);
            advance(Duration::from_millis(900)).await;
        }
        // 4.5 s have passed.
        assert_eq!(slow.read(&mut [0]).await.unwrap_or(0), 0);
    });
}

#[test]
fn without_an_open_timeout_the_server_waits() {
    frozen(|| async {
        let server =
            Running::start(|serve| serve.open_timeout(None).fallback(common::server::echo)).await;
        let mut slow = server.tcp().await;
        let head = request("/", "");
        slow.write_all(&head.as_bytes()[..10]).await.unwrap();
        let _other = Raw::open(&server, "/").await;
        advance(Duration::from_secs(100_000)).await;
        slow.write_all(&head.as_bytes()[10..]).await.unwrap();
        let head = common::http::read_head(&mut slow).await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    });
}

#[test]
fn a_refused_client_that_stays_is_dropped_after_2_seconds() {
    frozen(|| async {
        let server = Running::echo().await;
        let mut tcp = server.tcp().await;
        tcp.write_all(b"\x16 is no HTTP").await.unwrap();
        let mut answer = Vec::new();
        tcp.read_to_end(&mut answer).await.unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 400 "));
        // It is read and thrown away, so that no reset eats the answer.
        for _ in 0..100 {
            tcp.write_all(&[0; 1000]).await.unwrap();
            yield_now().await;
        }
        advance(Duration::from_millis(2_100)).await;
        while tcp.write_all(&[0; 1000]).await.is_ok() {
            yield_now().await;
        }
    });
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_is_a_transport_error() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let opened = soon(telsiz::connect(format!("ws://{address}/"))).await;
    assert!(
        matches!(opened, Err(ConnectError::Transport(_))),
        "{opened:?}"
    );
}

#[tokio::test]
async fn a_server_that_hangs_up_amid_the_handshake_is_an_error() {
    for said in ["", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: web"] {
        let (ours, mut theirs) = tokio::io::duplex(4096);
        theirs.write_all(said.as_bytes()).await.unwrap();
        theirs.shutdown().await.unwrap();
        let opened = soon(client().over(ours)).await;
        assert!(
            matches!(
                opened,
                Err(ConnectError::Handshake(_) | ConnectError::Transport(_))
            ),
            "{opened:?}"
        );
    }
}

//! Close codes both ways, and what a connection says about itself at each stage.
#![allow(clippy::unwrap_used)]

mod common;

use common::frame::Frame;
use common::poll::at_most;
use common::raw::Raw;
use common::server::Running;
use common::{client, pipe, soon};
use telsiz::{Cause, CloseCode, CloseFrame, Error, Outcome, State, Upgrade, WebSocket};
use tokio::io::{AsyncWriteExt, DuplexStream};
use tokio::sync::mpsc;

fn code(code: u16) -> CloseCode {
    CloseCode::new(code).unwrap()
}

/// A server whose handler receives until the end and then hands out how it ended.
async fn reporting() -> (Running, mpsc::UnboundedReceiver<Option<Outcome>>) {
    let (report, reports) = mpsc::unbounded_channel();
    let server = Running::start(|serve| {
        serve.fallback(move |request: Upgrade| {
            let report = report.clone();
            async move {
                let mut ws = request.accept().await.unwrap();
                let _ = ws.run(|_, _| {}).await;
                report.send(ws.outcome()).unwrap();
            }
        })
    })
    .await;
    (server, reports)
}

#[tokio::test]
async fn the_server_learns_the_clients_code_and_reason() {
    let (server, mut reports) = reporting().await;
    for number in [1000, 1001, 1003, 1011, 1014, 3000, 4999] {
        let mut ws = server.connect("/").await;
        let frame = CloseFrame::new(code(number), "güle güle").unwrap();
        let ours = soon(ws.close(frame.clone())).await.unwrap();
        let theirs = soon(reports.recv()).await.unwrap().unwrap();
        assert_eq!(theirs.code(), code(number));
        assert_eq!(theirs.reason(), "güle güle");
        assert_eq!(theirs.cause, Cause::Handshake);
        assert_eq!(ours.sent, Some(frame));
        assert_eq!(ours.code(), code(number));
        assert_eq!(ours.cause, Cause::Handshake);
    }
}

#[tokio::test]
async fn the_client_learns_the_servers_code_and_reason() {
    let server = Running::start(|serve| {
        serve.route("/{code}", |request: Upgrade| async move {
            let code = code(request.param("code").unwrap().parse().unwrap());
            let frame = CloseFrame::new(code, "closed by the server").unwrap();
            let mut ws = request.accept().await?;
            ws.close(frame).await;
            Ok::<_, Error>(())
        })
    })
    .await;
    for number in [1000, 1001, 1008, 1012, 1013, 3999, 4000] {
        let mut ws = server.connect(&format!("/{number}")).await;
        assert!(soon(ws.recv()).await.unwrap().is_none());
        assert_eq!(ws.close_code(), Some(code(number)));
        let outcome = ws.outcome().unwrap();
        assert_eq!(outcome.reason(), "closed by the server");
        assert_eq!(outcome.cause, Cause::Handshake);
    }
}

#[tokio::test]
async fn a_close_without_a_code_is_1005_and_is_answered_without_one() {
    let (mut ws, mut peer) = pipe(4096, client()).await;
    peer.send(Frame::new(8, "")).await;
    peer.end().await;
    assert_eq!(soon(ws.recv()).await.unwrap(), None);
    assert_eq!(ws.close_code(), Some(CloseCode::NO_STATUS));
    assert_eq!(peer.frame().await, Frame::new(8, ""));

    let (mut ws, mut peer) = pipe(4096, client()).await;
    let (outcome, frames) = tokio::join!(ws.close(CloseFrame::EMPTY), peer.behave());
    assert_eq!(frames, [Frame::new(8, "")]);
    assert_eq!(outcome.unwrap().code(), CloseCode::NO_STATUS);
}

#[tokio::test]
async fn a_clients_state_goes_from_open_over_closing_to_closed() {
    let (mut ws, mut peer) = pipe(4096, client()).await;
    assert_eq!(ws.state(), State::Open);
    assert_eq!((ws.outcome(), ws.close_code()), (None, None));
    peer.send(Frame::text("last")).await;
    peer.send(Frame::close(1000, "done")).await;
    assert_eq!(soon(ws.recv()).await.unwrap(), Some("last".into()));
    assert_eq!(ws.state(), State::Open);
    // It waits for the server to end the transport.
    assert!(at_most(1, ws.recv()).await.is_none());
    assert_eq!(ws.state(), State::Closing);
    let outcome = ws.outcome().unwrap();
    assert_eq!(outcome.code(), CloseCode::NORMAL);
    assert_eq!(outcome.sent, outcome.received);
    assert_eq!(peer.frame().await, Frame::close(1000, "done"));
    assert!(matches!(ws.send("late").await, Err(Error::Closed)));
    let late = ws.send_fragment("late", true).await;
    assert!(matches!(late, Err(Error::Closed)));
    peer.end().await;
    assert_eq!(soon(ws.recv()).await.unwrap(), None);
    assert_eq!(ws.state(), State::Closed);
    let closed = soon(ws.close(CloseCode::RESTART)).await;
    assert_eq!(closed.unwrap(), outcome, "the first code counts");
    assert_eq!(soon(ws.recv()).await.unwrap(), None);
    // Our direction has ended, too, although `ws` still lives.
    assert_eq!(soon(peer.rest()).await, []);
}

#[tokio::test]
async fn a_server_that_received_the_end_has_ended_its_direction() {
    let (keep, mut kept) = mpsc::unbounded_channel();
    let server = Running::start(|serve| {
        serve.fallback(move |request: Upgrade| {
            let keep = keep.clone();
            async move {
                let mut ws = request.accept().await.unwrap();
                assert_eq!(ws.recv().await.unwrap(), None);
                keep.send(ws).unwrap();
            }
        })
    })
    .await;
    let mut peer = Raw::open(&server, "/").await;
    peer.send(Frame::close(1000, "")).await;
    let mut ws = soon(kept.recv()).await.unwrap();
    assert_eq!(ws.state(), State::Closing);
    assert_eq!(ws.close_code(), Some(CloseCode::NORMAL));
    assert_eq!(soon(peer.rest()).await, [Frame::close(1000, "")]);
    drop(peer);
    soon(ws.close(CloseCode::NORMAL)).await;
    assert_eq!(ws.state(), State::Closed);
}

#[tokio::test]
async fn recv_goes_on_after_our_own_close_until_the_peers() {
    let (mut ws, mut peer) = pipe(4096, client()).await;
    // Given up at its first wait: the Close frame is out.
    assert!(
        common::poll::at_most(1, ws.close(CloseCode::NORMAL))
            .await
            .is_none()
    );
    assert_eq!(ws.state(), State::Closing);
    assert_eq!(ws.close_code(), Some(CloseCode::ABNORMAL));
    assert_eq!(peer.frame().await, Frame::close(1000, ""));
    peer.send(Frame::text("on its way")).await;
    peer.say_goodbye(1000, "").await;
    assert_eq!(soon(ws.recv()).await.unwrap(), Some("on its way".into()));
    assert_eq!(soon(ws.recv()).await.unwrap(), None);
    assert_eq!(ws.close_code(), Some(CloseCode::NORMAL));
}

#[tokio::test]
async fn close_discards_what_still_comes() {
    let (mut ws, mut peer) = pipe(100, client()).await;
    let peering = async {
        for _ in 0..100 {
            peer.send(Frame::binary([1; 1000])).await;
        }
        peer.behave().await
    };
    let closing = ws.close(CloseCode::NORMAL);
    let (outcome, frames) = soon(async { tokio::join!(closing, peering) }).await;
    assert_eq!(outcome.unwrap().code(), CloseCode::NORMAL);
    assert_eq!(frames, [Frame::close(1000, "")]);
}

#[tokio::test]
async fn both_may_close_at_once() {
    let (mut ws, mut peer) = pipe(4096, client()).await;
    peer.send(Frame::close(4001, "theirs")).await;
    let ours = CloseFrame::new(code(4002), "ours").unwrap();
    let peering = async {
        assert_eq!(peer.frame().await, Frame::close(4002, "ours"));
        peer.end().await;
    };
    let (outcome, ()) = soon(async { tokio::join!(ws.close(ours.clone()), peering) }).await;
    let outcome = outcome.unwrap();
    assert_eq!(outcome.code(), code(4001));
    assert_eq!(outcome.sent, Some(ours));
}

#[tokio::test]
async fn a_peer_that_vanishes_is_lost() {
    let (mut ws, mut peer) = pipe(4096, client()).await;
    peer.send(Frame::text("last")).await;
    drop(peer);
    assert_eq!(soon(ws.recv()).await.unwrap(), Some("last".into()));
    let lost = soon(ws.recv()).await;
    assert!(
        matches!(&lost, Err(Error::Lost(error)) if error.kind() == std::io::ErrorKind::UnexpectedEof),
        "{lost:?}"
    );
    assert_eq!(ws.state(), State::Closed);
    assert_eq!(ws.close_code(), Some(CloseCode::ABNORMAL));
    let outcome = ws.outcome().unwrap();
    assert_eq!(outcome.cause, Cause::TransportLost);
    assert_eq!((outcome.sent, outcome.received), (None, None));
    assert!(soon(ws.recv()).await.unwrap().is_none());
    assert!(soon(ws.send("late")).await.is_err());
}

#[tokio::test]
async fn a_peer_that_vanishes_amid_a_message_is_lost() {
    for cut in [1, 2, 5, 300, 70_000] {
        let (mut ws, mut peer) = pipe(100_000, client()).await;
        let bytes = peer.encode(&Frame::binary([7; 80_000]));
        peer.io.write_all(&bytes[..cut]).await.unwrap();
        drop(peer);
        assert!(matches!(soon(ws.recv()).await, Err(Error::Lost(_))));
    }
}

#[tokio::test]
async fn the_server_notices_a_client_that_vanishes() {
    let (server, mut reports) = reporting().await;
    drop(Raw::open(&server, "/").await);
    let outcome = soon(reports.recv()).await.unwrap().unwrap();
    assert_eq!(outcome.cause, Cause::TransportLost);
    assert_eq!(outcome.code(), CloseCode::ABNORMAL);
}

#[tokio::test]
async fn a_reset_is_lost_with_its_error() {
    let (server, mut reports) = reporting().await;
    let peer = Raw::open(&server, "/").await;
    // Dropping it resets the connection.
    peer.io.set_zero_linger().unwrap();
    drop(peer);
    let outcome = soon(reports.recv()).await.unwrap().unwrap();
    assert_eq!(outcome.cause, Cause::TransportLost);
}

#[tokio::test]
async fn our_server_ends_the_transport_first_and_the_client_waits_for_it() {
    let server = Running::echo().await;
    let mut peer = Raw::open(&server, "/").await;
    peer.send(Frame::close(1000, "")).await;
    // The answer, and then the end, although our direction is still open.
    assert_eq!(soon(peer.rest()).await, [Frame::close(1000, "")]);
}

#[tokio::test]
async fn data_behind_the_peers_close_is_no_message() {
    let (mut ws, mut peer) = pipe(4096, client()).await;
    peer.send(Frame::close(1000, "")).await;
    peer.send(Frame::text("late")).await;
    peer.end().await;
    assert!(soon(ws.recv()).await.unwrap().is_none());
    assert!(soon(ws.recv()).await.unwrap().is_none());
    assert_eq!(ws.close_code(), Some(CloseCode::NORMAL));
}

/// Our client after it has received the first of `frames`, which came in one read
/// with the others but for the last bytes; its peer, and those bytes.
async fn after_the_first(
    frames: &[Frame],
    held_back: usize,
) -> (WebSocket<DuplexStream>, Raw<DuplexStream>, Vec<u8>) {
    let (mut ws, mut peer) = pipe(4096, client()).await;
    let mut bytes: Vec<_> = frames.iter().flat_map(|f| peer.encode(f)).collect();
    let later = bytes.split_off(bytes.len() - held_back);
    peer.io.write_all(&bytes).await.unwrap();
    assert_eq!(soon(ws.recv()).await.unwrap(), Some("1".into()));
    (ws, peer, later)
}

#[tokio::test]
async fn a_close_frame_that_was_read_with_a_message_is_not_waited_for() {
    let frames = [
        Frame::text("1"),
        Frame::text("2"),
        Frame::close(1001, "bye"),
    ];
    let (mut ws, mut peer, _) = after_the_first(&frames, 0).await;
    peer.end().await;
    let outcome = soon(ws.close(CloseCode::NORMAL)).await.unwrap();
    assert_eq!(outcome.code(), CloseCode::GOING_AWAY);
    assert_eq!(outcome.cause, Cause::Handshake);
}

#[tokio::test]
async fn half_a_frame_that_was_read_with_a_message_is_finished_while_closing() {
    let frames = [
        Frame::text("1"),
        Frame::text("\u{7f}\u{7f}\u{7f}\u{7f}abcdefgh"),
    ];
    let (mut ws, mut peer, later) = after_the_first(&frames, 4).await;
    let closing = async { ws.close(CloseCode::NORMAL).await };
    let answering = async {
        assert_eq!(peer.frame().await, Frame::close(1000, ""));
        peer.io.write_all(&later).await.unwrap();
        peer.say_goodbye(1000, "").await;
    };
    let (outcome, ()) = soon(async { tokio::join!(closing, answering) }).await;
    assert_eq!(outcome.unwrap().cause, Cause::Handshake);
}

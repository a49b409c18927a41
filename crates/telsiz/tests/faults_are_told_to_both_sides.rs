//! What the peer does wrong: the error here, the close code there.
#![allow(clippy::unwrap_used)]

mod common;

use common::frame::{CLOSE, CONTINUATION, Frame, PING, TEXT};
use common::raw::Raw;
use common::server::Running;
use common::{client, pipe, soon};
use telsiz::{
    Cause, CloseCode, Error, Exceeded, Fault, Message, Options, State, Upgrade, Violation,
};
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;

/// What is wrong, the bytes of it, and the code that answers it. Bytes of a
/// server; a client's are masked.
fn wrongs(masked: bool) -> Vec<(Fault, Vec<u8>, u16)> {
    let violation = Fault::Violation;
    let frame = |opcode, payload: &[u8]| Frame::new(opcode, payload).bytes(masked);
    let role = match masked {
        true => Violation::Unmasked,
        false => Violation::Masked,
    };
    vec![
        (violation(Violation::NotUtf8), frame(TEXT, b"\xff"), 1007),
        (violation(Violation::ReservedOpcode(3)), frame(3, b""), 1002),
        (
            violation(Violation::NothingToContinue),
            frame(CONTINUATION, b""),
            1002,
        ),
        (
            violation(Violation::MessageInterrupted),
            [Frame::text("a").more().bytes(masked), frame(TEXT, b"b")].concat(),
            1002,
        ),
        (
            violation(Violation::ControlFragmented),
            Frame::new(PING, "").more().bytes(masked),
            1002,
        ),
        (
            violation(Violation::ControlTooLong),
            frame(PING, &[0; 126]),
            1002,
        ),
        (
            violation(Violation::CloseCode(1005)),
            frame(CLOSE, &1005_u16.to_be_bytes()),
            1002,
        ),
        (violation(role), Frame::text("a").bytes(!masked), 1002),
        (
            Fault::Exceeded(Exceeded::MessageSize { max: 1000 }),
            frame(TEXT, &[b'a'; 1001]),
            1009,
        ),
        (
            Fault::Exceeded(Exceeded::Fragments { max: 2 }),
            [
                Frame::text("a").more().bytes(masked),
                Frame::new(CONTINUATION, "b").more().bytes(masked),
                Frame::new(CONTINUATION, "c").more().bytes(masked),
            ]
            .concat(),
            1008,
        ),
    ]
}

#[tokio::test]
async fn a_client_tells_the_server_what_it_did_wrong() {
    for (fault, bytes, code) in wrongs(false) {
        let limits = client().max_message_size(1000).max_fragments(2);
        let (mut ws, mut peer) = pipe(4096, limits).await;
        peer.send(Frame::text("right")).await;
        peer.io.write_all(&bytes).await.unwrap();
        peer.send(Frame::text("ignored")).await;
        assert_eq!(soon(ws.recv()).await.unwrap(), Some("right".into()));
        let error = soon(ws.recv()).await.unwrap_err();
        assert!(
            matches!(error, Error::Fault(found) if found == fault),
            "{error:?}"
        );
        assert_eq!(ws.state(), State::Closing);
        assert_eq!(ws.outcome().unwrap().cause, Cause::Fault(fault));
        assert!(soon(ws.recv()).await.unwrap().is_none());
        assert!(matches!(ws.send("late").await, Err(Error::Closed)));
        drop(ws);
        let frames = soon(peer.rest()).await;
        assert_eq!(frames.len(), 1, "{frames:?}");
        assert_eq!(frames[0].close_body().0, code, "{fault:?}");
    }
}

#[tokio::test]
async fn a_server_tells_the_client_what_it_did_wrong() {
    let (report, mut reports) = mpsc::unbounded_channel();
    let server = Running::start(|serve| {
        let serve = serve.max_message_size(1000).max_fragments(2);
        serve.fallback(move |request: Upgrade| {
            let report = report.clone();
            async move {
                let mut ws = request.accept().await.unwrap();
                report.send(ws.run(|_, _| {}).await).unwrap();
            }
        })
    })
    .await;
    for (fault, bytes, code) in wrongs(true) {
        let mut peer = Raw::open(&server, "/").await;
        peer.io.write_all(&bytes).await.unwrap();
        let frames = soon(peer.rest()).await;
        assert_eq!(frames.len(), 1, "{frames:?}");
        assert_eq!(frames[0].close_body().0, code, "{fault:?}");
        let ran = soon(reports.recv()).await.unwrap();
        assert!(
            matches!(ran, Err(Error::Fault(found)) if found == fault),
            "{ran:?}"
        );
    }
}

#[tokio::test]
async fn a_fault_is_found_before_the_message_ends() {
    // Fail fast: the rest of the message never comes.
    let (mut ws, mut peer) = pipe(4096, client()).await;
    peer.send(Frame::new(TEXT, b"abc\xff").more()).await;
    assert!(matches!(
        soon(ws.recv()).await,
        Err(Error::Fault(Fault::Violation(Violation::NotUtf8)))
    ));
    assert_eq!(soon(peer.frame()).await.close_body().0, 1007);
}

#[tokio::test]
async fn a_message_at_the_limit_is_received() {
    let (mut ws, mut peer) = pipe(4096, client().max_message_size(1000).max_fragments(2)).await;
    peer.send(Frame::binary([1; 1000])).await;
    assert_eq!(soon(ws.recv()).await.unwrap().unwrap().len(), 1000);
    peer.send(Frame::binary([1; 400]).more()).await;
    peer.send(Frame::new(CONTINUATION, [1; 400]).more()).await;
    peer.send(Frame::new(CONTINUATION, [1; 200])).await;
    assert_eq!(soon(ws.recv()).await.unwrap().unwrap().len(), 1000);
}

#[tokio::test]
async fn last_words_come_before_the_close_frame() {
    let options = Options::default().max_message_size(10).last_words(|fault| {
        let Fault::Exceeded(_) = fault else {
            return None;
        };
        Some(Message::from(format!("sorry: {fault}")))
    });
    let (mut ws, mut peer) = pipe(4096, client().options(options.clone())).await;
    peer.send(Frame::binary([1; 11])).await;
    assert!(matches!(soon(ws.recv()).await, Err(Error::Fault(_))));
    drop(ws);
    let frames = soon(peer.rest()).await;
    let words = "sorry: the peer went over a limit: a message is larger than 10 bytes";
    assert_eq!(frames.len(), 2, "{frames:?}");
    assert_eq!(frames[0], Frame::text(words));
    assert_eq!(frames[1].close_body().0, 1009);

    // Asked, but silent.
    let (mut ws, mut peer) = pipe(4096, client().options(options)).await;
    peer.send(Frame::new(3, "")).await;
    assert!(matches!(soon(ws.recv()).await, Err(Error::Fault(_))));
    drop(ws);
    let frames = soon(peer.rest()).await;
    assert_eq!(frames.len(), 1, "{frames:?}");
    assert_eq!(frames[0].close_body().0, 1002);
}

#[tokio::test]
async fn last_words_of_a_server_follow_the_answers_before() {
    let options = Options::default()
        .max_message_size(10)
        .last_words(|_| Some("too much".into()));
    let server = Running::start(|serve| {
        serve
            .options(options)
            .fallback(|request: Upgrade| async move {
                let mut ws = request.accept().await?;
                ws.run(|message, replies| replies.echo(message)).await
            })
    })
    .await;
    let mut ws = server.connect("/").await;
    for message in ["short", "also", "much too long"] {
        soon(ws.feed(message)).await.unwrap();
    }
    for message in ["short", "also", "too much"] {
        assert_eq!(soon(ws.recv()).await.unwrap(), Some(message.into()));
    }
    assert_eq!(soon(ws.recv()).await.unwrap(), None);
    assert_eq!(ws.close_code(), Some(CloseCode::TOO_BIG));
}

#[tokio::test]
async fn a_client_that_goes_on_sending_still_reads_the_close_code() {
    // A server that reset the connection with bytes unread would eat it.
    let server =
        Running::start(|serve| serve.max_message_size(1000).fallback(common::server::echo)).await;
    let mut ws = server.connect("/").await;
    for _ in 0..100 {
        // Writing fails at some time; the code has to be there all the same.
        if soon(ws.send(vec![0; 50_000])).await.is_err() {
            break;
        }
    }
    assert!(soon(ws.recv()).await.unwrap().is_none());
    assert_eq!(ws.close_code(), Some(CloseCode::TOO_BIG));
}

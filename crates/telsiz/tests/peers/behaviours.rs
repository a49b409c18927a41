//! What our client does with a server, whoever wrote that.

use std::time::Duration;

use telsiz::{
    Cause, CloseCode, CloseFrame, ConnectError, Deflate, Error, Fault, Message, PingError, State,
    WebSocket, WindowBits,
};

use crate::common::{busy_halves, noise, soon};
use crate::process::Peer;

async fn next(ws: &mut WebSocket) -> Message {
    soon(ws.recv()).await.unwrap().expect("a message")
}

async fn echoed(ws: &mut WebSocket, message: impl Into<Message>) {
    let message = message.into();
    soon(ws.send(message.clone())).await.unwrap();
    assert!(next(ws).await == message);
}

/// It behaves as on `/echo`, and ends as it should.
async fn echoes_and_ends(mut ws: WebSocket) {
    echoed(&mut ws, "still there").await;
    let outcome = soon(ws.close(CloseCode::NORMAL)).await.unwrap();
    assert_eq!(outcome.code(), CloseCode::NORMAL);
    assert_eq!(outcome.cause, Cause::Handshake);
    assert_eq!(ws.state(), State::Closed);
}

pub(crate) async fn messages_come_back_as_they_were_sent(peer: &Peer) {
    let mut ws = peer.connect("/echo").await;
    echoed(&mut ws, "Merhaba dünya 👋").await;
    echoed(&mut ws, "").await;
    echoed(&mut ws, Vec::new()).await;
    for len in [1, 125, 126, 65_535, 65_536, 1 << 20] {
        echoed(&mut ws, noise(len, 1)).await;
        echoed(&mut ws, "x".repeat(len)).await;
    }
    echoes_and_ends(ws).await;
}

pub(crate) async fn messages_come_back_through_compression(peer: &Peer) {
    for takeover in [false, true] {
        for bits in [9, 15] {
            let mut deflate = Deflate::default();
            deflate.server_takeover = takeover;
            deflate.client_takeover = takeover;
            deflate.server_window = WindowBits::new(bits).unwrap();
            deflate.client_window = deflate.server_window;
            deflate.threshold = 0;
            let mut ws = soon(peer.client("/echo").deflate(deflate)).await.unwrap();
            for len in [1, 1000, 2000, 2000, 100_000] {
                echoed(&mut ws, "ğ".repeat(len)).await;
                echoed(&mut ws, noise(len, 1)).await;
            }
            echoes_and_ends(ws).await;
        }
    }
}

pub(crate) async fn our_fragments_arrive_as_one_message(peer: &Peer) {
    let mut ws = peer.connect("/echo").await;
    for part in ["mer", "", "ha"] {
        soon(ws.send_fragment(part, false)).await.unwrap();
    }
    soon(ws.send_fragment("ba", true)).await.unwrap();
    soon(ws.send_fragment(vec![0; 70_000], false))
        .await
        .unwrap();
    soon(ws.send_fragment(vec![1], true)).await.unwrap();
    assert_eq!(next(&mut ws).await, "merhaba".into());
    let binary = next(&mut ws).await;
    assert_eq!((binary.len(), binary.as_bytes().last()), (70_001, Some(&1)));
    echoes_and_ends(ws).await;
}

pub(crate) async fn its_fragments_come_as_one_message(peer: &Peer) {
    let mut ws = peer.connect("/fragments").await;
    assert_eq!(next(&mut ws).await, "merhaba".into());
    assert_eq!(next(&mut ws).await, vec![0, 1, 2].into());
    echoes_and_ends(ws).await;
}

pub(crate) async fn close_codes_come_with_their_reasons(peer: &Peer) {
    for number in [1000, 1001, 1011, 3000, 4999] {
        let mut ws = peer.connect(&format!("/close/{number}")).await;
        assert!(soon(ws.recv()).await.unwrap().is_none());
        assert_eq!(ws.close_code(), CloseCode::new(number));
        let outcome = ws.outcome().unwrap();
        assert_eq!(outcome.reason(), format!("closed with {number}"));
        assert_eq!(outcome.cause, Cause::Handshake);
    }
}

/// How the newest connection ended, as the peer saw it.
async fn last_close(peer: &Peer) -> String {
    let mut ws = peer.connect("/last-close").await;
    let end = next(&mut ws).await;
    assert!(soon(ws.recv()).await.unwrap().is_none());
    end.as_text().unwrap().replace(' ', "")
}

pub(crate) async fn our_close_codes_arrive_with_their_reasons(peer: &Peer) {
    for number in [1000, 1001, 4000] {
        let mut ws = peer.connect("/echo").await;
        let frame = CloseFrame::new(CloseCode::new(number).unwrap(), "güle").unwrap();
        let outcome = soon(ws.close(frame)).await.unwrap();
        assert_eq!(outcome.code().get(), number);
        let end = last_close(peer).await.replace("\\u00fc", "ü");
        assert_eq!(end, format!(r#"{{"code":{number},"reason":"güle"}}"#));
    }
    let mut ws = peer.connect("/echo").await;
    soon(ws.close(CloseFrame::EMPTY)).await.unwrap();
    assert_eq!(last_close(peer).await, r#"{"code":1005,"reason":""}"#);
}

pub(crate) async fn a_connection_that_is_dropped_arrives_as_1000(peer: &Peer) {
    drop(peer.connect("/echo").await);
    assert_eq!(last_close(peer).await, r#"{"code":1000,"reason":""}"#);
}

pub(crate) async fn its_pings_are_answered(peer: &Peer) {
    let mut ws = peer.connect("/ping").await;
    let told = next(&mut ws).await;
    assert!(told.as_text().unwrap().contains("rtt_ms"), "{told:?}");
    echoes_and_ends(ws).await;
}

pub(crate) async fn our_pings_are_answered(peer: &Peer) {
    let mut ws = peer.connect("/echo").await;
    for _ in 0..3 {
        soon(ws.ping()).await.unwrap();
    }
    echoes_and_ends(ws).await;
}

async fn vanished(peer: &Peer, path: &str) {
    let mut ws = peer.connect(path).await;
    soon(ws.send("go")).await.unwrap();
    let ended = soon(ws.recv()).await;
    assert!(matches!(ended, Err(Error::Lost(_))), "{ended:?}");
    assert_eq!(ws.close_code(), Some(CloseCode::ABNORMAL));
    assert_eq!(ws.outcome().unwrap().cause, Cause::TransportLost);
    assert_eq!(ws.state(), State::Closed);
}

pub(crate) async fn a_server_that_vanishes_is_lost(peer: &Peer) {
    vanished(peer, "/vanish").await;
}

pub(crate) async fn a_server_that_resets_is_lost(peer: &Peer) {
    vanished(peer, "/vanish/reset").await;
}

pub(crate) async fn a_subprotocol_is_agreed_on(peer: &Peer) {
    let offers = ["superchat", "chat"];
    let mut ws = soon(peer.client("/subprotocol").subprotocols(offers))
        .await
        .unwrap();
    assert_eq!(ws.subprotocol(), Some("chat"));
    assert_eq!(next(&mut ws).await, "chat".into());
    let mut ws = soon(peer.client("/subprotocol").subprotocols(["other"]))
        .await
        .unwrap();
    assert_eq!(ws.subprotocol(), None);
    assert_eq!(next(&mut ws).await, "None".into());
    let mut ws = peer.connect("/subprotocol").await;
    assert_eq!(ws.subprotocol(), None);
    assert_eq!(next(&mut ws).await, "None".into());
}

pub(crate) async fn a_silent_server_is_given_up(peer: &Peer) {
    let short = Duration::from_millis(100);
    let opening = peer
        .client("/silent")
        .ping_interval(short)
        .ping_timeout(short);
    let mut ws = soon(opening.close_timeout(short)).await.unwrap();
    let ended = soon(ws.recv()).await;
    assert!(
        matches!(ended, Err(Error::Fault(Fault::Silent))),
        "{ended:?}"
    );
    let mut ws = soon(
        peer.client("/silent")
            .ping_interval(short)
            .ping_timeout(short),
    )
    .await
    .unwrap();
    assert!(matches!(soon(ws.ping()).await, Err(PingError::Closed)));
}

pub(crate) async fn close_gives_a_silent_server_up(peer: &Peer) {
    let short = Duration::from_millis(100);
    let mut ws = soon(peer.client("/silent").close_timeout(short))
        .await
        .unwrap();
    let outcome = soon(ws.close(CloseCode::NORMAL)).await.unwrap();
    assert_eq!(outcome.cause, Cause::CloseTimeout);
    assert_eq!(ws.state(), State::Closed);
}

pub(crate) async fn a_message_of_1_mib_comes_at_once(peer: &Peer) {
    let mut ws = peer.connect("/big").await;
    let message = next(&mut ws).await;
    assert_eq!(message.len(), 1 << 20);
    let expected = (0..=255).cycle();
    assert!(
        message
            .as_bytes()
            .iter()
            .copied()
            .eq(expected.take(1 << 20))
    );
    echoes_and_ends(ws).await;
    // One byte more than is allowed.
    let mut ws = soon(peer.client("/big").max_message_size((1 << 20) - 1))
        .await
        .unwrap();
    assert!(matches!(soon(ws.recv()).await, Err(Error::Fault(_))));
    drop(ws);
    let end = last_close(peer).await;
    assert!(end.starts_with(r#"{"code":1009,"#), "{end}");
}

pub(crate) async fn headers_arrive(peer: &Peer) {
    let opening = peer.client("/headers").header("X-Token", "secret");
    let mut ws = soon(opening.header("User-Agent", "telsiz-test"))
        .await
        .unwrap();
    let headers = next(&mut ws).await.as_text().unwrap().replace(' ', "");
    for header in [
        r#""x-token":"secret""#,
        r#""user-agent":"telsiz-test""#,
        r#""sec-websocket-version":"13""#,
        r#""host":"127.0.0.1:"#,
    ] {
        assert!(headers.contains(header), "{headers}");
    }
    echoes_and_ends(ws).await;
}

pub(crate) async fn a_refused_handshake_is_typed(peer: &Peer) {
    let Err(ConnectError::Rejected(response)) = soon(peer.client("/refuse")).await else {
        panic!("it has to be refused");
    };
    assert_eq!(response.status(), 403);
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(response.headers()["x-refused-by"], "peer");
    assert_eq!(response.body(), r#"{"error":"not today"}"#);
}

pub(crate) async fn an_unknown_path_is_closed_with_1008(peer: &Peer) {
    let mut ws = peer.connect("/nowhere").await;
    assert!(soon(ws.recv()).await.unwrap().is_none());
    assert_eq!(ws.close_code(), Some(CloseCode::POLICY));
    assert_eq!(ws.outcome().unwrap().reason(), "no such behaviour");
}

pub(crate) async fn halves_are_busy_in_two_tasks(peer: &Peer) {
    let (mut receiver, sender) = busy_halves(peer.connect("/echo").await).await;
    tokio::select! {
        answered = soon(sender.ping()) => { answered.unwrap(); }
        message = receiver.recv() => panic!("{message:?}"),
    }
    soon(receiver.close(CloseCode::NORMAL)).await.unwrap();
}

//! What one end of the opening handshake writes, the other end reads.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Uri};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use telsiz_proto::handshake::{
    ClientHandshake, HandshakeError, Opening, Refused, Reply, RequestReader, encode_response,
    offered_subprotocols, verify, wants_upgrade,
};

const FRAMES: &[u8] = b"\x81\x02hi";

fn handshake(uri: &str, subprotocols: &[String], nonce: [u8; 16]) -> ClientHandshake {
    let uri: Uri = uri.parse().expect("a URI");
    let headers = HeaderMap::new();
    ClientHandshake::new(&uri, &headers, subprotocols.to_vec(), None, nonce)
        .expect("a correct request")
}

/// The server's look at what the client wrote.
fn open(client: &ClientHandshake) -> (http::Request<()>, Opening) {
    let bytes = [client.transmit(), FRAMES].concat();
    let request = RequestReader::default().handle_input(&bytes);
    let (request, len) = request.expect("a correct head").expect("a whole head");
    assert_eq!(
        &bytes[len..],
        FRAMES,
        "what follows the head is not its own"
    );
    assert!(wants_upgrade(&request));
    let opening = verify(&request).expect("a correct upgrade");
    (request, opening)
}

fn answer(opening: &Opening, subprotocol: Option<&str>) -> Bytes {
    let subprotocol = subprotocol.map(|name| HeaderValue::from_str(name).expect("a token"));
    let (response, _) = opening.accept(subprotocol.as_ref(), None);
    encode_response(&response.map(|()| Bytes::new()))
}

proptest! {
    #[test]
    fn an_upgrade_is_accepted(
        path in "(/[a-z0-9%._~-]{0,8}){1,3}(\\?[a-z=&]{0,10})?",
        host in "[a-z]{1,10}(:[1-9][0-9]{0,3})?",
        subprotocols in btree_set("[a-zA-Z0-9.+_-]{1,12}", 0..4),
        choice in any::<prop::sample::Index>(),
        nonce in any::<[u8; 16]>(),
        size in 1..300usize,
    ) {
        let subprotocols: Vec<String> = subprotocols.into_iter().collect();
        let mut client = handshake(&format!("ws://{host}{path}"), &subprotocols, nonce);
        let (request, opening) = open(&client);
        prop_assert_eq!(request.uri().to_string(), path);
        let host = host.strip_suffix(":80").unwrap_or(&host);
        prop_assert_eq!(&request.headers()["host"], host);
        let offered: Vec<_> = offered_subprotocols(request.headers()).collect();
        prop_assert_eq!(&offered, &subprotocols);

        let chosen = match offered.len() {
            0 => None,
            len => Some(offered[choice.index(len)]),
        };
        let bytes = [&answer(&opening, chosen)[..], FRAMES].concat();
        let mut buffer = BytesMut::new();
        let mut reply = None;
        for read in bytes.chunks(size) {
            buffer.extend_from_slice(read);
            if reply.is_none() {
                reply = client.handle_input(&mut buffer).expect("a correct answer");
            }
        }
        let Some(Reply::Accepted { response, subprotocol, .. }) = reply else {
            panic!("{reply:?}");
        };
        prop_assert_eq!(response.status(), 101);
        prop_assert_eq!(subprotocol.as_deref(), chosen);
        prop_assert_eq!(buffer, FRAMES);
    }

    #[test]
    fn an_accept_of_another_key_is_refused(a in any::<[u8; 16]>(), b in any::<[u8; 16]>()) {
        prop_assume!(a != b);
        let (_, opening) = open(&handshake("ws://a/", &[], a));
        let mut client = handshake("ws://a/", &[], b);
        let reply = client.handle_input(&mut BytesMut::from(&answer(&opening, None)[..]));
        prop_assert_eq!(reply.err(), Some(HandshakeError::Accept));
    }

    #[test]
    fn a_rejection_arrives_with_its_body(body in vec(any::<u8>(), 0..2000), size in 1..300usize) {
        let mut response = http::Response::new(Bytes::from(body.clone()));
        *response.status_mut() = http::StatusCode::FORBIDDEN;
        response.headers_mut().insert("x-why", HeaderValue::from_static("because"));
        let mut client = handshake("ws://a/", &[], [1; 16]);
        let bytes = encode_response(&response);
        let mut buffer = BytesMut::new();
        let mut reply = None;
        for read in bytes.chunks(size) {
            prop_assert!(reply.is_none(), "it was complete too early");
            buffer.extend_from_slice(read);
            reply = client.handle_input(&mut buffer).expect("a correct answer");
        }
        let Some(Reply::Rejected(response)) = reply else {
            panic!("{reply:?}");
        };
        prop_assert_eq!(response.status(), 403);
        prop_assert_eq!(&response.headers()["x-why"], "because");
        prop_assert_eq!(&response.headers()["connection"], "close");
        prop_assert_eq!(response.body(), &body);
    }
}

#[test]
fn a_changed_answer_is_refused() {
    let (_, opening) = open(&handshake("ws://a/", &[], [7; 16]));
    let right = answer(&opening, None);
    let accept = b"Sec-WebSocket-Accept: ";
    let at = right.windows(accept.len()).position(|w| w == accept);
    let at = at.expect("the field") + accept.len();
    for i in at..at + 28 {
        let mut wrong = BytesMut::from(&right[..]);
        // Base64 tells upper from lower case.
        wrong[i] = if wrong[i] == b'A' { b'B' } else { b'A' };
        let reply = handshake("ws://a/", &[], [7; 16]).handle_input(&mut wrong);
        assert_eq!(reply.err(), Some(HandshakeError::Accept), "{i}");
    }
}

#[test]
fn a_subprotocol_that_was_not_offered_is_refused() {
    let offered = ["chat".to_owned()];
    let (_, opening) = open(&handshake("ws://a/", &offered, [7; 16]));
    for (chosen, is_right) in [("chat", true), ("CHAT", false), ("cha", false)] {
        let mut bytes = BytesMut::from(&answer(&opening, Some(chosen))[..]);
        let reply = handshake("ws://a/", &offered, [7; 16]).handle_input(&mut bytes);
        match is_right {
            true => assert!(matches!(reply, Ok(Some(Reply::Accepted { .. })))),
            false => {
                let error = HandshakeError::Subprotocol(chosen.to_owned());
                assert_eq!(reply.err(), Some(error));
            }
        }
    }
}

#[test]
fn every_refusal_reaches_the_client() {
    for refused in [
        Refused::Method,
        Refused::HttpVersion,
        Refused::Host,
        Refused::Upgrade,
        Refused::Connection,
        Refused::Key,
        Refused::Version,
        Refused::Subprotocol,
        Refused::Body,
    ] {
        let response = refused.response();
        let mut buffer = BytesMut::from(&encode_response(&response)[..]);
        let reply = handshake("ws://a/", &[], [7; 16]).handle_input(&mut buffer);
        let Ok(Some(Reply::Rejected(got))) = reply else {
            panic!("{reply:?}");
        };
        assert_eq!(got.status(), response.status());
        assert_eq!(got.body(), response.body());
        assert_eq!(got.body(), &format!("{refused}\n"));
        assert_eq!(got.headers()["sec-websocket-version"], "13");
    }
}

#[test]
fn the_end_of_the_transport_before_the_answer_is_an_error() {
    let mut client = handshake("ws://a/", &[], [7; 16]);
    let mut buffer = BytesMut::from("HTTP/1.1 101 Switching");
    assert!(matches!(client.handle_input(&mut buffer), Ok(None)));
    assert_eq!(client.handle_eof().err(), Some(HandshakeError::Eof));
}

#[test]
fn an_answer_that_names_an_upgrade_says_so_in_connection() {
    // RFC 9110, section 7.8: a sender of Upgrade must also send the option.
    for refused in [Refused::Upgrade, Refused::Version] {
        let bytes = encode_response(&refused.response());
        let reply =
            handshake("ws://a/", &[], [7; 16]).handle_input(&mut BytesMut::from(&bytes[..]));
        let Ok(Some(Reply::Rejected(got))) = reply else {
            panic!("{reply:?}");
        };
        assert_eq!(got.headers()["upgrade"], "websocket");
        let connection = got.headers()["connection"].to_str().expect("ASCII");
        assert!(
            connection.to_ascii_lowercase().contains("upgrade"),
            "{connection}"
        );
    }
}

//! A head is read alike however it is cut, and nothing that a peer can write
//! makes either end of the opening handshake panic.

use bytes::BytesMut;
use http::{HeaderMap, Request, Uri};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use telsiz_proto::handshake::{
    ClientHandshake, HandshakeError, HeadError, MAX_HEAD, Reply, RequestReader, verify,
};

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// What a server makes of `bytes`, given in reads of at most `size`: the
/// request as text with the length of its head, or the error.
fn server(bytes: &[u8], size: usize) -> Result<Option<(String, usize)>, HeadError> {
    let mut reader = RequestReader::default();
    let mut buffer = Vec::new();
    for read in bytes.chunks(size) {
        buffer.extend_from_slice(read);
        if let Some((request, len)) = reader.handle_input(&buffer)? {
            // It may be no upgrade; that is no reason to panic.
            let _ = verify(&request);
            return Ok(Some((format!("{request:?}"), len)));
        }
    }
    Ok(None)
}

fn client() -> ClientHandshake {
    let names = vec!["chat".to_owned()];
    let uri = Uri::from_static("ws://a/");
    ClientHandshake::new(&uri, &HeaderMap::new(), names, None, [0; 16]).expect("a correct request")
}

/// The same for a client; at the end of `bytes` the transport ends.
fn answered(bytes: &[u8], size: usize) -> Result<String, HandshakeError> {
    let mut client = client();
    let mut buffer = BytesMut::new();
    for read in bytes.chunks(size) {
        buffer.extend_from_slice(read);
        if let Some(reply) = client.handle_input(&mut buffer)? {
            return Ok(format!("{reply:?}"));
        }
    }
    client.handle_eof().map(|reply| format!("{reply:?}"))
}

/// Pieces of which heads are made, right and wrong ones.
fn pieces(first: Vec<&'static str>) -> impl Strategy<Value = Vec<u8>> {
    let line = select(vec![
        "Host: a\r\n",
        "Upgrade: websocket\r\n",
        "Connection: keep-alive, Upgrade\r\n",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
        "Sec-WebSocket-Version: 13\r\n",
        "Sec-WebSocket-Protocol: chat\r\n",
        "Sec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\n",
        "Content-Length: 7\r\n",
        "Content-Length: 99999999999999999999\r\n",
        "Transfer-Encoding: chunked\r\n",
        ": no name\r\n",
        "no colon\r\n",
        " folded\r\n",
        "X: \u{fc}\r\n",
        "\r\n",
        "\n",
        "\r",
        "5\r\nhello\r\n0\r\n\r\n",
        "ffffffffffffffff\r\n",
    ]);
    let noise = vec(any::<u8>(), 0..20);
    let lines = prop_oneof![
        6 => line.prop_map(|line| line.as_bytes().to_vec()),
        1 => noise,
    ];
    (select(first), vec(lines, 0..14), any::<bool>()).prop_map(|(first, lines, end)| {
        let end: &[u8] = if end { b"\r\n" } else { b"" };
        [first.as_bytes(), &lines.concat(), end, b"rest"].concat()
    })
}

fn requests() -> impl Strategy<Value = Vec<u8>> {
    pieces(vec![
        "GET / HTTP/1.1\r\n",
        "GET /chat?a=b HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n",
        "POST http://a/b HTTP/1.0\r\n",
        "GET * HTTP/1.1\r\n",
        "GET / HTTP/3.0\r\n",
        "GET /\r\n",
        "",
    ])
}

fn answers() -> impl Strategy<Value = Vec<u8>> {
    pieces(vec![
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 \r\n",
        "HTTP/1.1 403 Forbidden\r\n",
        "HTTP/1.0 200\r\n",
        "HTTP/1.1 99 \r\n",
        "HTTP/2 200\r\n",
        "",
    ])
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn a_request(bytes in requests(), size in 1..40usize) {
        let whole = server(&bytes, usize::MAX);
        prop_assert_eq!(&server(&bytes, 1), &whole);
        prop_assert_eq!(&server(&bytes, size), &whole);
    }

    #[test]
    fn an_answer(bytes in answers(), size in 1..40usize) {
        let whole = answered(&bytes, usize::MAX);
        prop_assert_eq!(&answered(&bytes, 1), &whole);
        prop_assert_eq!(&answered(&bytes, size), &whole);
    }

    #[test]
    fn random_bytes(bytes in vec(any::<u8>(), 0..200), size in 1..40usize) {
        for start in [&b""[..], b"GET / HTTP/1.1\r\n", b"HTTP/1.1 200 OK\r\n"] {
            let bytes = [start, &bytes].concat();
            prop_assert_eq!(server(&bytes, size), server(&bytes, usize::MAX));
            prop_assert_eq!(answered(&bytes, size), answered(&bytes, usize::MAX));
        }
    }
}

#[test]
fn a_head_is_bounded_on_both_ends() {
    for len in [MAX_HEAD - 1, MAX_HEAD, MAX_HEAD + 1] {
        let fill = |start: &str| {
            let field = len - start.len() - "X: \r\n\r\n".len();
            format!("{start}X: {}\r\n\r\n", "x".repeat(field))
        };
        let request = fill("GET / HTTP/1.1\r\n");
        let answer = fill("HTTP/1.1 403 No\r\nContent-Length: 0\r\n");
        assert_eq!((request.len(), answer.len()), (len, len));
        for size in [1, 1000, usize::MAX] {
            let request = server(request.as_bytes(), size);
            let answer = answered(answer.as_bytes(), size);
            match len > MAX_HEAD {
                false => {
                    assert!(matches!(request, Ok(Some(_))), "{len} {request:?}");
                    assert!(answer.is_ok(), "{len} {answer:?}");
                }
                true => {
                    assert_eq!(request, Err(HeadError::TooLarge));
                    let error = HandshakeError::Head(HeadError::TooLarge);
                    assert_eq!(answer, Err(error));
                }
            }
        }
    }
}

#[test]
fn two_requests_in_one_buffer_are_read_one_after_the_other() {
    let mut bytes = &b"GET /1 HTTP/1.1\r\nA: b\r\n\r\nGET /2 HTTP/1.1\r\n\r\n"[..];
    let mut reader = RequestReader::default();
    for path in ["/1", "/2"] {
        let request = reader.handle_input(bytes).expect("a correct head");
        let (request, len) = request.expect("a whole head");
        assert_eq!(request.uri(), path);
        bytes = &bytes[len..];
    }
    assert!(bytes.is_empty());
}

#[test]
fn a_body_in_chunks_is_put_together() {
    let bytes = b"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n\
        5;a=b\r\nHello\r\n0007\r\n, world\r\n0\r\n\r\n";
    for size in 1..bytes.len() {
        let reply = answered(bytes, size).expect("a correct answer");
        assert!(reply.contains("body: b\"Hello, world\""), "{reply}");
    }
}

fn request(fields: &[(&str, &str)]) -> Request<()> {
    let mut request = Request::builder()
        .uri("/")
        .header("Host", "a")
        .header("Upgrade", "websocket")
        .header("Connection", "Upgrade")
        .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
        .header("Sec-WebSocket-Version", "13");
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(()).expect("a request")
}

#[test]
fn a_request_with_two_lengths_has_a_body() {
    assert!(verify(&request(&[("Content-Length", "0")])).is_ok());
    let ambiguous = [("Content-Length", "0"), ("Content-Length", "5")];
    assert!(verify(&request(&ambiguous)).is_err());
}

#[test]
fn an_answer_that_has_no_body_is_complete_with_its_head() {
    for status in ["204 No Content", "304 Not Modified"] {
        let head = format!("HTTP/1.1 {status}\r\n\r\n");
        let reply = client().handle_input(&mut BytesMut::from(&head[..]));
        assert!(matches!(reply, Ok(Some(Reply::Rejected(_)))), "{reply:?}");
    }
}

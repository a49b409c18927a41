//! The opening handshake.

use bytes::BytesMut;
use telsiz_proto::Deflate;
use telsiz_proto::handshake::Reply;

use crate::counter::count;
use crate::wire::{answer, client_handshake};

/// What a browser sends.
const REQUEST: &str = "GET /echo?room=7 HTTP/1.1\r\n\
    Host: example.com\r\n\
    Connection: Upgrade\r\n\
    Pragma: no-cache\r\n\
    Cache-Control: no-cache\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0\r\n\
    Upgrade: websocket\r\n\
    Origin: https://example.com\r\n\
    Sec-WebSocket-Version: 13\r\n\
    Accept-Encoding: gzip, deflate, br\r\n\
    Accept-Language: tr-TR,tr;q=0.8,en-US;q=0.5,en;q=0.3\r\n\
    Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\
    \r\n";

pub(super) fn server() -> usize {
    answered(None)
}

pub(super) fn server_deflate() -> usize {
    answered(Some(&Deflate::default()))
}

/// From the bytes of the request to those of the answer.
fn answered(deflate: Option<&Deflate>) -> usize {
    count(
        1,
        || REQUEST.as_bytes(),
        |request| usize::from(answer(request, deflate).starts_with(b"HTTP/1.1 101 ")),
    )
}

/// Making the request, and reading the answer.
pub(super) fn client() -> usize {
    let answer = answer(client_handshake(None).transmit(), None);
    count(
        1,
        || BytesMut::from(&answer[..]),
        |answer| {
            let reply = client_handshake(None).handle_input(answer);
            usize::from(matches!(reply, Ok(Some(Reply::Accepted { .. }))))
        },
    )
}

//! `handshake`: the heads of requests and answers, cut anywhere.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::{Bytes, BytesMut};
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Request, Uri};
use telsiz_proto::handshake::{
    ClientHandshake, HandshakeError, HeadError, MAX_HEAD, Reply, RequestReader, encode_response,
    offered_subprotocols, verify,
};

use crate::script::Script;

const NONCE: [u8; 16] = *b"the sample nonce";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Heads are read alike however they are cut; what the server accepts is an upgrade by the book, and its answer is
/// accepted by the client that asked; what our client asks for, our server accepts.
pub fn handshake(data: &[u8]) {
    let mut script = Script::new(data);
    match script.below(3) {
        0 => request(&mut script),
        1 => answer(&mut script),
        _ => ours(&mut script),
    }
}

/// The request at the start of `bytes` and the length of its head.
fn read(bytes: &[u8], sizes: &[usize]) -> Result<Option<(Request<()>, usize)>, HeadError> {
    let mut reader = RequestReader::default();
    let mut len = 0_usize;
    for size in sizes.iter().cycle() {
        len = bytes.len().min(len.saturating_add(*size));
        let read = reader.handle_input(&bytes[..len])?;
        if read.is_some() || len == bytes.len() {
            return Ok(read);
        }
    }
    Ok(None)
}

fn request(script: &mut Script<'_>) {
    let sizes = script.sizes(3);
    let bytes = script.rest();
    let whole = read(bytes, &[usize::MAX]);
    let say = |read: &Result<_, _>| format!("{read:?}");
    assert_eq!(say(&read(bytes, &sizes)), say(&whole), "{sizes:?}");
    let Ok(Some((request, len))) = whole else {
        return;
    };
    let head = &bytes[..len];
    assert!(len <= MAX_HEAD && head.ends_with(b"\r\n\r\n"));
    match verify(&request) {
        Ok(opening) => {
            let key = upgrade_by_the_book(head);
            let nonce = BASE64.decode(key).expect("a key in Base64");
            // A server may choose any of those that were offered.
            let offered: Vec<_> = offered_subprotocols(request.headers()).collect();
            let chosen = offered.last().copied();
            let value = chosen.map(|name| HeaderValue::from_str(name).expect("a token"));
            let (response, agreement) = opening.accept(value.as_ref(), None);
            assert_eq!(agreement, None);
            let mut names: Vec<_> = offered.iter().map(|name| name.to_string()).collect();
            names.sort();
            names.dedup();
            let uri = Uri::from_static("ws://a/");
            let nonce = nonce.try_into().expect("16 bytes");
            let headers = HeaderMap::new();
            let mut client =
                ClientHandshake::new(&uri, &headers, names, None, nonce).expect("tokens");
            let answer = encode_response(&response.map(|()| Bytes::new()));
            let reply = client.handle_input(&mut BytesMut::from(&answer[..]));
            let Ok(Some(Reply::Accepted { subprotocol, .. })) = reply else {
                panic!("{reply:?}");
            };
            assert_eq!(subprotocol.as_deref(), chosen);
        }
        Err(refused) => {
            let answer = encode_response(&refused.response());
            let reply = client().handle_input(&mut BytesMut::from(&answer[..]));
            let Ok(Some(Reply::Rejected(response))) = reply else {
                panic!("{reply:?}");
            };
            assert_eq!(response.status(), refused.status());
        }
    }
}

/// Makes the checks of section 4.2.1 on the bytes of a head; its key.
fn upgrade_by_the_book(head: &[u8]) -> &[u8] {
    let text: Vec<_> = head.split(|byte| *byte == b'\n').collect();
    let lines = text
        .iter()
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let mut lines = lines.filter(|line| !line.is_empty());
    let first = lines.next().expect("a request line");
    assert!(first.starts_with(b"GET ") && first.ends_with(b" HTTP/1.1"));
    let fields: Vec<_> = lines
        .map(|line| {
            let colon = line.iter().position(|byte| *byte == b':').expect("a colon");
            (&line[..colon], line[colon + 1..].trim_ascii())
        })
        .collect();
    let all = |name: &'static str| {
        let is_it = move |field: &&(&[u8], _)| field.0.eq_ignore_ascii_case(name.as_bytes());
        fields.iter().filter(is_it).map(|(_, value)| *value)
    };
    let has = |name: &'static str, token: &str| {
        let is_it = |part: &[u8]| part.trim_ascii().eq_ignore_ascii_case(token.as_bytes());
        all(name).any(|value| value.split(|byte| *byte == b',').any(is_it))
    };
    let only = |name: &'static str| {
        let values: Vec<_> = all(name).collect();
        assert_eq!(values.len(), 1, "{name}");
        values[0]
    };
    assert!(has("upgrade", "websocket") && has("connection", "upgrade"));
    only("host");
    assert_eq!(only("sec-websocket-version"), b"13");
    assert_eq!(all("transfer-encoding").count(), 0);
    assert!(all("content-length").all(|length| length == b"0"));
    let key = only("sec-websocket-key");
    assert!(key.len() == 24 && key.ends_with(b"=="));
    key
}

fn client() -> ClientHandshake {
    let names = ["chat", "superchat"].map(String::from).to_vec();
    let (uri, headers) = (Uri::from_static("ws://a/"), HeaderMap::new());
    let deflate = Some(telsiz_proto::Deflate::default());
    ClientHandshake::new(&uri, &headers, names, deflate, NONCE).expect("a correct request")
}

/// What the client makes of `bytes`, and what it leaves of them.
fn reply(bytes: &[u8], sizes: &[usize]) -> Result<(Reply, BytesMut), HandshakeError> {
    let mut client = client();
    let mut buffer = BytesMut::new();
    let mut rest = bytes;
    for size in sizes.iter().cycle() {
        let (read, after) = rest.split_at((*size).min(rest.len()));
        buffer.extend_from_slice(read);
        rest = after;
        if let Some(reply) = client.handle_input(&mut buffer)? {
            buffer.extend_from_slice(rest);
            return Ok((reply, buffer));
        }
        if rest.is_empty() {
            break;
        }
    }
    Ok((client.handle_eof()?, BytesMut::new()))
}

fn answer(script: &mut Script<'_>) {
    let sizes = script.sizes(3);
    let bytes = script.rest();
    let whole = reply(bytes, &[usize::MAX]);
    let split = reply(bytes, &sizes);
    // What follows a rejection is of no interest.
    let say = |reply: &Result<(Reply, BytesMut), HandshakeError>| match reply {
        Ok((reply @ Reply::Rejected(_), _)) => format!("{reply:?}"),
        other => format!("{other:?}"),
    };
    assert_eq!(say(&split), say(&whole), "{sizes:?}");
    match whole {
        Ok((Reply::Accepted { response, .. }, left)) => {
            assert_eq!(response.status(), 101);
            let head = &bytes[..bytes.len() - left.len()];
            assert!(head.ends_with(b"\r\n\r\n"));
            assert!(
                head.windows(ACCEPT.len())
                    .any(|part| part == ACCEPT.as_bytes())
            );
        }
        Ok((Reply::Rejected(response), _)) => {
            assert!(!response.status().is_informational());
            assert!(response.body().len() <= 64 * 1024);
        }
        Err(_) => {}
    }
}

/// A request that our client makes of a URI, sub-protocols and headers: a line for each.
fn ours(script: &mut Script<'_>) {
    let mut lines = script.rest().split(|byte| *byte == b'\n');
    let mut line = || lines.next().unwrap_or_default();
    let (Ok(uri), Ok(names)) = (Uri::try_from(line()), std::str::from_utf8(line())) else {
        return;
    };
    let names = names.split(',').filter(|name| !name.is_empty());
    let names: Vec<_> = names.map(String::from).collect();
    let mut headers = HeaderMap::new();
    for line in lines {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            continue;
        };
        let name = HeaderName::from_bytes(&line[..colon]);
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii());
        let (Ok(name), Ok(value)) = (name, value) else {
            return;
        };
        headers.insert(name, value);
    }
    let Ok(client) = ClientHandshake::new(&uri, &headers, names.clone(), None, NONCE) else {
        return;
    };
    let bytes = client.transmit();
    if bytes.len() > MAX_HEAD {
        return;
    }
    let read = read(bytes, &[usize::MAX]);
    let Ok(Some((request, len))) = read else {
        panic!("{read:?} {:?}", String::from_utf8_lossy(bytes));
    };
    assert_eq!(len, bytes.len());
    assert_eq!(upgrade_by_the_book(bytes), BASE64.encode(NONCE).as_bytes());
    let verified = verify(&request).map(drop);
    assert_eq!(verified, Ok(()), "{:?}", String::from_utf8_lossy(bytes));
    let offered: Vec<_> = offered_subprotocols(request.headers()).collect();
    assert_eq!(offered, names);
    for (name, value) in &headers {
        assert_eq!(request.headers().get(name), Some(value));
    }
}

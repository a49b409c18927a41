//! `extensions`: offers and answers of Sec-WebSocket-Extensions.

use bytes::{Bytes, BytesMut};
use http::header::{HeaderMap, HeaderValue, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY};
use http::{Request, Uri};
use telsiz_proto::handshake::{ClientHandshake, Reply, encode_response, verify};
use telsiz_proto::{Agreement, Deflate, Level, WindowBits};

use crate::script::Script;

const NONCE: [u8; 16] = *b"the sample nonce";
const KEY: HeaderValue = HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ==");
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Any offer gets an answer that keeps to it and to our settings, or none; any answer is taken only if it does.
pub fn extensions(data: &[u8]) {
    let mut script = Script::new(data);
    let from_client = script.flag();
    let ours = settings(&mut script);
    let Ok(value) = HeaderValue::from_bytes(script.rest()) else {
        return;
    };
    match from_client {
        true => offered(&value, &ours),
        false => answered(&value, &ours),
    }
}

/// Settings as a script says them.
pub(crate) fn settings(script: &mut Script<'_>) -> Deflate {
    let mut settings = Deflate::default();
    settings.server_takeover = script.flag();
    settings.client_takeover = script.flag();
    settings.server_window = bits(script);
    settings.client_window = bits(script);
    settings.level = Level::new(1 + script.below(9) as u8).expect("1 to 9");
    settings.threshold = script.size();
    settings
}

fn bits(script: &mut Script<'_>) -> WindowBits {
    WindowBits::new(15 - script.below(8) as u8).expect("8 to 15")
}

/// Settings of a client that accepts whatever a server may choose.
fn permissive() -> Deflate {
    let mut settings = Deflate::default();
    settings.server_takeover = true;
    settings.client_takeover = true;
    settings
}

/// What a server with the settings `ours` makes of an offer: its answer, or none, or that it is malformed.
fn answer(offers: &[HeaderValue], ours: &Deflate) -> Result<Option<(String, Agreement)>, ()> {
    let mut request = Request::builder()
        .header("host", "a")
        .header("upgrade", "websocket")
        .header("connection", "upgrade")
        .header("sec-websocket-version", "13")
        .header(SEC_WEBSOCKET_KEY, KEY)
        .body(())
        .expect("a request");
    for offer in offers {
        request
            .headers_mut()
            .append(SEC_WEBSOCKET_EXTENSIONS, offer.clone());
    }
    let (response, agreement) = verify(&request).map_err(|_| ())?.accept(None, Some(ours));
    let answer = response.headers().get(SEC_WEBSOCKET_EXTENSIONS);
    let answer = answer.map(|answer| answer.to_str().expect("ASCII").to_owned());
    assert_eq!(answer.is_some(), agreement.is_some());
    // Nothing but the header differs from an answer without.
    assert!(encode_response(&response.map(|()| Bytes::new())).starts_with(b"HTTP/1.1 101 "));
    Ok(answer.zip(agreement))
}

fn offered(value: &HeaderValue, ours: &Deflate) {
    let answered = answer(std::slice::from_ref(value), ours);
    if let Ok(Some((answer, agreement))) = &answered {
        keeps_to_settings(answer, ours);
        // The same is agreed on at the other end.
        let client = reply(answer, permissive()).expect("an answer that may be given");
        assert_eq!(client, Some(*agreement), "{answer}");
    }
    // Without quotes, blanks and lines divide nothing but what they stand between.
    if let Ok(text) = value.to_str()
        && !text.contains('"')
    {
        let spaced = [",", ";", "="].iter().fold(text.to_owned(), |text, mark| {
            text.replace(mark, &format!("\t{mark} "))
        });
        let header = |text: &str| HeaderValue::from_str(text).expect("a value as before");
        assert_eq!(answer(&[header(&spaced)], ours), answered, "{text}");
        let lines: Vec<_> = text.split(',').map(header).collect();
        assert_eq!(answer(&lines, ours), answered, "{text}");
        assert_eq!(answered, by_the_book(text, ours), "{text}");
    }
}

/// What an answer of ours says: of each parameter at most one, and no more than our settings allow.
fn keeps_to_settings(answer: &str, ours: &Deflate) {
    let mut parts = answer.split("; ");
    assert_eq!(parts.next(), Some("permessage-deflate"));
    let parts: Vec<_> = parts.collect();
    let find = |name: &str| {
        let mut found = parts.iter().filter_map(|part| part.strip_prefix(name));
        let first = found.next();
        assert_eq!(found.next(), None, "{answer}");
        first
    };
    let bits = |name: &str| {
        find(name).map(|value| {
            let bits = value.strip_prefix('=').expect("a value");
            let bits = WindowBits::new(bits.parse().expect("a number"));
            bits.expect("8 to 15")
        })
    };
    let says = |name: &str| find(name).is_some_and(|rest| rest.is_empty());
    assert!(ours.server_takeover || says("server_no_context_takeover"));
    assert!(ours.client_takeover || says("client_no_context_takeover"));
    let server = bits("server_max_window_bits").unwrap_or(WindowBits::MAX);
    let client = bits("client_max_window_bits").unwrap_or(WindowBits::MAX);
    assert!(server <= ours.server_window && client <= ours.client_window);
}

/// Whether offers without quotes can be honoured, by the book (RFC 7692, section 7.1): slow, and apart from
/// the code under test.
fn by_the_book(text: &str, ours: &Deflate) -> Result<Option<(String, Agreement)>, ()> {
    let blanks = [' ', '\t'];
    let is_token = |text: &str| {
        let is_tchar = |c: char| c.is_ascii_graphic() && !"\"(),/:;<=>?@[\\]{}".contains(c);
        !text.is_empty() && text.chars().all(is_tchar)
    };
    let mut first = None;
    for element in text.split(',').map(|element| element.trim_matches(blanks)) {
        if element.is_empty() {
            continue;
        }
        let mut parts = element.split(';').map(|part| part.trim_matches(blanks));
        let name = parts.next().unwrap_or_default();
        if !is_token(name) {
            return Err(());
        }
        let mut params = Vec::new();
        for part in parts {
            let (name, value) = match part.split_once('=') {
                None => (part, None),
                Some((name, value)) => {
                    (name.trim_matches(blanks), Some(value.trim_matches(blanks)))
                }
            };
            if !is_token(name) || value.is_some_and(|value| !is_token(value)) {
                return Err(());
            }
            params.push((name, value));
        }
        if name == "permessage-deflate" && first.is_none() {
            first = honoured(&params, ours);
        }
    }
    let Some(answer) = first else {
        return Ok(None);
    };
    let agreement = reply(&answer, permissive()).expect("an answer that may be given");
    Ok(Some((answer, agreement.expect("an agreement"))))
}

/// The answer to an offer, if there is one.
fn honoured(params: &[(&str, Option<&str>)], ours: &Deflate) -> Option<String> {
    let sizes = ["8", "9", "10", "11", "12", "13", "14", "15"];
    for (i, (name, value)) in params.iter().enumerate() {
        let is_right = match (*name, value) {
            ("server_no_context_takeover" | "client_no_context_takeover", None) => true,
            ("server_max_window_bits" | "client_max_window_bits", Some(value)) => {
                sizes.contains(value)
            }
            ("client_max_window_bits", None) => true,
            _ => false,
        };
        if !is_right || params[..i].iter().any(|(before, _)| before == name) {
            return None;
        }
    }
    let find = |wanted: &str| params.iter().find(|(name, _)| *name == wanted);
    let bits = |wanted: &str| find(wanted)?.1?.parse::<u8>().ok();
    let limit = |bits: WindowBits| Some(bits.get()).filter(|bits| *bits < 15);
    let mut answer = "permessage-deflate".to_owned();
    if find("server_no_context_takeover").is_some() || !ours.server_takeover {
        answer += "; server_no_context_takeover";
    }
    if find("client_no_context_takeover").is_some() || !ours.client_takeover {
        answer += "; client_no_context_takeover";
    }
    let server = bits("server_max_window_bits").into_iter();
    if let Some(bits) = server.chain(limit(ours.server_window)).min() {
        answer += &format!("; server_max_window_bits={bits}");
    }
    let client = bits("client_max_window_bits").into_iter();
    match client.chain(limit(ours.client_window)).min() {
        // Section 7.1.2.2: only a client that names it can be limited.
        Some(_) if find("client_max_window_bits").is_none() => None,
        Some(bits) => Some(answer + &format!("; client_max_window_bits={bits}")),
        None => Some(answer),
    }
}

/// What a client with the settings `ours` makes of an answer.
fn reply(answer: &str, ours: Deflate) -> Result<Option<Agreement>, ()> {
    let uri = Uri::from_static("ws://a/");
    let headers = HeaderMap::new();
    let client = ClientHandshake::new(&uri, &headers, vec![], Some(ours), NONCE);
    let response = format!(
        "HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {ACCEPT}\r\n\
         Sec-WebSocket-Extensions: {answer}\r\n\r\n"
    );
    let mut client = client.expect("a correct request");
    match client.handle_input(&mut BytesMut::from(response.as_str())) {
        Ok(Some(Reply::Accepted { deflate, .. })) => Ok(deflate),
        Ok(other) => panic!("{other:?}"),
        Err(_) => Err(()),
    }
}

fn answered(value: &HeaderValue, ours: &Deflate) {
    let Ok(text) = value.to_str() else {
        return;
    };
    let Ok(Some(_)) = reply(text, ours.clone()) else {
        return;
    };
    // Who asks for nothing accepts it too, and so it keeps to what was asked for.
    assert!(matches!(reply(text, permissive()), Ok(Some(_))), "{text}");
    let text = text.replace(['"', '\\', ' ', '\t'], "");
    let parts: Vec<_> = text.trim_matches(',').split(';').collect();
    assert_eq!(parts[0], "permessage-deflate", "{text}");
    assert!(ours.server_takeover || parts.contains(&"server_no_context_takeover"));
    for (name, ours) in [
        ("server_max_window_bits=", ours.server_window),
        ("client_max_window_bits=", ours.client_window),
    ] {
        match parts.iter().find_map(|part| part.strip_prefix(name)) {
            Some(bits) => assert!(
                bits.parse()
                    .is_ok_and(|bits: u8| (8..=ours.get()).contains(&bits))
            ),
            // Section 7.1.2.1: what the client asked for has to be said.
            None => assert!(
                name.starts_with("client") || ours == WindowBits::MAX,
                "{text}"
            ),
        }
    }
}

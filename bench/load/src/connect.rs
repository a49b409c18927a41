//! Opening connections, many at a time.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::time::Duration;

use rustix::net::{AddressFamily, SocketType, bind, connect, socket};

use crate::frame::PING;
use crate::{Error, Tls, Wire};

/// The key of RFC 6455, section 1.3, and the answer it demands. No server can tell that it is always the same.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Handshakes under way at once: fewer than the backlog of any listener.
const BATCH: usize = 100;

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where a server is.
#[derive(Debug, Clone)]
pub struct Target {
    /// Its address.
    pub address: SocketAddr,
    /// How it is spoken to if not over bare TCP.
    pub tls: Option<Tls>,
}

impl From<SocketAddr> for Target {
    fn from(address: SocketAddr) -> Self {
        Self { address, tls: None }
    }
}

/// Which compression a handshake asks for, and which answers are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    /// None.
    Nothing,
    /// permessage-deflate in which nobody refers to earlier messages, in exactly these words: then every server does the
    /// same work.
    NoTakeover,
    /// What a browser asks for. The server may agree or decline.
    Browser,
}

impl Offer {
    fn extensions(self) -> Option<&'static str> {
        match self {
            Self::Nothing => None,
            Self::NoTakeover => {
                Some("permessage-deflate; server_no_context_takeover; client_no_context_takeover")
            }
            Self::Browser => Some("permessage-deflate; client_max_window_bits"),
        }
    }

    /// What the server made of it.
    fn answered(self, extensions: Option<&str>) -> Result<(), Error> {
        let names = |text: &str| {
            let mut names: Vec<String> = text
                .split(';')
                .map(|name| name.trim().to_ascii_lowercase())
                .collect();
            names.sort();
            names
        };
        match (self, extensions) {
            (Self::Nothing | Self::Browser, None) => Ok(()),
            (Self::Nothing, Some(_)) => Err(Error::Handshake(
                "the server chose an extension that was not offered".into(),
            )),
            (Self::Browser, Some(answer)) => {
                match names(answer).binary_search(&"permessage-deflate".into()) {
                    Ok(_) => Ok(()),
                    Err(_) => Err(Error::Handshake(format!("the server chose {answer:?}"))),
                }
            }
            (Self::NoTakeover, None) => Err(Error::Declined("does not compress".into())),
            (Self::NoTakeover, Some(answer)) => {
                if self.extensions().map(names) == Some(names(answer)) {
                    Ok(())
                } else {
                    Err(Error::Declined(format!(
                        "compresses in another way: {answer:?}"
                    )))
                }
            }
        }
    }
}

/// Opens `count` WebSocket connections. They block, with a time-out for reading.
pub fn open(target: &Target, offer: Offer, count: usize) -> Result<Vec<Wire>, Error> {
    let mut open = Vec::with_capacity(count);
    while open.len() < count {
        let batch = BATCH.min(count - open.len());
        let first = open.len();
        for _ in 0..batch {
            let tcp = TcpStream::connect(target.address).map_err(Error::io("connecting"))?;
            set_up(&tcp)?;
            let mut wire = Wire::new(tcp, target.tls.as_ref())?;
            request(&mut wire, target.address, "/", offer)?;
            open.push(wire);
        }
        for wire in &mut open[first..] {
            answer(wire, offer)?;
        }
    }
    Ok(open)
}

/// Opens a connection from one of many addresses, so that ports that are not free again at once do not run out, and
/// asks for a WebSocket. Over loopback the kernel opens it at once, as long as the listener has room.
pub(crate) fn open_from(
    place: usize,
    address: SocketAddr,
    offer: Offer,
) -> Result<TcpStream, Error> {
    let mut tcp = connect_from(place, address)?;
    request(&mut tcp, address, "/", offer)?;
    Ok(tcp)
}

/// Opens WebSocket connections with the paths that are given, from many addresses. They block, with a time-out for
/// reading.
pub(crate) fn open_paths(address: SocketAddr, paths: &[String]) -> Result<Vec<TcpStream>, Error> {
    let mut open = Vec::with_capacity(paths.len());
    for batch in paths.chunks(BATCH) {
        let first = open.len();
        for (place, path) in batch.iter().enumerate() {
            let mut tcp = connect_from(place, address)?;
            request(&mut tcp, address, path, Offer::Nothing)?;
            open.push(tcp);
        }
        for tcp in &mut open[first..] {
            answer(tcp, Offer::Nothing)?;
        }
    }
    Ok(open)
}

fn connect_from(place: usize, address: SocketAddr) -> Result<TcpStream, Error> {
    let connected = || {
        let SocketAddr::V4(to) = address else {
            return TcpStream::connect(address);
        };
        let own = Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 1, 0, 1)) + place as u32);
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
        bind(&socket, &SocketAddrV4::new(own, 0))?;
        connect(&socket, &to)?;
        Ok(TcpStream::from(socket))
    };
    let tcp = connected().map_err(Error::io("connecting"))?;
    set_up(&tcp)?;
    Ok(tcp)
}

fn set_up(tcp: &TcpStream) -> Result<(), Error> {
    tcp.set_nodelay(true)
        .and_then(|()| tcp.set_read_timeout(Some(PATIENCE)))
        .map_err(Error::io("setting up a socket"))
}

fn request(
    stream: &mut impl Write,
    address: SocketAddr,
    path: &str,
    offer: Offer,
) -> Result<(), Error> {
    let mut request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n"
    );
    if let Some(extensions) = offer.extensions() {
        request.push_str(&format!("Sec-WebSocket-Extensions: {extensions}\r\n"));
    }
    request.push_str("\r\n");
    stream
        .write_all(request.as_bytes())
        .map_err(Error::io("sending the handshake"))
}

fn answer(stream: &mut impl Read, offer: Offer) -> Result<(), Error> {
    let mut head = Vec::new();
    let mut piece = [0; 1024];
    while !is_whole(&head) {
        match stream.read(&mut piece) {
            Ok(0) => return Err(Error::Handshake("the server closed".into())),
            Ok(read) => head.extend(&piece[..read]),
            Err(error) => return Err(Error::io("reading the handshake")(error)),
        }
    }
    accepted(&head, offer)
}

/// Whether the head of an answer came. A server may send a ping right behind it.
pub(crate) fn is_whole(head: &[u8]) -> bool {
    head.ends_with(b"\r\n\r\n") || head.ends_with(&PING)
}

pub(crate) fn accepted(head: &[u8], offer: Offer) -> Result<(), Error> {
    let head = String::from_utf8_lossy(head);
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap_or_default();
    if status.split(' ').nth(1) != Some("101") {
        return Err(Error::Handshake(format!("the server answered {status:?}")));
    }
    let fields = lines
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_once(':'));
    let value = |wanted: &str| {
        fields
            .clone()
            .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
            .map(|(_, value)| value.trim())
    };
    match value("sec-websocket-accept") {
        Some(ACCEPT) => offer.answered(value("sec-websocket-extensions")),
        Some(other) => Err(Error::Handshake(format!(
            "wrong Sec-WebSocket-Accept {other:?}"
        ))),
        None => Err(Error::Handshake("no Sec-WebSocket-Accept".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FINE: &str = "HTTP/1.1 101 Switching Protocols\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

    fn with(extensions: &str) -> String {
        FINE.replace(
            "\r\n\r\n",
            &format!("\r\nSec-WebSocket-Extensions: {extensions}\r\n\r\n"),
        )
    }

    fn accepted(head: &str, offer: Offer) -> Result<(), Error> {
        super::accepted(head.as_bytes(), offer)
    }

    #[test]
    fn takes_only_a_right_answer() {
        let nothing = Offer::Nothing;
        accepted(FINE, nothing).expect("accepted");
        assert!(accepted("HTTP/1.1 200 OK\r\n\r\n", nothing).is_err());
        assert!(accepted("HTTP/1.1 101 Fine\r\n\r\n", nothing).is_err());
        assert!(accepted(&FINE.replace("s3p", "S3P"), nothing).is_err());
        assert!(accepted(&with("permessage-deflate"), nothing).is_err());
    }

    #[test]
    fn compression_is_what_was_asked_for_or_declined() {
        let answer = |extensions: &str| accepted(&with(extensions), Offer::NoTakeover);
        answer("permessage-deflate; client_no_context_takeover;Server_no_context_takeover")
            .expect("accepted");
        for other in [
            "permessage-deflate",
            "permessage-deflate; server_no_context_takeover",
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
             server_max_window_bits=10",
            "",
        ] {
            assert!(matches!(answer(other), Err(Error::Declined(_))), "{other}");
        }
        assert!(matches!(
            accepted(FINE, Offer::NoTakeover),
            Err(Error::Declined(_))
        ));
    }

    #[test]
    fn a_browser_takes_both() {
        accepted(FINE, Offer::Browser).expect("accepted");
        accepted(&with("permessage-deflate; x"), Offer::Browser).expect("accepted");
        assert!(accepted(&with("other"), Offer::Browser).is_err());
    }
}

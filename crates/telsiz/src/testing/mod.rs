//! What unit tests need to play both ends of a connection without a network.

#[path = "../../tests/common/frame.rs"]
#[allow(dead_code, reason = "the tests in `tests` use the rest")]
pub(crate) mod frame;
#[path = "../../tests/common/poll.rs"]
#[allow(dead_code, reason = "the tests in `tests` use the rest")]
pub(crate) mod poll;
pub(crate) mod squeeze;
pub(crate) mod wire;

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Uri};
use telsiz_proto::handshake::{ClientHandshake, Reply, RequestReader, encode_response, verify};
use telsiz_proto::{Agreement, Deflate, Role, WindowBits};
use tokio::runtime::{Builder, Runtime};

use self::wire::{Wire, Wired};
use crate::link::Link;
use crate::options::Options;
use crate::server::Registry;

/// Which end is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

impl Side {
    pub(crate) const BOTH: [Self; 2] = [Self::Client, Self::Server];
}

/// Settings with which whatever is sent depends on what was sent before.
pub(crate) fn takeover() -> Deflate {
    let mut deflate = Deflate::default();
    deflate.server_takeover = true;
    deflate.client_takeover = true;
    deflate.server_window = WindowBits::new(9).expect("from 8 to 15");
    deflate.client_window = deflate.server_window;
    deflate.threshold = 1;
    deflate
}

/// Our end of a connection on `wire`. A server's has a place in `registry`.
pub(crate) fn open(
    side: Side,
    options: Options,
    wire: &Wire,
    registry: &Arc<Registry>,
) -> Link<Wired> {
    let role = match side {
        Side::Server => Role::Server,
        Side::Client => Role::Client {
            masking_key: rand::random,
        },
    };
    let deflate = options.get().config.deflate.clone();
    let mut link = Link::new(wire.transport(), role, options, BytesMut::new());
    if side == Side::Server {
        link.set_lease(registry.lease());
    }
    if let Some(deflate) = deflate {
        link.set_deflate(agree(&deflate));
    }
    link
}

/// What two peers with these settings agree on in the opening handshake.
fn agree(deflate: &Deflate) -> Agreement {
    let (uri, headers) = (Uri::from_static("ws://a/"), HeaderMap::new());
    let mut client = ClientHandshake::new(&uri, &headers, vec![], Some(deflate.clone()), [7; 16])
        .expect("a correct request");
    let read = RequestReader::default().handle_input(client.transmit());
    let (request, _) = read.expect("a correct head").expect("a whole head");
    let opening = verify(&request).expect("a correct upgrade");
    let (response, _) = opening.accept(None, Some(deflate));
    let response = encode_response(&response.map(|()| Bytes::new()));
    match client.handle_input(&mut BytesMut::from(&response[..])) {
        Ok(Some(Reply::Accepted { deflate, .. })) => deflate.expect("both compress"),
        other => panic!("{other:?}"),
    }
}

/// A runtime whose clock leaps to the next deadline when nobody can go on.
pub(crate) fn runtime() -> Runtime {
    Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime")
}

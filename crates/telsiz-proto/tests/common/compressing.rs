//! Ends that agreed on permessage-deflate.

use std::time::Instant;

use bytes::BytesMut;
use http::{HeaderMap, Uri};
use telsiz_proto::handshake::{ClientHandshake, Reply, RequestReader, encode_response, verify};
use telsiz_proto::{Agreement, Config, Deflate, WindowBits};

use super::{End, Side};

/// What two peers with these settings agree on in the opening handshake.
pub(crate) fn agree(client: &Deflate, server: &Deflate) -> Agreement {
    let uri = Uri::from_static("ws://a/");
    let mut client = ClientHandshake::new(
        &uri,
        &HeaderMap::new(),
        vec![],
        Some(client.clone()),
        [7; 16],
    )
    .expect("a correct request");
    let read = RequestReader::default().handle_input(client.transmit());
    let (request, _) = read.expect("a correct head").expect("a whole head");
    let opening = verify(&request).expect("a correct upgrade");
    let (response, agreed) = opening.accept(None, Some(server));
    let response = encode_response(&response.map(|()| bytes::Bytes::new()));
    let reply = client.handle_input(&mut BytesMut::from(&response[..]));
    let Ok(Some(Reply::Accepted { deflate, .. })) = reply else {
        panic!("{reply:?}");
    };
    assert_eq!(deflate, agreed);
    agreed.expect("both compress")
}

/// The same for both directions; whatever has a byte is compressed.
pub(crate) fn settings(takeover: bool, bits: u8) -> Deflate {
    let mut deflate = Deflate::default();
    deflate.server_takeover = takeover;
    deflate.client_takeover = takeover;
    deflate.server_window = WindowBits::new(bits).expect("from 8 to 15");
    deflate.client_window = deflate.server_window;
    deflate.threshold = 1;
    deflate
}

/// The default settings, with compression.
pub(crate) fn config(deflate: &Deflate) -> Config {
    let mut config = Config::default();
    config.deflate = Some(deflate.clone());
    config
}

/// An end after both agreed on `deflate`.
pub(crate) fn end(side: Side, deflate: &Deflate) -> End {
    let mut end = End::new(side, &config(deflate), Instant::now());
    end.connection.set_deflate(agree(deflate, deflate));
    end
}

//! What happens beside messages: pings, and connections that come and go.

use std::sync::Arc;
use std::time::Instant;

use telsiz_proto::{Config, Connection, Event, Input, Outbox, Role};

use crate::counter::count;
use crate::frame::{Frame, PING, PONG};
use crate::wire::{connection, write};

/// A ping comes, its pong goes out.
pub(super) fn answered_ping() -> usize {
    let ping = Frame::new(PING, b"12345678").bytes(true);
    let mut connection = connection(Role::Server);
    let mut out = Outbox::default();
    count(
        1,
        || ping.clone(),
        |ping| {
            let event = connection.poll(&mut Input::new(ping));
            connection.transmit(&mut out);
            usize::from(matches!(event, Ok(Some(Event::Ping(_))))) * write(&mut out) / (2 + 8)
        },
    )
}

/// The keepalive's ping goes out, its pong comes.
pub(super) fn sent_ping() -> usize {
    let pong = Frame::new(PONG, b"").bytes(true);
    let mut connection = connection(Role::Server);
    let mut out = Outbox::default();
    count(
        1,
        || pong.clone(),
        |pong| {
            let due = connection.poll_timeout(Instant::now);
            let Some(Ok(())) = due.map(|due| connection.handle_timeout(due)) else {
                return 0;
            };
            connection.transmit(&mut out);
            let event = connection.poll(&mut Input::new(pong));
            usize::from(matches!(event, Ok(Some(Event::Pong(_))))) * write(&mut out) / 2
        },
    )
}

/// A connection opens and is dropped.
pub(super) fn opened() -> usize {
    let config = Arc::new(Config::default());
    let now = Instant::now();
    count(
        1,
        || config.clone(),
        |config| {
            let connection = Connection::new(Role::Server, config.clone(), now);
            usize::from(!std::hint::black_box(&connection).wants_transmit())
        },
    )
}

//! What tests need to talk to apps in the same process.

use std::future::IntoFuture;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use telsiz::{CloseFrame, Message, Serve, WebSocket};
use telsiz_hub::{Ephemeral, Member, Memory, Retention, RoomName, Signal, Timestamp};
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::admission::Admission;
use crate::client_address::TrustedProxies;
use crate::clock::system_clock;
use crate::connections::Connections;
use crate::heartbeat::Heartbeat;
use crate::lang::Lang;
use crate::limits::Limits;
use crate::live::Live;
use crate::origin::Origins;
use crate::ready::Readiness;
use crate::rooms::{RoomLimits, Rooms};
use crate::rules::Site;
use crate::stop::Stopping;

/// As servers have it by default.
pub(crate) const HEARTBEAT: Heartbeat = Heartbeat {
    ping_interval: Some(Duration::from_secs(20)),
    ping_timeout: Some(Duration::from_secs(20)),
    idle_timeout: None,
    close_timeout: Duration::from_secs(10),
    json_ping: false,
};

/// The same.
const ANNOUNCE_LIMIT: usize = 500;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the apps of a server on loopback share.
pub(crate) fn site() -> Site {
    site_with(RoomLimits::default())
}

/// The same, of one whose rooms are limited.
pub(crate) fn site_with(limits: RoomLimits) -> Site {
    let origins = Origins {
        bound_to_loopback: true,
        ..Origins::default()
    };
    let connections = Connections::default();
    let engine = Memory::new("test", system_clock(), Retention::default(), ANNOUNCE_LIMIT);
    Site {
        lang: Lang::Tr.into(),
        limits: Limits {
            max_message_size: 65_536,
            max_fragments: 16,
            deflate: false,
            heartbeat: HEARTBEAT,
        },
        rate: Live::default(),
        origins: Arc::new(origins),
        trusted_proxies: TrustedProxies::default(),
        admission: Admission::default(),
        rooms: Rooms::new(Arc::new(engine), system_clock(), 1, &connections, limits),
        connections,
        announce_limit: ANNOUNCE_LIMIT,
        stopping: Stopping::default(),
        readiness: Readiness::default(),
    }
}

/// Puts somebody into a room, who hears nothing there.
pub(crate) async fn enter(rooms: &Rooms, room: &str, member: &Arc<Member>) {
    let room = RoomName::new(room).expect("a name");
    let joined = Arc::new(Ephemeral {
        origin: member.clone(),
        time: Timestamp(0),
        signal: Signal::Joined,
    });
    let presence = rooms.hub().engine().presence();
    presence.enter(&room, joined).await.expect("entered");
}

/// Starts a server on a free port.
pub(crate) async fn serve(build: impl FnOnce(Serve) -> Serve) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("its address");
    tokio::spawn(build(telsiz::serve(listener)).into_future());
    address
}

/// Connects to a server.
pub(crate) async fn connect(address: SocketAddr, path: &str) -> WebSocket {
    let connect = telsiz::connect(format!("ws://{address}{path}"));
    connect.await.expect("a connection")
}

/// The next message, which must be there in time.
pub(crate) async fn next(ws: &mut WebSocket) -> Option<Message> {
    let message = timeout(PATIENCE, ws.recv()).await.expect("in time");
    message.expect("no error")
}

/// The next message, which must be text.
pub(crate) async fn text(ws: &mut WebSocket) -> String {
    match next(ws).await {
        Some(Message::Text(text)) => text.to_string(),
        other => panic!("no text: {other:?}"),
    }
}

/// The Close frame, which must come next.
pub(crate) async fn closed(ws: &mut WebSocket) -> CloseFrame {
    assert_eq!(next(ws).await, None);
    let outcome = ws.outcome().expect("an outcome");
    outcome.received.expect("a Close frame")
}

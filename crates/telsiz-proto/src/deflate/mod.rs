//! permessage-deflate (RFC 7692): messages that travel compressed.

use std::fmt;

use crate::connection::Role;

pub(crate) use self::codec::Codec;
pub(crate) use self::compress::compress_once;

mod codec;
mod compress;
mod inflate;

/// What ends every compressed message and does not travel (section 7.2.1): an
/// empty block.
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// Settings of permessage-deflate. The same serve a server and a client.
///
/// By default nobody keeps anything between messages: a compressor has 245 to 371
/// KiB and a decompressor 46, so a thread has one of each for all its connections.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Deflate {
    /// Whether the server may refer to earlier messages, which compresses better
    /// and costs a compressor there and a decompressor here for each connection.
    /// Off by default.
    pub server_takeover: bool,
    /// Whether the client may. Off by default.
    pub client_takeover: bool,
    /// How far back the server may refer.
    pub server_window: WindowBits,
    /// How far back the client may refer. With less than 32 KiB a server refuses
    /// to compress with a client that cannot be limited.
    pub client_window: WindowBits,
    /// How hard to try.
    pub level: Level,
    /// Messages with fewer bytes are not compressed; 1,024 by default.
    pub threshold: usize,
}

impl Default for Deflate {
    fn default() -> Self {
        Self {
            server_takeover: false,
            client_takeover: false,
            server_window: WindowBits::MAX,
            client_window: WindowBits::MAX,
            level: Level::FASTEST,
            threshold: 1024,
        }
    }
}

/// The size of a window: its logarithm to base 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WindowBits(u8);

impl WindowBits {
    /// 256 bytes.
    pub const MIN: Self = Self(8);
    /// 32 KiB.
    pub const MAX: Self = Self(15);

    /// From 8 to 15.
    pub const fn new(bits: u8) -> Option<Self> {
        match bits {
            8..=15 => Some(Self(bits)),
            _ => None,
        }
    }

    /// The number.
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl fmt::Display for WindowBits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How hard to try to compress: 1, the fastest, to 9, the smallest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Level(u8);

impl Level {
    /// 1: the default.
    pub const FASTEST: Self = Self(1);
    /// 9.
    pub const SMALLEST: Self = Self(9);

    /// From 1 to 9.
    pub const fn new(level: u8) -> Option<Self> {
        match level {
            1..=9 => Some(Self(level)),
            _ => None,
        }
    }

    /// The number.
    pub const fn get(self) -> u8 {
        self.0
    }
}

/// What one side may refer back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) bits: WindowBits,
    /// Whether into earlier messages too.
    pub(crate) takeover: bool,
}

/// What both sides agreed on in the opening handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreement {
    pub(crate) server: Window,
    pub(crate) client: Window,
}

impl Agreement {
    /// What we may refer back to, and what the peer may.
    fn windows(self, role: Role) -> (Window, Window) {
        match role {
            Role::Server => (self.server, self.client),
            Role::Client { .. } => (self.client, self.server),
        }
    }
}

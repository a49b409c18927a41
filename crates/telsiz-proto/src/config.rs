//! What a connection is allowed, and how long it waits.

use std::time::Duration;

use crate::deflate::Deflate;

/// The settings of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// What a peer may make us keep.
    pub limits: Limits,
    /// Pings that find out whether the peer is alive.
    pub keepalive: Keepalive,
    /// How long the peer may say nothing: no message, whole; pings and pongs say nothing. Then the
    /// connection is closed with 1001, at most a quarter of that time later. `None`, the default: for
    /// ever.
    pub idle_timeout: Option<Duration>,
    /// Whether and how messages are compressed, if the peer does so too. `None`,
    /// the default: they are not.
    pub deflate: Option<Deflate>,
    /// How long the peer may take to answer our Close, and after both were
    /// exchanged to end the transport. `None`: for ever. 10 s by default.
    pub close_timeout: Option<Duration>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            keepalive: Keepalive::default(),
            idle_timeout: None,
            deflate: None,
            close_timeout: Some(Duration::from_secs(10)),
        }
    }
}

/// What a peer may make us keep.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The largest message accepted, in bytes of payload over all its
    /// fragments. 1 MiB by default.
    pub message_size: usize,
    /// The largest number of fragments that a message may still be incomplete
    /// after; the one that completes it is never too many. 16,384 by default.
    pub fragments: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_size: 1 << 20,
            fragments: 16_384,
        }
    }
}

/// Pings that find out whether the peer is alive.
///
/// Any byte received is life, not only a pong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Keepalive {
    /// The time between pings. `None`: no pings. 20 s by default.
    pub interval: Option<Duration>,
    /// How long nothing may come after a ping. `None`: pings are sent, but
    /// silence ends nothing. 20 s by default.
    pub timeout: Option<Duration>,
}

impl Default for Keepalive {
    fn default() -> Self {
        Self {
            interval: Some(Duration::from_secs(20)),
            timeout: Some(Duration::from_secs(20)),
        }
    }
}

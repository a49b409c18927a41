//! How it is found out whether clients are still there.

use std::time::Duration;

use telsiz::Options;

/// How it is found out whether a client is still there. A time of `None` is never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Heartbeat {
    /// The time between pings.
    pub(crate) ping_interval: Option<Duration>,
    /// How long nothing may come after a ping.
    pub(crate) ping_timeout: Option<Duration>,
    /// How long no message may come.
    pub(crate) idle_timeout: Option<Duration>,
    /// How long a client may take to finish closing.
    pub(crate) close_timeout: Duration,
    /// Whether clients are sent pings in JSON too.
    pub(crate) json_ping: bool,
}

/// The time between pings in JSON, the first of which is sent at once.
pub(crate) const JSON_PING: Duration = Duration::from_secs(30);

impl Heartbeat {
    /// The options that say so.
    pub(crate) fn options(self, options: Options) -> Options {
        options
            .ping_interval(self.ping_interval)
            .ping_timeout(self.ping_timeout)
            .idle_timeout(self.idle_timeout)
            .close_timeout(self.close_timeout)
    }
}

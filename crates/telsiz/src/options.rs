//! Settings of connections.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use telsiz_proto::{Config, Deflate, Fault, Message, Outcome};

/// Makes the message that is sent before the Close frame that answers a fault.
type LastWords = dyn Fn(&Fault) -> Option<Message> + Send + Sync;

/// Hears how connections ended.
type OnEnd = dyn Fn(Option<&Outcome>) + Send + Sync;

/// The settings of a connection, the same for clients and servers. Cloning
/// counts a reference.
///
/// The defaults are right for most: 1 MiB messages, pings every 20 s, 10 s for
/// each handshake. A time of `None` is never.
#[derive(Clone, Default)]
pub struct Options(Arc<Settings>);

#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) config: Arc<Config>,
    pub(crate) open_timeout: Option<Duration>,
    pub(crate) write_buffer: usize,
    pub(crate) nodelay: bool,
    pub(crate) last_words: Option<Arc<LastWords>>,
    pub(crate) on_end: Option<Arc<OnEnd>>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            config: Arc::default(),
            open_timeout: Some(Duration::from_secs(10)),
            write_buffer: 64 * 1024,
            nodelay: true,
            last_words: None,
            on_end: None,
        }
    }
}

impl Options {
    pub(crate) fn get(&self) -> &Settings {
        &self.0
    }

    fn settings(&mut self) -> &mut Settings {
        Arc::make_mut(&mut self.0)
    }

    fn config(&mut self) -> &mut Config {
        Arc::make_mut(&mut self.settings().config)
    }

    /// The largest message that is accepted, in bytes; 1 MiB by default. A
    /// larger one closes the connection with 1009.
    pub fn max_message_size(mut self, bytes: usize) -> Self {
        self.config().limits.message_size = bytes;
        self
    }

    /// The number of fragments after which a message must be complete with the
    /// next one; 16,384 by default. Otherwise the connection is closed with 1008.
    pub fn max_fragments(mut self, frames: u32) -> Self {
        self.config().limits.fragments = frames;
        self
    }

    /// Whether and how messages are compressed (permessage-deflate) with a peer that
    /// does so too; not at all by default. `Deflate::default()` is right for most.
    pub fn deflate(mut self, deflate: impl Into<Option<Deflate>>) -> Self {
        self.config().deflate = deflate.into();
        self
    }

    /// How long the opening handshake may take; 10 s by default.
    pub fn open_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.settings().open_timeout = timeout.into();
        self
    }

    /// How long the peer may take to finish the closing handshake; 10 s by
    /// default.
    pub fn close_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.config().close_timeout = timeout.into();
        self
    }

    /// The time between pings; 20 s by default.
    pub fn ping_interval(mut self, interval: impl Into<Option<Duration>>) -> Self {
        self.config().keepalive.interval = interval.into();
        self
    }

    /// How long nothing at all may come from the peer after a ping before the
    /// connection counts as lost; 20 s by default.
    pub fn ping_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.config().keepalive.timeout = timeout.into();
        self
    }

    /// How long the peer may send no message before the connection is closed with 1001, at most a quarter
    /// of that time later; for ever by default. Pings and pongs are no messages.
    pub fn idle_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.config().idle_timeout = timeout.into();
        self
    }

    /// How many bytes may wait for a peer that reads slowly before sending has
    /// to wait; 64 KiB by default. The message that crosses the line still goes
    /// in. One that is larger than all of that does not count for what is only tried
    /// ([`Sender::try_send`](crate::Sender::try_send) and its like), if it was queued by
    /// [`Sender::send`](crate::Sender::send) or [`Sender::feed`](crate::Sender::feed), which wait:
    /// whoever asked for much is not taken for slow.
    pub fn write_buffer(mut self, bytes: usize) -> Self {
        self.settings().write_buffer = bytes;
        self
    }

    /// Whether small packets go out at once (`TCP_NODELAY`); on by default.
    pub fn nodelay(mut self, nodelay: bool) -> Self {
        self.settings().nodelay = nodelay;
        self
    }

    /// A message to send before the Close frame when the peer broke a rule or
    /// went over a limit, for clients that read messages and not close codes.
    pub fn last_words(
        mut self,
        make: impl Fn(&Fault) -> Option<Message> + Send + Sync + 'static,
    ) -> Self {
        self.settings().last_words = Some(Arc::new(make));
        self
    }

    /// Calls `hear` when the connection is over for good, with how it ended; with nothing if it
    /// was dropped outside of a runtime before it did.
    pub fn on_end(mut self, hear: impl Fn(Option<&Outcome>) + Send + Sync + 'static) -> Self {
        self.settings().on_end = Some(Arc::new(hear));
        self
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("config", &self.0.config)
            .field("open_timeout", &self.0.open_timeout)
            .field("write_buffer", &self.0.write_buffer)
            .field("nodelay", &self.0.nodelay)
            .finish_non_exhaustive()
    }
}

/// Passes the setters of [`Options`] on to a builder with a field `options`.
macro_rules! option_setters {
    () => {
        option_setters! {
            max_message_size: usize,
            max_fragments: u32,
            deflate: impl Into<Option<telsiz_proto::Deflate>>,
            open_timeout: impl Into<Option<std::time::Duration>>,
            close_timeout: impl Into<Option<std::time::Duration>>,
            ping_interval: impl Into<Option<std::time::Duration>>,
            ping_timeout: impl Into<Option<std::time::Duration>>,
            idle_timeout: impl Into<Option<std::time::Duration>>,
            write_buffer: usize,
        }
    };
    ($($name:ident: $type:ty),* $(,)?) => {
        $(
            #[doc = concat!("See [`Options::", stringify!($name), "`](crate::Options::", stringify!($name), ").")]
            pub fn $name(mut self, value: $type) -> Self {
                self.options = self.options.$name(value);
                self
            }
        )*

        /// Replaces all the options.
        pub fn options(mut self, options: $crate::Options) -> Self {
            self.options = options;
            self
        }
    };
}
pub(crate) use option_setters;

//! Serving: one port for WebSockets and HTTP.

pub use self::accept::Unopened;
#[cfg(unix)]
pub(crate) use self::event_loop::Socket;
pub use self::registry::Closer;
pub(crate) use self::registry::Lease;
#[cfg(test)]
pub(crate) use self::registry::Registry;
pub use self::router::RouteError;
pub use self::serve::{Serve, Stopper, serve};
pub use self::upgrade::{Finished, Upgrade};

mod accept;
#[cfg(unix)]
mod event_loop;
mod http_side;
mod opening;
mod prefixed;
mod proxy_header;
mod registry;
mod router;
mod serve;
mod spare;
mod stop_window;
mod tasks;
mod upgrade;

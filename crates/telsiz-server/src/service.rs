//! The service manager (systemd): the socket that it hands over, and what it is told.

#[cfg(target_os = "linux")]
pub(crate) use self::linux::{listener, tell_ready, tell_reloading, tell_stopping};
#[cfg(not(target_os = "linux"))]
pub(crate) use self::other::{listener, tell_ready, tell_reloading, tell_stopping};

#[cfg(target_os = "linux")]
mod linux {
    use std::io;

    use listenfd::ListenFd;
    use sd_notify::NotifyState;
    use tokio::net::TcpListener;

    use crate::failure::Failure;

    /// The socket to listen on, if one was handed over (`LISTEN_FDS`).
    pub(crate) fn listener() -> Result<Option<TcpListener>, Failure> {
        let mut sockets = ListenFd::from_env();
        let wrong =
            |error: io::Error| Failure::Failed(format!("the socket that was handed over: {error}"));
        match sockets.len() {
            0 => Ok(None),
            1 => {
                let socket = sockets.take_tcp_listener(0).map_err(wrong)?;
                let Some(socket) = socket else {
                    return Ok(None);
                };
                socket.set_nonblocking(true).map_err(wrong)?;
                TcpListener::from_std(socket).map(Some).map_err(wrong)
            }
            count => Err(Failure::Failed(format!(
                "{count} sockets were handed over: leave one ListenStream in the socket unit"
            ))),
        }
    }

    /// It serves, or has read its configuration anew.
    pub(crate) fn tell_ready() {
        tell(&[NotifyState::Ready]);
    }

    /// It reads its configuration anew.
    pub(crate) fn tell_reloading() {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => tell(&[NotifyState::Reloading, now]),
            Err(error) => tracing::warn!(%error, "cannot tell the time to the service manager"),
        }
    }

    /// It stops.
    pub(crate) fn tell_stopping() {
        tell(&[NotifyState::Stopping]);
    }

    /// Without a manager (`NOTIFY_SOCKET`) this does nothing.
    fn tell(states: &[NotifyState<'_>]) {
        if let Err(error) = sd_notify::notify(states) {
            tracing::warn!(%error, "cannot tell the service manager");
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod other {
    use tokio::net::TcpListener;

    use crate::failure::Failure;

    pub(crate) fn listener() -> Result<Option<TcpListener>, Failure> {
        Ok(None)
    }

    pub(crate) fn tell_ready() {}

    pub(crate) fn tell_reloading() {}

    pub(crate) fn tell_stopping() {}
}

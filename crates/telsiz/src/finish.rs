//! What becomes of a connection that its owner dropped.

use std::future::poll_fn;
use std::task::{Context, Poll, Waker};

use tokio::runtime::Handle;

use crate::link::{Io, Link};

/// Starts the closing handshake of a dropped connection, and finishes it in the
/// background: code 1000, or 1011 when its task panics, or what a stopping
/// server says.
///
/// Outside a runtime the Close frame is sent and the transport dropped.
pub(crate) fn finish<S: Io>(mut link: Box<Link<S>>) {
    link.start_close(link.farewell());
    let cx = &mut Context::from_waker(Waker::noop());
    let Ok(runtime) = Handle::try_current() else {
        let _ = link.poll_flush(cx);
        return;
    };
    if link.poll_finish(cx) == Poll::Pending {
        runtime.spawn(poll_fn(move |cx| link.poll_finish(cx)));
    }
}

//! Pinging on a link.

use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::BytesMut;
use telsiz_proto::{Incoming, SendError};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::{Io, Link};
use crate::error::Error;

impl<S: Io> Link<S> {
    /// Sends a ping with the next flush; the receiver gets the time that its
    /// pong took.
    pub(crate) fn start_ping(&mut self) -> Result<oneshot::Receiver<Duration>, SendError> {
        let pings = &mut self.extras.get_or_insert_default().pings;
        let (payload, pong) = pings.start(Instant::now());
        self.connection.ping(&payload)?;
        Ok(pong)
    }

    /// Waits for a pong and keeps the messages that come before it, as many as
    /// one message may be large.
    pub(crate) fn poll_stash(&mut self, cx: &mut Context<'_>) -> Poll<Stashed> {
        let limit = self.connection.config().limits.message_size;
        if self.extras().stashed > limit {
            return Poll::Ready(Stashed::Full);
        }
        let message = match ready!(self.poll_incoming(cx)) {
            // A piece of the read buffer would hold all of that.
            Ok(Some(message)) => message.into_own(),
            Ok(None) => return Poll::Ready(Stashed::Ended),
            Err(error) => {
                self.extras().failed = Some(error);
                return Poll::Ready(Stashed::Ended);
            }
        };
        let extras = self.extras();
        extras.stashed += message.as_bytes().len() + size_of::<Incoming<BytesMut>>();
        extras.stash.push_back(message);
        Poll::Ready(Stashed::One)
    }

    /// Whether [`Link::unstash`] has something to give.
    #[inline]
    pub(super) fn has_stash(&self) -> bool {
        self.extras
            .as_ref()
            .is_some_and(|extras| !extras.stash.is_empty() || extras.failed.is_some())
    }

    /// The oldest message that was kept, or what ended the connection after them.
    pub(super) fn unstash(&mut self) -> Result<Option<Incoming<BytesMut>>, Error> {
        let Some(extras) = &mut self.extras else {
            return Ok(None);
        };
        let Some(message) = extras.stash.pop_front() else {
            return extras.failed.take().map_or(Ok(None), Err);
        };
        extras.stashed -= message.as_bytes().len() + size_of::<Incoming<BytesMut>>();
        Ok(Some(message))
    }
}

/// What [`Link::poll_stash`] did.
pub(crate) enum Stashed {
    One,
    Full,
    Ended,
}

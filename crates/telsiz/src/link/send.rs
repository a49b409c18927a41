//! Sending on a link.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use telsiz_proto::{Batch, Message, Outbox, Outgoing, State};
use tokio::task::coop;

use super::{Io, Link};
use crate::error::{Error, TrySendError};
use crate::scratch;

/// The most pieces that one vectored write takes.
const SLICES: usize = 16;

impl<S: Io> Link<S> {
    /// Queues `message` as soon as there is room. It is taken out of the option
    /// only then: whoever stops waiting has queued nothing.
    pub(crate) fn poll_feed(
        &mut self,
        cx: &mut Context<'_>,
        message: &mut Option<Box<Outgoing>>,
    ) -> Poll<Result<(), Error>> {
        ready!(self.poll_room(cx))?;
        let Some(message) = message.take() else {
            return Poll::Ready(Ok(()));
        };
        let before = self.backlog();
        let fed = self.feed_now(*message);
        let added = self.backlog().saturating_sub(before);
        if added > self.options.get().write_buffer {
            self.extras().large = added;
        }
        Poll::Ready(fed)
    }

    /// As [`Link::poll_feed`], for a fragment.
    pub(crate) fn poll_feed_fragment(
        &mut self,
        cx: &mut Context<'_>,
        fragment: &mut Option<Message>,
        last: bool,
    ) -> Poll<Result<(), Error>> {
        ready!(self.poll_room(cx))?;
        if let Some(fragment) = fragment.take() {
            let outbox = self.outbox.get_or_insert_with(scratch::take_outbox);
            self.connection.send_fragment(fragment, last, outbox)?;
        }
        Poll::Ready(Ok(()))
    }

    /// Whether a message could be queued without waiting.
    #[inline]
    pub(crate) fn has_room(&self) -> bool {
        let stopping = self
            .lease
            .as_ref()
            .is_some_and(|lease| lease.stop().is_some());
        !self.mute && !stopping && self.backlog() <= self.options.get().write_buffer
    }

    /// Queues `message` if there is room for it. What is queued is written first if there is
    /// none: the transport may not have been asked.
    // `try_send` rarely gets here, and is cheaper without it.
    #[inline(never)]
    pub(crate) fn try_feed(
        &mut self,
        message: Outgoing,
        cx: &mut Context<'_>,
    ) -> Result<(), TrySendError> {
        if self.mute || self.connection.check_send().is_err() {
            return Err(TrySendError::Closed(message));
        }
        let limit = self.options.get().write_buffer;
        if self.backlog() > limit {
            self.try_flush(cx);
            let large = self.extras.as_ref().map_or(0, |extras| extras.large);
            if self.backlog() > limit.saturating_add(large) {
                return Err(TrySendError::Full(message));
            }
        }
        // It was checked above.
        let _ = self.feed_now(message);
        Ok(())
    }

    /// Queues `message` if there is room for it, and writes what the transport takes
    /// at once. What many share is not copied if all of it is taken.
    pub(crate) fn try_send(
        &mut self,
        message: Outgoing,
        cx: &mut Context<'_>,
    ) -> Result<(), TrySendError> {
        let mut written = 0;
        if let Outgoing::Prepared(prepared) = &message
            && self.is_flushed()
            && let Some(frame) = self.connection.lend(prepared)
        {
            written = self.try_write(frame, cx);
            if written == frame.len() {
                return Ok(());
            }
        }
        self.try_feed(message, cx)?;
        if let Some(outbox) = &mut self.outbox {
            outbox.advance(written);
        }
        self.try_flush(cx);
        Ok(())
    }

    /// As [`Link::try_send`], for several: they are written together.
    pub(crate) fn try_send_all(
        &mut self,
        batch: &Batch,
        cx: &mut Context<'_>,
    ) -> Result<(), TrySendError> {
        if self.is_flushed()
            && let Some(frames) = self.connection.lend_all(batch)
        {
            let written = self.try_write(frames, cx);
            if written == frames.len() {
                return Ok(());
            }
            // Room or not: a part of them is gone already.
            for message in batch.messages() {
                let _ = self.feed_now(message.into());
            }
            if let Some(outbox) = &mut self.outbox {
                outbox.advance(written);
            }
            self.try_flush(cx);
            return Ok(());
        }
        let mut messages = batch.messages().iter();
        let queued = messages.try_for_each(|message| self.try_feed(message.into(), cx));
        self.try_flush(cx);
        queued
    }

    /// Writes what the transport takes at once of `frames`, and flushes if that is all
    /// of them; how much it was. An error comes again with the next flush.
    fn try_write(&mut self, frames: &[u8], cx: &mut Context<'_>) -> usize {
        self.unflushed = true;
        let mut written = 0;
        let _ = at_once(cx, |cx| {
            let mut io = Pin::new(&mut self.io);
            written = ready!(io.as_mut().poll_write(cx, frames))?;
            if written == frames.len() {
                ready!(io.poll_flush(cx))?;
                self.unflushed = false;
            }
            Poll::Ready(io::Result::Ok(()))
        });
        written
    }

    /// Queues `message`, room or not.
    #[inline(always)]
    pub(crate) fn feed_now(&mut self, message: Outgoing) -> Result<(), Error> {
        if self.blocked {
            return self.feed_blocked(message);
        }
        let outbox = self.outbox.get_or_insert_with(scratch::take_outbox);
        self.connection.send(message, outbox)?;
        Ok(())
    }

    /// As [`Link::feed_now`], for what will wait, and may be a piece of a read buffer.
    #[cold]
    fn feed_blocked(&mut self, message: Outgoing) -> Result<(), Error> {
        let message = match message {
            Outgoing::Message(message) if message.len() < scratch::PIECE => {
                message.into_own().into()
            }
            message => message,
        };
        let outbox = self.outbox.get_or_insert_with(scratch::take_outbox);
        self.connection.send(message, outbox)?;
        Ok(())
    }

    /// Waits until there is room for a message.
    pub(super) fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        loop {
            self.stop_with_server();
            if self.mute || self.connection.state() != State::Open {
                return Poll::Ready(Err(Error::Closed));
            }
            if self.backlog() <= self.options.get().write_buffer {
                return Poll::Ready(Ok(()));
            }
            ready!(self.poll_drain(cx));
        }
    }

    /// Waits until little waits for the transport, or nothing can any more, or the
    /// connection closes: that has a time-out, which is not kept here.
    pub(super) fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let limit = self.options.get().write_buffer;
        while self.backlog() > limit && self.connection.state() == State::Open {
            if self.poll_flush(cx).is_pending() && self.backlog() > limit {
                self.note_waker(cx);
                if !self.stop_with_server() {
                    return Poll::Pending;
                }
                break;
            }
        }
        Poll::Ready(())
    }

    /// Writes everything that is queued, control frames included. Once the
    /// transport has refused something for good, nothing counts as written.
    #[inline(always)]
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        match self.is_flushed() {
            true => Poll::Ready(Ok(())),
            false => self.poll_flush_rest(cx),
        }
    }

    /// Whether nothing is left to be written, and nothing was refused for good.
    #[inline(always)]
    fn is_flushed(&self) -> bool {
        let is_idle = self.outbox.is_none() && !self.unflushed && !self.mute;
        is_idle && !self.connection.wants_transmit()
    }

    /// As [`Link::poll_flush`], for whoever cannot wait.
    pub(crate) fn try_flush(&mut self, cx: &mut Context<'_>) {
        let _ = at_once(cx, |cx| self.poll_flush(cx));
    }

    /// As [`Link::poll_flush`], for whoever waits for it: after the end nobody keeps
    /// the time any more, so nobody waits for a transport that takes nothing.
    #[inline]
    pub(crate) fn poll_flushed(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        match self.poll_flush(cx) {
            Poll::Pending if self.ended => Poll::Ready(Err(Error::Closed)),
            flushed => flushed,
        }
    }

    #[inline(never)]
    fn poll_flush_rest(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        loop {
            if let Err(error) = ready!(self.poll_write(cx)) {
                self.mute = true;
                self.outbox = None;
                return Poll::Ready(Err(Error::Lost(error)));
            }
            if !self.connection.wants_transmit() {
                break;
            }
            let outbox = self.outbox.get_or_insert_with(scratch::take_outbox);
            self.connection.transmit(outbox);
            if self.mute {
                self.outbox = None;
            }
        }
        if self.mute {
            return Poll::Ready(Err(Error::Closed));
        }
        if self.unflushed {
            ready!(Pin::new(&mut self.io).poll_flush(cx)).map_err(Error::Lost)?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Writes the outbox.
    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(outbox) = &mut self.outbox else {
            return Poll::Ready(Ok(()));
        };
        while !outbox.is_empty() {
            self.unflushed = true;
            match poll_write_some(&mut self.io, cx, outbox, &[]) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(n)) => outbox.advance(n),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    // Again and again: a peer that reads a little at a time may
                    // never let it become empty.
                    if !self.blocked || outbox.is_mostly_written() {
                        self.blocked = true;
                        outbox.compact();
                    }
                    return Poll::Pending;
                }
            }
        }
        self.blocked = false;
        if let Some(extras) = &mut self.extras {
            extras.large = 0;
        }
        if let Some(outbox) = self.outbox.take() {
            scratch::give_outbox(outbox);
        }
        Poll::Ready(Ok(()))
    }
}

/// Polls for whoever cannot wait, and is not held up by the budget that tokio gives
/// tasks: one that sends to many would use it up, and leave the rest of them to their
/// receivers.
#[inline]
fn at_once<T>(cx: &mut Context<'_>, poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
    pin!(coop::unconstrained(poll_fn(poll))).poll(cx)
}

/// One write of what is in `outbox`, and of `lent` behind it.
pub(super) fn poll_write_some<S: Io>(
    io: &mut S,
    cx: &mut Context<'_>,
    outbox: &Outbox,
    lent: &[u8],
) -> Poll<io::Result<usize>> {
    match outbox.contiguous() {
        Some(bytes) if lent.is_empty() => Pin::new(io).poll_write(cx, bytes),
        _ => {
            let mut slices = [IoSlice::new(&[]); SLICES];
            Pin::new(io).poll_write_vectored(cx, outbox.slices(lent, &mut slices))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use telsiz_proto::Prepared;

    use crate::options::Options;
    use crate::server::Registry;
    use crate::testing::frame::Frame;
    use crate::testing::wire::{Pace, Wire};
    use crate::testing::{Side, open, runtime};
    use crate::websocket::WebSocket;

    #[test]
    fn a_prepared_message_that_is_written_whole_is_flushed() {
        runtime().block_on(async {
            let wire = Wire::new(Side::Server, Pace::Steered, false);
            let registry = Arc::<Registry>::default();
            let link = open(Side::Server, Options::default(), &wire, &registry);
            let (_receiver, sender) = WebSocket::new(link).split();
            wire.let_out(100);
            sender.try_send(Prepared::new("all")).expect("room");
            assert_eq!(wire.frames(), [Frame::text("all")]);
        });
    }
}

//! Receiving on a link.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::{io, mem};

use bytes::{Buf, BytesMut};
use telsiz_proto::{Event, Incoming, Input, Message, Outbox, Role, Source, State};
use tokio::time::Instant;
use tokio_util::io::poll_read_buf;

use super::send::poll_write_some;
use super::{Extras, Io, Link};
use crate::error::Error;
use crate::replies::{Replies, WriteNow};
use crate::scratch;

impl<S: Io> Link<S> {
    /// The next message; `None` once the connection has ended as it should.
    ///
    /// A message that has come already goes to the receiver in registers: hence
    /// the inlining, and the two types.
    #[inline(always)]
    pub(crate) fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Message>, Error>> {
        if !self.has_stash()
            && let Some(incoming) = self.poll_whole(cx)?
        {
            return Poll::Ready(Ok(Some(incoming.into_message())));
        }
        let incoming = ready!(self.poll_recv_rest(cx))?;
        Poll::Ready(Ok(incoming.map(Incoming::into_message)))
    }

    #[inline(never)]
    fn poll_recv_rest(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Incoming<BytesMut>>, Error>> {
        match self.unstash()? {
            Some(incoming) => Poll::Ready(Ok(Some(incoming))),
            None => self.poll_incoming(cx),
        }
    }

    /// The message that lies whole at the start of the inbox.
    #[inline(always)]
    fn poll_whole(&mut self, cx: &mut Context<'_>) -> Result<Option<Incoming<BytesMut>>, Error> {
        self.connection
            .poll_whole(&mut self.inbox)
            .map_err(|fault| self.fail(fault, cx))
    }

    pub(super) fn poll_incoming(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Incoming<BytesMut>>, Error>> {
        loop {
            if self.inbox.is_empty() {
                // An empty piece of the read buffer would hold all of that.
                self.inbox = BytesMut::new();
                if !ready!(self.poll_more(cx))? {
                    return Poll::Ready(Ok(None));
                }
                scratch::share_buffer(&mut self.inbox);
            }
            if let Some(incoming) = self.poll_whole(cx)? {
                return Poll::Ready(Ok(Some(incoming)));
            }
            match self.connection.poll(&mut self.inbox) {
                Ok(Some(Event::Message(message))) => return Poll::Ready(Ok(Some(message))),
                Ok(Some(Event::Ping(_))) => self.transmit_pong(),
                Ok(Some(Event::Pong(payload))) => handle_pong(&mut self.extras, payload.as_slice()),
                Ok(_) => {}
                Err(fault) => return Poll::Ready(Err(self.fail(fault, cx))),
            }
        }
    }

    /// Answers a ping before what comes after it; while the transport takes
    /// nothing, only the newest ping is answered.
    pub(super) fn transmit_pong(&mut self) {
        if !self.blocked && self.backlog() <= self.options.get().write_buffer {
            let outbox = self.outbox.get_or_insert_with(scratch::take_outbox);
            self.connection.transmit(outbox);
        }
    }

    /// Gives every message to `handle` until the connection has ended.
    pub(crate) fn poll_run<F>(
        &mut self,
        cx: &mut Context<'_>,
        handle: &mut F,
    ) -> Poll<Result<(), Error>>
    where
        F: FnMut(Incoming<&mut [u8]>, &mut Replies<'_>),
    {
        let mut has_input = !self.inbox.is_empty() || self.has_stash();
        loop {
            // Replies pile up: nothing is handled or read until they are gone.
            if self.poll_flush(cx).is_pending() {
                ready!(self.poll_drain(cx));
            }
            // What was read is looked at in the same poll: not all of it shows in the inbox.
            if !has_input && !ready!(self.poll_more(cx))? {
                return Poll::Ready(Ok(()));
            }
            has_input = !self.dispatch(cx, handle)?;
        }
    }

    /// Gives the messages in the inbox to `handle`; whether these were all.
    pub(super) fn dispatch<F>(
        &mut self,
        cx: &mut Context<'_>,
        handle: &mut F,
    ) -> Result<bool, Error>
    where
        F: FnMut(Incoming<&mut [u8]>, &mut Replies<'_>),
    {
        let stashed = self.unstash()?;
        let outbox = self.outbox.get_or_insert_with(scratch::take_outbox);
        let mut transport = Transport {
            io: &mut self.io,
            cx,
            blocked: self.blocked || self.mute,
            unflushed: &mut self.unflushed,
        };
        let mut replies = Replies::new(&mut self.connection, outbox, &mut transport);
        if let Some(message) = stashed {
            handle(message.into_gathered(), &mut replies);
            return Ok(false);
        }
        // Nobody sees it again if `handle` panics: it is unmasked where it lies.
        let mut batch = mem::take(&mut self.inbox);
        let len = batch.len();
        let mut input = Input::new(&mut batch);
        let left = loop {
            match replies.connection().poll_whole(&mut input) {
                Ok(Some(message)) => handle(message, &mut replies),
                Ok(None) => match replies.connection().poll(&mut input) {
                    Ok(Some(Event::Message(message))) => handle(message, &mut replies),
                    Ok(Some(Event::Ping(_))) => replies.transmit_pong(),
                    Ok(Some(Event::Pong(payload))) => {
                        handle_pong(&mut self.extras, payload.as_slice());
                    }
                    Ok(Some(_)) => {}
                    Ok(None) => break Ok(0),
                    Err(fault) => break Err(fault),
                },
                Err(fault) => break Err(fault),
            }
            let left = input.bytes().len();
            if left == 0 || replies.backlog() > self.options.get().write_buffer {
                break Ok(left);
            }
        };
        match left {
            Ok(left @ 1..) => {
                batch.advance(len - left);
                scratch::keep_rest(&mut batch);
                self.inbox = batch;
            }
            _ => scratch::give_buffer(&mut batch),
        }
        match left {
            Ok(left) => Ok(left == 0),
            Err(fault) => Err(self.fail(fault, cx)),
        }
    }

    /// Waits for more input, having written what is to be written; `false`
    /// once the connection has ended as it should.
    pub(super) fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, Error>> {
        loop {
            if self.ended {
                return Poll::Ready(Ok(false));
            }
            // What the transport refuses now is written when it takes it again;
            // an error leaves what the peer said before it to be read.
            let flushed = self.poll_flush(cx).is_ready();
            // The server ends the transport (section 7.1.1), and the client waits.
            let is_first = matches!(self.connection.role(), Role::Server);
            if flushed && self.connection.is_exchanged() && is_first {
                self.shut_down(cx);
                self.end();
                return Poll::Ready(Ok(false));
            }
            match self.poll_fill(cx) {
                Poll::Ready(Ok(0)) if self.owes() => {
                    self.deaf = true;
                    continue;
                }
                Poll::Ready(Ok(1..)) => return Poll::Ready(Ok(true)),
                // After the peer's Close frame it does not matter how it ends.
                Poll::Ready(end) => {
                    let closed = self.handle_eof(cx);
                    return Poll::Ready(match (closed, end) {
                        (true, _) => Ok(false),
                        (false, Ok(_)) => Err(Error::Lost(io::ErrorKind::UnexpectedEof.into())),
                        (false, Err(error)) => Err(Error::Lost(error)),
                    });
                }
                Poll::Pending => {}
            }
            ready!(self.poll_idle(cx))?;
            if self.connection.state() == State::Closed {
                self.end();
                return Poll::Ready(match self.connection.is_exchanged() {
                    true => Ok(false),
                    false => Err(Error::CloseTimeout),
                });
            }
        }
    }

    /// Reads; the number of bytes, 0 at the end of the transport.
    pub(super) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.deaf && self.owes() {
            return Poll::Pending;
        }
        if let Some(mut space) = self.connection.space(scratch::take_memory) {
            return poll_read_buf(Pin::new(&mut self.io), cx, &mut space);
        }
        self.inbox = ready!(scratch::poll_read(&mut self.io, cx))?;
        Poll::Ready(Ok(self.inbox.len()))
    }
}

fn handle_pong(extras: &mut Option<Box<Extras>>, payload: &[u8]) {
    if let Some(extras) = extras {
        extras.pings.handle_pong(payload, Instant::now());
    }
}

/// The transport, for a reply that goes out at once.
struct Transport<'t, 'c, 'w, S> {
    io: &'t mut S,
    cx: &'c mut Context<'w>,
    blocked: bool,
    unflushed: &'t mut bool,
}

impl<S: Io> WriteNow for Transport<'_, '_, '_, S> {
    fn is_blocked(&self) -> bool {
        self.blocked
    }

    fn write_lent(&mut self, outbox: &mut Outbox, lent: &[u8]) {
        *self.unflushed = true;
        let written = match self.blocked {
            true => Poll::Pending,
            false => poll_write_some(self.io, self.cx, outbox, lent),
        };
        match written {
            Poll::Ready(Ok(n)) => outbox.advance_lent(n, lent),
            // The flush that follows meets the same error, or waits.
            Poll::Ready(Err(_)) | Poll::Pending => {
                self.blocked = true;
                outbox.advance_lent(0, lent);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use crate::options::Options;
    use crate::server::Registry;
    use crate::testing::frame::Frame;
    use crate::testing::poll::once;
    use crate::testing::wire::{Pace, Wire};
    use crate::testing::{Side, open, runtime};
    use crate::websocket::WebSocket;

    const CHUNK: usize = 16 * 1024;
    const LEN: usize = 3 * CHUNK - 100;

    /// The ping is due after `polls` polls; whether all was read, and all handled.
    async fn run_with_a_ping_after(polls: usize) -> (bool, bool) {
        let wire = Wire::new(Side::Client, Pace::Every(CHUNK), false);
        let second = Duration::from_secs(1);
        let options = Options::default().write_buffer(0).ping_interval(second);
        let link = open(Side::Client, options, &wire, &Arc::<Registry>::default());
        let mut ws = WebSocket::new(link);
        wire.steer_out();
        // Its later parts are read straight into its own memory.
        wire.say(Frame::binary(vec![7; LEN]));
        let mut handled = 0;
        let mut running = Box::pin(ws.run(|message, _| handled += message.as_bytes().len()));
        for number in 0..10 {
            if number == polls {
                tokio::time::advance(second).await;
            }
            assert!(once(&mut running).is_pending());
        }
        drop(running);
        (wire.coming() == 0, handled == LEN)
    }

    #[test]
    fn run_handles_what_was_read_before_it_waits_for_a_ping_to_go_out() {
        runtime().block_on(async {
            for polls in 0..5 {
                let (read, handled) = run_with_a_ping_after(polls).await;
                assert_eq!(read, handled, "{polls}");
            }
        });
    }
}

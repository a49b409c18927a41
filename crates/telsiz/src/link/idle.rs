//! Waiting on a link: for its deadlines and for the stop of its server.

use std::task::{Context, Poll, ready};

use telsiz_proto::State;
use tokio::time::{Instant, sleep_until};

use super::{Io, Link};
use crate::error::Error;

impl<S: Io> Link<S> {
    /// Nothing is there to be read: waits for a deadline or for the server's stop.
    pub(super) fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.note_waker(cx);
        if self.stop_with_server() {
            return Poll::Ready(Ok(()));
        }
        // While it is open, its deadlines move only when one has passed.
        let has_rung = self.has_rung();
        if self.is_timed && !has_rung && self.connection.state() == State::Open {
            return Poll::Pending;
        }
        let deadline = self
            .connection
            .poll_timeout(|| Instant::now().into_std())
            .map(Instant::from_std);
        self.is_timed = true;
        ready!(self.poll_deadline(deadline, cx));
        self.is_timed = false;
        let now = Instant::now().into_std();
        Poll::Ready(match self.connection.handle_timeout(now) {
            Ok(()) => Ok(()),
            Err(fault) => Err(self.fail(fault, cx)),
        })
    }

    /// Whether the deadline that was waited for has passed.
    fn has_rung(&self) -> bool {
        match (&self.lease, &self.extras) {
            (Some(lease), _) => lease.take_due(),
            (None, Some(extras)) => extras.alarm.as_ref().is_some_and(|a| a.is_elapsed()),
            (None, None) => false,
        }
    }

    /// Waits for `deadline`.
    fn poll_deadline(&mut self, deadline: Option<Instant>, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(lease) = &self.lease {
            lease.wake_at(deadline);
            return match deadline {
                Some(deadline) if deadline <= Instant::now() => Poll::Ready(()),
                _ => Poll::Pending,
            };
        }
        let alarm = &mut self.extras().alarm;
        let Some(deadline) = deadline else {
            *alarm = None;
            return Poll::Pending;
        };
        let alarm = alarm.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if alarm.deadline() != deadline {
            alarm.as_mut().reset(deadline);
        }
        alarm.as_mut().poll(cx)
    }

    /// Remembers whom to wake.
    pub(super) fn note_waker(&mut self, cx: &Context<'_>) {
        let is_known = self.waker.as_ref().is_some_and(|w| w.will_wake(cx.waker()));
        if !is_known {
            match &self.lease {
                Some(lease) => lease.register(cx.waker()),
                // It would wake the task that was here before.
                None => {
                    self.is_timed = false;
                    self.extras().alarm = None;
                }
            }
            self.waker = Some(cx.waker().clone());
        }
    }
}

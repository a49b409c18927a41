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
        if let Some(sleep) = &self.sleep
            && !sleep.is_elapsed()
            && self.connection.state() == State::Open
        {
            return Poll::Pending;
        }
        let Some(deadline) = self.connection.poll_timeout(|| Instant::now().into_std()) else {
            self.sleep = None;
            return Poll::Pending;
        };
        let deadline = Instant::from_std(deadline);
        let sleep = match &mut self.sleep {
            Some(sleep) => {
                if sleep.deadline() != deadline {
                    sleep.as_mut().reset(deadline);
                }
                sleep
            }
            none => none.insert(Box::pin(sleep_until(deadline))),
        };
        ready!(sleep.as_mut().poll(cx));
        let now = Instant::now().into_std();
        Poll::Ready(match self.connection.handle_timeout(now) {
            Ok(()) => Ok(()),
            Err(fault) => Err(self.fail(fault, cx)),
        })
    }

    /// Remembers whom to wake.
    pub(super) fn note_waker(&mut self, cx: &Context<'_>) {
        let is_known = self.waker.as_ref().is_some_and(|w| w.will_wake(cx.waker()));
        if !is_known {
            if let Some(lease) = &self.lease {
                lease.register(cx.waker());
            }
            self.waker = Some(cx.waker().clone());
            // It would wake the task that was here before.
            self.sleep = None;
        }
    }
}

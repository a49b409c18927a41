//! Pings whose pongs are waited for.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

/// Pings under way, the oldest first.
#[derive(Default)]
pub(crate) struct Pings {
    /// How many were sent; each carries its number.
    sent: u32,
    waiting: Vec<Ping>,
}

struct Ping {
    number: u32,
    at: Instant,
    pong: oneshot::Sender<Duration>,
}

impl Pings {
    /// A new ping: its payload, and who learns how long its pong took.
    pub(crate) fn start(&mut self, now: Instant) -> ([u8; 4], oneshot::Receiver<Duration>) {
        self.sent = self.sent.wrapping_add(1);
        let (pong, receiver) = oneshot::channel();
        self.waiting.retain(|ping| !ping.pong.is_closed());
        self.waiting.push(Ping {
            number: self.sent,
            at: now,
            pong,
        });
        (self.sent.to_be_bytes(), receiver)
    }

    /// A pong answers its ping and all before it (RFC 6455, section 5.5.3).
    pub(crate) fn handle_pong(&mut self, payload: &[u8], now: Instant) {
        let Ok(number) = payload.try_into().map(u32::from_be_bytes) else {
            return;
        };
        let Some(last) = self.waiting.iter().position(|ping| ping.number == number) else {
            return;
        };
        for ping in self.waiting.drain(..=last) {
            let _ = ping.pong.send(now - ping.at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pong_answers_its_ping_and_all_before_it() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut pings = Pings::default();
        let (_, mut first) = pings.start(at(0));
        let (payload, mut second) = pings.start(at(1));
        let (_, mut third) = pings.start(at(2));
        pings.handle_pong(b"what", at(3));
        pings.handle_pong(b"unknown", at(3));
        assert!(first.try_recv().is_err());
        pings.handle_pong(&payload, at(3));
        assert_eq!(first.try_recv(), Ok(Duration::from_secs(3)));
        assert_eq!(second.try_recv(), Ok(Duration::from_secs(2)));
        assert!(third.try_recv().is_err());
    }

    #[test]
    fn pings_that_nobody_waits_for_are_forgotten() {
        let mut pings = Pings::default();
        for _ in 0..1000 {
            drop(pings.start(Instant::now()));
        }
        assert_eq!(pings.waiting.len(), 1);
    }
}

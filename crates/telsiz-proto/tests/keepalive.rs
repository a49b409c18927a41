//! Deadlines on a clock that only the test moves: pings that find out whether
//! the peer lives, and the end of the patience with a closing handshake.

mod common;

use std::time::{Duration, Instant};

use telsiz_proto::{Cause, CloseCode, Config, Fault, State};

use common::frame::{BINARY, CLOSE, CONTINUATION, Frame, PING, PONG};
use common::{Driver, End, Pair, Seen, Side, Space};

const TICK: Duration = Duration::from_nanos(1);

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn config(interval: Option<u64>, timeout: Option<u64>) -> Config {
    let mut config = Config::default();
    config.keepalive.interval = interval.map(secs);
    config.keepalive.timeout = timeout.map(secs);
    config
}

fn idle(timeout: u64) -> Config {
    let mut config = config(None, None);
    config.idle_timeout = Some(secs(timeout));
    config
}

/// An end on a clock that starts at 0 s.
struct Clocked {
    end: End,
    side: Side,
    zero: Instant,
}

impl Clocked {
    fn new(side: Side, config: &Config) -> Self {
        let zero = Instant::now();
        let end = End::new(side, config, zero);
        Self { end, side, zero }
    }

    /// The next deadline, on a clock that must not be asked.
    fn due(&mut self) -> Option<Duration> {
        let due = self
            .end
            .connection
            .poll_timeout(|| panic!("asked the clock"));
        due.map(|due| due - self.zero)
    }

    /// The next deadline, asked for at `now`.
    fn due_at(&mut self, now: Duration) -> Option<Duration> {
        let due = self.end.connection.poll_timeout(|| self.zero + now);
        due.map(|due| due - self.zero)
    }

    /// What goes out when the deadlines of `now` have run.
    fn at(&mut self, now: Duration) -> Vec<Frame> {
        self.end.handle_timeout(self.zero + now);
        self.end.frames().into_iter().map(Frame::plain).collect()
    }

    fn get(&mut self, frame: Frame) {
        self.end.get(&frame.to(self.side));
    }

    /// The time until `Fault::Silent` when nothing comes from now on.
    fn falls_silent(&mut self) -> Duration {
        for _ in 0..100 {
            let due = self.due().expect("a deadline");
            self.at(due);
            if self.end.seen.last() == Some(&Seen::Fault(Fault::Silent)) {
                return due;
            }
        }
        panic!("silence went unnoticed");
    }
}

fn ping() -> Vec<Frame> {
    vec![Frame::new(PING, "")]
}

#[test]
fn a_ping_goes_out_at_each_interval_and_not_before() {
    for side in Side::BOTH {
        let mut it = Clocked::new(side, &config(Some(20), Some(50)));
        for round in 1..100 {
            let due = secs(20 * round);
            assert_eq!(it.due(), Some(due));
            assert_eq!(it.at(due - TICK), []);
            assert_eq!(it.at(due), ping());
            assert_eq!(it.at(due), [], "once");
            it.get(Frame::new(BINARY, "life"));
        }
        assert_eq!(it.end.connection.state(), State::Open);
    }
}

#[test]
fn the_defaults_are_those_of_the_wire_contract() {
    let mut it = Clocked::new(Side::Server, &Config::default());
    assert_eq!(it.due(), Some(secs(20)));
    assert_eq!(it.falls_silent(), secs(40));
}

#[test]
fn silence_after_a_ping_ends_the_connection_at_the_timeout() {
    for side in Side::BOTH {
        for (interval, timeout) in [(20, 20), (20, 5), (20, 19), (20, 21), (5, 60), (1, 10)] {
            let mut it = Clocked::new(side, &config(Some(interval), Some(timeout)));
            it.get(Frame::new(BINARY, "before the first ping"));
            let end = secs(interval + timeout);
            while it.due() < Some(end) {
                let due = it.due().expect("a ping");
                assert_eq!(it.at(due), ping());
            }
            it.at(end - TICK);
            assert_eq!(it.end.connection.state(), State::Open);
            let frames = it.at(end);
            assert_eq!(frames, [Frame::close(1011, "keepalive ping timeout")]);
            assert_eq!(it.end.seen.last(), Some(&Seen::Fault(Fault::Silent)));
            let outcome = it.end.connection.outcome().expect("ending");
            assert_eq!(outcome.cause, Cause::Fault(Fault::Silent));
            assert_eq!(outcome.code(), CloseCode::ABNORMAL);
            assert!(it.end.connection.is_exchanged());
        }
    }
}

#[test]
fn the_wait_begins_with_the_first_ping_that_nothing_answered() {
    // Pings at 10, 20, 30, …; the timeout is longer than their interval.
    for (life_at, silent_at) in [(5, 35), (12, 45), (18, 45), (22, 55), (28, 55)] {
        let mut it = Clocked::new(Side::Server, &config(Some(10), Some(25)));
        while it.due() < Some(secs(life_at)) {
            let due = it.due().expect("a ping");
            it.at(due);
        }
        it.get(Frame::new(BINARY, "life"));
        assert_eq!(it.falls_silent(), secs(silent_at), "life at {life_at}");
    }
}

#[test]
fn a_ping_that_was_answered_in_time_is_followed_by_the_next() {
    // Pings at 20, 40, 60, …; the wait for each ends 5 s later.
    let mut it = Clocked::new(Side::Server, &config(Some(20), Some(5)));
    for ping_at in [20, 40, 60] {
        assert_eq!(it.due(), Some(secs(ping_at)));
        assert_eq!(it.at(secs(ping_at)), ping());
        assert_eq!(it.due(), Some(secs(ping_at + 5)));
        it.get(Frame::new(PONG, ""));
        assert_eq!(it.at(secs(ping_at + 5)), []);
    }
    assert_eq!(it.falls_silent(), secs(85));
}

#[test]
fn any_byte_is_life() {
    let frame = |side| Frame::new(BINARY, vec![0; 300]).to(side);
    for side in Side::BOTH {
        let bytes = frame(side);
        for at in 0..bytes.len() {
            let mut it = Clocked::new(side, &config(Some(20), Some(20)));
            it.end.get(&bytes[..at]);
            it.at(secs(20));
            it.end.get(&bytes[at..=at]);
            assert_eq!(it.at(secs(40)), ping(), "byte {at}");
            assert_eq!(it.falls_silent(), secs(60));
        }
    }
}

#[test]
fn a_byte_in_the_space_of_a_large_message_is_life() {
    let driver = Driver {
        owned: true,
        space: Space::Alone,
    };
    for side in Side::BOTH {
        let mut it = Clocked::new(side, &config(Some(20), Some(20)));
        let bytes = Frame::new(BINARY, vec![0; 100_000]).to(side);
        it.end.get(&bytes[..20_000]);
        it.at(secs(20));
        it.end.read(driver, &bytes[20_000..20_001]);
        assert_eq!(it.end.spaced, 1);
        assert_eq!(it.at(secs(40)), ping());
    }
}

#[test]
fn a_poll_without_bytes_is_no_life() {
    for side in Side::BOTH {
        for owned in [false, true] {
            let space = Space::Unused;
            let mut it = Clocked::new(side, &config(Some(20), Some(20)));
            it.at(secs(20));
            it.end.read(Driver { owned, space }, &[]);
            it.at(secs(40));
            assert_eq!(it.end.seen, [Seen::Fault(Fault::Silent)]);
        }
    }
}

#[test]
fn without_an_interval_there_is_no_deadline() {
    for side in Side::BOTH {
        let mut it = Clocked::new(side, &config(None, Some(1)));
        assert_eq!(it.due(), None);
        let zero = it.zero;
        it.end.connection.first_ping(zero, secs(1));
        assert_eq!(it.due(), None);
        assert_eq!(it.at(secs(1_000_000)), []);
        assert_eq!(it.end.connection.state(), State::Open);
    }
}

#[test]
fn without_a_timeout_silence_ends_nothing() {
    for side in Side::BOTH {
        let mut it = Clocked::new(side, &config(Some(20), None));
        for round in 1..1000 {
            let due = secs(20 * round);
            assert_eq!(it.due(), Some(due));
            assert_eq!(it.at(due), ping());
        }
        assert_eq!(it.end.connection.state(), State::Open);
    }
}

#[test]
fn the_first_ping_may_be_put_elsewhere() {
    for side in Side::BOTH {
        for first in [0, 7, 19, 33] {
            let mut it = Clocked::new(side, &config(Some(20), Some(60)));
            let zero = it.zero;
            it.end.connection.first_ping(zero, secs(first));
            assert_eq!(it.due(), Some(secs(first)));
            assert_eq!(it.at(secs(first)), ping());
            assert_eq!(it.due(), Some(secs(first + 20)));
        }
    }
}

#[test]
fn a_late_driver_sends_one_ping_for_all_that_it_missed() {
    let mut it = Clocked::new(Side::Server, &config(Some(20), Some(20)));
    assert_eq!(it.at(secs(1000)), ping());
    assert_eq!(it.due(), Some(secs(1020)));
    it.get(Frame::new(BINARY, "life"));
    assert_eq!(it.at(secs(5000)), ping());
    assert_eq!(it.falls_silent(), secs(5020));
}

#[test]
fn the_close_deadline_counts_from_when_it_is_first_asked_for() {
    let begin: [fn(&mut Clocked); 3] = [
        |it| it.end.connection.close(CloseCode::NORMAL.into()),
        |it| it.get(Frame::close(1000, "")),
        |it| it.get(Frame::new(15, "")),
    ];
    for side in Side::BOTH {
        for (begin, cause) in
            begin
                .iter()
                .zip([Some(Cause::CloseTimeout), Some(Cause::Handshake), None])
        {
            let mut it = Clocked::new(side, &config(Some(20), Some(20)));
            begin(&mut it);
            assert_eq!(it.due_at(secs(3)), Some(secs(13)));
            assert_eq!(it.due(), Some(secs(13)), "it is asked once");
            assert_eq!(it.at(secs(5)).len(), 1, "the Close, no ping");
            it.at(secs(13) - TICK);
            assert_eq!(it.end.connection.state(), State::Closing);
            assert_eq!(it.at(secs(13)), []);
            assert_eq!(it.end.connection.state(), State::Closed);
            assert_eq!(it.due(), None);
            let outcome = it.end.connection.outcome().expect("ended");
            assert_eq!(cause.unwrap_or(outcome.cause), outcome.cause);
            // The transport may end afterwards: that changes nothing.
            it.end.connection.handle_eof();
            assert_eq!(it.end.connection.outcome(), Some(outcome));
        }
    }
}

#[test]
fn what_comes_after_the_close_deadline_is_discarded() {
    for side in Side::BOTH {
        let mut it = Clocked::new(side, &Config::default());
        it.end.connection.close(CloseCode::NORMAL.into());
        it.due_at(secs(0));
        it.at(secs(10));
        it.get(Frame::text("late"));
        it.get(Frame::close(1000, ""));
        assert_eq!(it.end.seen, []);
        let outcome = it.end.connection.outcome().expect("ended");
        assert_eq!(outcome.cause, Cause::CloseTimeout);
        assert_eq!(outcome.code(), CloseCode::ABNORMAL);
    }
}

#[test]
fn without_a_close_timeout_there_is_no_deadline() {
    for side in Side::BOTH {
        let mut config = config(Some(20), Some(20));
        config.close_timeout = None;
        let mut it = Clocked::new(side, &config);
        it.end.connection.close(CloseCode::NORMAL.into());
        assert_eq!(it.due(), None);
        assert_eq!(it.at(secs(1_000_000)).len(), 1, "the Close");
        assert_eq!(it.end.connection.state(), State::Closing);
    }
}

#[test]
fn no_ping_follows_our_close() {
    for side in Side::BOTH {
        let mut it = Clocked::new(side, &config(Some(20), None));
        it.end.connection.close(CloseCode::NORMAL.into());
        assert_eq!(it.at(secs(1))[0].opcode, CLOSE);
        assert_eq!(it.at(secs(20)), []);
    }
}

#[test]
fn a_connection_that_closes_does_not_fall_silent() {
    for side in Side::BOTH {
        // A ping was sent, whose pong is due at 25 s.
        let mut it = Clocked::new(side, &config(Some(20), Some(5)));
        assert_eq!(it.at(secs(20)), ping());
        it.end.connection.close(CloseCode::NORMAL.into());
        assert_eq!(it.at(secs(21))[0].opcode, CLOSE);
        it.at(secs(25));
        assert_eq!(it.end.seen, []);
    }
}

#[test]
fn two_connections_keep_each_other_alive_for_a_day() {
    let mut pair = Pair::new(&Config::default());
    pair.pass(secs(24 * 60 * 60));
    for end in [&mut pair.client, &mut pair.server] {
        assert_eq!(end.connection.state(), State::Open);
        let seen = end.take_seen();
        let pongs = seen.iter().filter(|seen| matches!(seen, Seen::Pong(_)));
        assert_eq!(pongs.count(), 24 * 60 * 3);
    }
    pair.cut = true;
    pair.pass(secs(40));
    for end in [&pair.client, &pair.server] {
        assert_eq!(end.seen, [Seen::Fault(Fault::Silent)]);
    }
}

#[test]
fn an_interval_that_no_clock_reaches_is_as_good_as_none() {
    let mut config = Config::default();
    config.keepalive.interval = Some(Duration::MAX);
    config.keepalive.timeout = Some(Duration::MAX);
    config.close_timeout = Some(Duration::MAX);
    let mut it = Clocked::new(Side::Server, &config);
    assert_eq!(it.due(), None);
    it.end.connection.close(CloseCode::NORMAL.into());
    assert_eq!(it.due_at(secs(0)), None);
}

/// When it closes if nothing more comes; until then nothing goes out.
fn closes_idle(it: &mut Clocked) -> Duration {
    for _ in 0..5 {
        let due = it.due().expect("a deadline");
        let frames = it.at(due);
        if it.end.connection.state() != State::Open {
            assert_eq!(frames, [Frame::close(1001, "idle timeout")]);
            return due;
        }
        assert_eq!(frames, []);
    }
    panic!("it was never idle");
}

#[test]
fn who_says_nothing_is_closed_with_1001() {
    for side in Side::BOTH {
        let mut it = Clocked::new(side, &idle(60));
        it.at(secs(60) - TICK);
        assert_eq!(it.end.connection.state(), State::Open);
        let mut it = Clocked::new(side, &idle(60));
        assert_eq!(closes_idle(&mut it), secs(60));
        // From here on it is the closing handshake that takes time.
        assert_eq!(it.due_at(secs(60)), Some(secs(70)));
        it.at(secs(70));
        let outcome = it.end.connection.outcome().expect("an outcome");
        assert_eq!(outcome.cause, Cause::CloseTimeout);
        assert_eq!(
            outcome.sent.map(|sent| sent.code()),
            Some(CloseCode::GOING_AWAY)
        );
    }
}

#[test]
fn a_message_puts_that_off_for_at_least_the_time_and_at_most_a_quarter_more() {
    for side in Side::BOTH {
        for last in (0..600).map(|tenth| Duration::from_millis(100 * tenth)) {
            let mut it = Clocked::new(side, &idle(60));
            while let Some(due) = it.due().filter(|due| *due <= last) {
                it.at(due);
            }
            it.get(Frame::text("still here"));
            let end = closes_idle(&mut it);
            assert!(
                end >= last + secs(60) && end <= last + secs(75),
                "{last:?}: {end:?}"
            );
        }
    }
}

#[test]
fn only_whole_messages_say_something() {
    for frame in [
        Frame::new(PING, ""),
        Frame::new(PONG, ""),
        Frame::text("and so on").more(),
    ] {
        let mut it = Clocked::new(Side::Server, &idle(60));
        for round in 1..4 {
            it.at(secs(15 * round));
        }
        it.get(frame);
        it.end.frames();
        assert_eq!(closes_idle(&mut it), secs(60));
    }
    // One in two fragments does too.
    let mut it = Clocked::new(Side::Server, &idle(60));
    it.get(Frame::text("in ").more());
    it.get(Frame::new(CONTINUATION, "two"));
    assert_eq!(closes_idle(&mut it), secs(75));
}

#[test]
fn a_deadline_that_is_looked_at_late_is_one_look() {
    let mut it = Clocked::new(Side::Server, &idle(60));
    assert_eq!(it.at(secs(600)), []);
    assert_eq!(closes_idle(&mut it), secs(600 + 45));
}

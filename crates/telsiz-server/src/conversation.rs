//! A connection as its app hears it: what breaks the rules of every app does not get that far.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use futures_util::future::Either;
use telsiz::{CloseFrame, Error, Message, Outgoing, Receiver, Sender, State, Text, Upgrade};
use tokio::time::{Interval, MissedTickBehavior, interval_at, sleep, timeout};

use crate::close;
use crate::connections::Counted;
use crate::heartbeat::JSON_PING;
use crate::json::Heard;
use crate::lang::Lang;
use crate::limits_hit::Limit;
use crate::rate::{Limiter, Verdict};
use crate::rules::Rules;
use crate::traffic::Slow;

/// As much as other connections let pile up.
const PILE: usize = 64 * 1024;

/// A connection as its app hears it.
///
/// Its futures are small, for each connection keeps room for the largest that its app awaits: what is
/// rarely there is in a box.
///
/// Dropping it closes it with 1000, or with what was said before.
#[derive(Debug)]
pub(crate) struct Conversation {
    receiver: Receiver,
    sender: Sender,
    rules: Arc<Rules>,
    limiter: Limiter,
    /// When pings in JSON are due, if there are any.
    json_pings: Option<Box<Interval>>,
    lang: Lang,
}

impl Conversation {
    /// Answers the handshake of a client that reads `lang`.
    pub(crate) async fn open(
        upgrade: Upgrade,
        rules: Arc<Rules>,
        lang: Lang,
        counted: &Counted,
    ) -> Result<Self, Error> {
        let upgrade = upgrade.options(rules.options.get(lang).clone());
        let (receiver, sender) = upgrade.accept().await?.split();
        counted.accepted();
        counted.speaks_through(sender.clone());
        let conversation = Self {
            receiver,
            sender,
            json_pings: rules.json_ping.then(|| Box::new(json_pings())),
            rules,
            limiter: Limiter::default(),
            lang,
        };
        if conversation.json_pings.is_some() {
            ping(&conversation.sender, &conversation.rules);
        }
        Ok(conversation)
    }

    /// The language that the client reads.
    pub(crate) fn lang(&self) -> Lang {
        self.lang
    }

    /// A way to send to the client from anywhere.
    pub(crate) fn sender(&self) -> Sender {
        self.sender.clone()
    }

    /// The next text; `None` when there will be none. A binary message is closed with 1003.
    pub(crate) async fn next(&mut self) -> Result<Option<Text>, Error> {
        match self.next_of_any_kind().await? {
            Some(Message::Text(text)) => Ok(Some(text)),
            Some(Message::Binary(_)) => {
                self.close(close::TEXT_ONLY);
                Ok(None)
            }
            None => Ok(None),
        }
    }

    /// The next message, text or binary; `None` when there will be none.
    pub(crate) async fn next_of_any_kind(&mut self) -> Result<Option<Message>, Error> {
        loop {
            let Some(message) = self.receive().await? else {
                return Ok(None);
            };
            self.rules.traffic.received(message.len());
            let rate = self.rules.rate();
            if rate.is_off() {
                return Ok(Some(message));
            }
            match self.limiter.judge(rate, Instant::now()) {
                Verdict::Admit => return Ok(Some(message)),
                Verdict::Wait(time) => {
                    self.rules.limits_hit.count(Limit::MessageRate);
                    Box::pin(sleep(time)).await;
                    return Ok(Some(message));
                }
                Verdict::Reject { retry_after } => {
                    self.rules.limits_hit.count(Limit::MessageRate);
                    let error = self.rules.too_often(&message, retry_after, self.lang);
                    Box::pin(self.reply(error)).await?;
                }
                Verdict::Close => {
                    self.rules.limits_hit.count(Limit::MessageRate);
                    self.close(close::TOO_OFTEN);
                    return Ok(None);
                }
            }
        }
    }

    /// The next message; until it comes the client is sent pings in JSON, if there are any.
    fn receive(&mut self) -> impl Future<Output = Result<Option<Message>, Error>> {
        let Some(pings) = &mut self.json_pings else {
            return Either::Left(self.receiver.recv());
        };
        let (receiver, sender, rules) = (&mut self.receiver, &self.sender, &self.rules);
        Either::Right(Box::pin(async move {
            loop {
                tokio::select! {
                    biased;
                    message = receiver.recv() => return message,
                    _ = pings.tick() => ping(sender, rules),
                }
            }
        }))
    }

    /// Reads a text of a JSON app; `None` if it was a sign of life, which needs no more.
    pub(crate) async fn hear<'t>(&self, text: &'t str) -> Result<Option<Heard<'t>>, Error> {
        let heard = Heard::read(text);
        let kind = match &heard {
            Heard::Object(object) => object.kind(),
            Heard::NoObject | Heard::NoJson => None,
        };
        match kind.as_deref() {
            Some("ping") => {
                Box::pin(self.reply(PONG)).await?;
                Ok(None)
            }
            Some("pong" | "heartbeat") => Ok(None),
            _ => Ok(Some(heard)),
        }
    }

    /// Answers the client. Answers to what came together go out together, and who does not read
    /// them is not heard again until then.
    pub(crate) async fn reply(&self, message: impl Into<Outgoing>) -> Result<(), Error> {
        self.keep_pace().await?;
        let message = message.into();
        let bytes = match &message {
            Outgoing::Message(message) => message.len(),
            Outgoing::Prepared(message) => message.message().len(),
        };
        self.rules.traffic.sent(1, bytes);
        self.sender.feed(message).await
    }

    /// Waits for a client whose own answers pile up to read them. Needed by those apps that answer
    /// through an audience, where what piles up is not noticed.
    pub(crate) async fn keep_pace(&self) -> Result<(), Error> {
        match self.sender.backlog() > PILE {
            true => Box::pin(self.drain()).await,
            false => Ok(()),
        }
    }

    /// Waits until everything is written. A client that has read nothing in the time that it may take to
    /// answer a ping is waited for no longer: pings say nothing about it, they wait behind all else.
    async fn drain(&self) -> Result<(), Error> {
        let Some(patience) = self.rules.patience else {
            return self.flush().await;
        };
        loop {
            let before = self.sender.backlog();
            match timeout(patience, self.flush()).await {
                Ok(flushed) => return flushed,
                Err(_) if self.sender.backlog() < before => {}
                Err(_) => {
                    self.lose(Slow::Buffer);
                    return Ok(());
                }
            }
        }
    }

    /// Starts to close, because the client does not keep up.
    pub(crate) fn lose(&self, why: Slow) {
        self.rules.traffic.slow(why);
        self.close(close::TOO_SLOW);
    }

    /// Starts to close; the rest is done when this is dropped.
    pub(crate) fn close(&self, frame: CloseFrame) {
        self.sender.close(frame);
    }

    /// Waits until everything is written. When the connection is closed meanwhile there is nothing
    /// to wait for here: the time for closing is kept while receiving.
    async fn flush(&self) -> Result<(), Error> {
        let mut flush = pin!(self.sender.flush());
        poll_fn(|cx| match self.sender.state() {
            State::Open => flush.as_mut().poll(cx),
            _ => Poll::Ready(Ok(())),
        })
        .await
    }
}

/// When pings in JSON are due, after the first.
fn json_pings() -> Interval {
    let mut pings = interval_at(tokio::time::Instant::now() + JSON_PING, JSON_PING);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pings
}

/// Sends a ping in JSON. Who has much to read already is not sent one.
fn ping(sender: &Sender, rules: &Rules) {
    if sender.try_send(PING).is_ok() {
        rules.traffic.sent(1, PING.len());
    }
}

/// A ping in JSON.
const PING: Text = Text::from_static(r#"{"type":"ping"}"#);

/// What a ping in JSON is answered with.
const PONG: Text = Text::from_static(r#"{"type":"pong"}"#);

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::num::NonZeroU32;
    use std::time::Duration;

    use telsiz::CloseCode;
    use tokio::time::timeout;

    use super::*;
    use crate::connections::Connections;
    use crate::rate::{Quota, Rate};
    use crate::rules::no_error_fields;
    use crate::testing::{self, closed, connect, text};

    /// An echo with a limited rate.
    async fn serve(rate: Rate) -> SocketAddr {
        echo(testing::site().rules(rate, no_error_fields)).await
    }

    async fn echo(rules: Arc<Rules>) -> SocketAddr {
        testing::serve(|serve| {
            serve.fallback(move |upgrade: Upgrade| {
                let rules = rules.clone();
                async move {
                    let counted = Connections::default().count();
                    let mut conversation =
                        Conversation::open(upgrade, rules, Lang::En, &counted).await?;
                    while let Some(text) = conversation.next().await? {
                        if conversation.hear(&text).await?.is_some() {
                            conversation.reply(text).await?;
                        }
                    }
                    Ok::<_, Error>(())
                }
            })
        })
        .await
    }

    fn quota(most: u32, window: Duration) -> Quota {
        Quota {
            most: NonZeroU32::new(most).expect("some"),
            window,
        }
    }

    #[tokio::test]
    async fn what_is_rejected_is_told_and_pings_count() {
        let minute = Duration::from_secs(60);
        let server = serve(Rate::Reject(quota(3, minute))).await;
        let mut ws = connect(server, "/").await;
        for sent in ["a", r#"{"type":"ping"}"#, r#"{"type":"heartbeat"}"#, "b"] {
            ws.send(sent).await.expect("sent");
        }
        assert_eq!(text(&mut ws).await, "a");
        assert_eq!(text(&mut ws).await, r#"{"type":"pong"}"#);
        let told: serde_json::Value = serde_json::from_str(&text(&mut ws).await).expect("JSON");
        assert_eq!(told["error"], "Rate limit exceeded");
        let retry_after = told["retry_after"].as_u64().expect("seconds");
        assert!((1..=60).contains(&retry_after), "{retry_after}");
        // Another connection has a quota of its own.
        let mut other = connect(server, "/").await;
        other.send("c").await.expect("sent");
        assert_eq!(text(&mut other).await, "c");
    }

    #[tokio::test]
    async fn one_too_many_closes() {
        let server = serve(Rate::Close(quota(2, Duration::from_secs(60)))).await;
        let mut ws = connect(server, "/").await;
        for sent in ["a", "b", "c", "d"] {
            ws.send(sent).await.expect("sent");
        }
        assert_eq!(text(&mut ws).await, "a");
        assert_eq!(text(&mut ws).await, "b");
        assert_eq!(closed(&mut ws).await, close::TOO_OFTEN);
    }

    #[tokio::test]
    async fn what_is_throttled_waits_and_nothing_is_lost() {
        let gap = Duration::from_millis(20);
        let server = serve(Rate::Throttle(gap)).await;
        let mut ws = connect(server, "/").await;
        let start = Instant::now();
        for number in 0..10 {
            ws.send(number.to_string()).await.expect("sent");
        }
        for number in 0..10 {
            assert_eq!(text(&mut ws).await, number.to_string());
        }
        assert!(start.elapsed() >= 9 * gap, "{:?}", start.elapsed());
    }

    #[tokio::test]
    async fn who_is_throttled_is_not_taken_for_silent() {
        let tick = Duration::from_millis(20);
        let mut rules = testing::site().rules(Rate::Throttle(3 * tick), no_error_fields);
        if let Some(rules) = Arc::get_mut(&mut rules) {
            let options = rules.options.en.clone();
            rules.options.en = options.ping_interval(tick).ping_timeout(tick);
        }
        let mut ws = connect(echo(rules).await, "/").await;
        for number in 0..10 {
            ws.send(number.to_string()).await.expect("sent");
        }
        for number in 0..10 {
            assert_eq!(text(&mut ws).await, number.to_string());
        }
    }

    #[tokio::test]
    async fn pings_in_json_come_at_once_and_every_30_seconds() {
        let mut site = testing::site();
        site.limits.heartbeat.json_ping = true;
        let rules = site.rules(Rate::DEFAULT, no_error_fields);
        let mut ws = connect(echo(rules).await, "/").await;
        assert_eq!(text(&mut ws).await, r#"{"type":"ping"}"#);
        // The rest is waiting.
        tokio::time::pause();
        let start = tokio::time::Instant::now();
        for round in 1..=3 {
            let message = ws.recv().await.expect("no error").expect("a message");
            assert_eq!(message.as_text(), Some(r#"{"type":"ping"}"#));
            let elapsed = start.elapsed().as_secs_f64();
            assert!((elapsed - f64::from(30 * round)).abs() < 5.0, "{elapsed} s");
            ws.send(r#"{"type":"pong"}"#).await.expect("sent");
        }
        // What it sends in the meantime is heard, and puts nothing off.
        ws.send("a").await.expect("sent");
        let message = ws.recv().await.expect("no error").expect("a message");
        assert_eq!(message.as_text(), Some("a"));
    }

    #[tokio::test]
    async fn a_binary_message_closes_with_1003() {
        let mut ws = connect(serve(Rate::Off).await, "/").await;
        ws.send(vec![1]).await.expect("sent");
        assert_eq!(closed(&mut ws).await.code(), CloseCode::UNSUPPORTED_DATA);
    }

    /// The state of a conversation with a client that reads nothing, once it is waited for no more; `None`
    /// if it still is.
    async fn waited_for(rules: Arc<Rules>, closes: bool) -> Option<State> {
        let (tell, mut told) = tokio::sync::mpsc::channel(2);
        let address = testing::serve(|serve| {
            serve.fallback(move |upgrade: Upgrade| {
                let (rules, tell) = (rules.clone(), tell.clone());
                async move {
                    let counted = Connections::default().count();
                    let conversation =
                        Conversation::open(upgrade, rules, Lang::En, &counted).await?;
                    // More than the kernel takes.
                    while conversation.sender.backlog() <= PILE {
                        let _ = conversation.sender.try_send(vec![0; PILE]);
                    }
                    if closes {
                        let sender = conversation.sender();
                        tokio::spawn(async move { sender.close(close::TOO_SLOW) });
                    }
                    conversation.keep_pace().await?;
                    let _ = tell.send(conversation.sender.state()).await;
                    Ok::<_, Error>(())
                }
            })
        })
        .await;
        let _deaf = connect(address, "/").await;
        let told = timeout(Duration::from_secs(5), told.recv()).await;
        told.ok().flatten()
    }

    #[tokio::test]
    async fn who_reads_nothing_is_not_waited_for_once_it_is_closed() {
        let rules = testing::site().rules(Rate::Off, no_error_fields);
        assert_eq!(waited_for(rules, true).await, Some(State::Closing));
    }

    #[tokio::test]
    async fn who_reads_none_of_its_answers_is_closed_after_a_while() {
        let mut site = testing::site();
        site.limits.heartbeat.ping_timeout = Some(Duration::from_millis(300));
        let rules = site.rules(Rate::Off, no_error_fields);
        assert_eq!(waited_for(rules, false).await, Some(State::Closing));
    }

    #[test]
    fn an_idle_connection_keeps_little() {
        fn size_of_future<'a, R>(_: fn(&'a mut Conversation) -> R) -> usize {
            size_of::<R>()
        }
        let size = size_of::<Conversation>();
        assert!(size <= 48, "{size} bytes");
        let size = size_of_future(Conversation::next);
        assert!(size <= 128, "{size} bytes");
    }
}

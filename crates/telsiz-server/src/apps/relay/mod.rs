//! `relay`: the sender gets a receipt, everyone else the text with a prefix.

use std::cell::OnceCell;
use std::sync::Arc;

use jiff::Zoned;
use telsiz::{Error, Prepared, Upgrade};
use tokio::time::{Instant, interval_at};

use self::options::RelayOptions;
use super::{App, Mounting};
use crate::audience::Audience;
use crate::connections::Counted;
use crate::conversation::Conversation;
use crate::lang::{ByLang, Lang};
use crate::rate::Rate;
use crate::rules::{Rules, no_error_fields};

mod options;

/// The app.
pub(crate) const APP: App = App {
    name: "relay",
    pattern: "/ws",
    about: ByLang {
        tr: "gönderene alındı yanıtı, diğerlerine ön ekli metin",
        en: "a receipt to the sender, the text with a prefix to everyone else",
    },
    schema: None,
    mount,
};

/// The relay of a mount: clients over WebSocket and HTTP talk through it.
#[derive(Debug, Default)]
pub(crate) struct Relay {
    options: RelayOptions,
    /// Each with the language that it reads.
    audience: Arc<Audience<Lang>>,
}

fn mount(mut mounting: Mounting<'_>) -> Mounting<'_> {
    let site = mounting.site.clone();
    let relay = Arc::new(Relay {
        options: RelayOptions::of(&mounting.mount.keys),
        audience: Arc::new(Audience::counted_by(site.connections.traffic())),
    });
    let rules = site.rules(Rate::Off, no_error_fields);
    mounting.relays.push(relay.clone());
    mounting.handle(move |upgrade, counted| {
        let lang = site.lang_of(&upgrade);
        serve(upgrade, rules.clone(), relay.clone(), lang, counted)
    })
}

async fn serve(
    upgrade: Upgrade,
    rules: Arc<Rules>,
    relay: Arc<Relay>,
    lang: Lang,
    counted: Counted,
) -> Result<(), Error> {
    let member = relay.audience.join(lang);
    let mut conversation = Conversation::open(upgrade, rules, lang, &counted).await?;
    member.open(conversation.sender());
    while let Some(text) = conversation.next().await? {
        let receipt = relay.options.receipt(lang, &text).map(Prepared::new);
        let others = Rendered::new(|lang| relay.options.others(lang, &text));
        member.send(receipt, |lang| others.get(*lang));
        conversation.keep_pace().await?;
    }
    Ok(())
}

impl Relay {
    /// One that gives no receipts.
    #[cfg(test)]
    pub(crate) fn without_receipt() -> Self {
        let mut relay = Self::default();
        relay.options.receipt = ByLang::default();
        relay
    }

    /// Sends `text` to everyone, as from a client that reads `lang`; the receipt that
    /// this client gets, if it gets one.
    pub(crate) fn send(&self, lang: Lang, text: &str) -> Option<String> {
        let others = Rendered::new(|lang| self.options.others(lang, text));
        self.audience.send_to_all(|lang| others.get(*lang));
        self.options.receipt(lang, text)
    }

    /// Sends an announcement after each period, if there is one, for as long as this
    /// is polled.
    pub(crate) async fn announce(&self) {
        let Some(period) = self.options.period else {
            return;
        };
        let mut ticks = interval_at(Instant::now() + period, period);
        loop {
            ticks.tick().await;
            self.announce_once(&Zoned::now());
        }
    }

    fn announce_once(&self, now: &Zoned) {
        let time = now.strftime("%H:%M:%S").to_string();
        let number = rand::random();
        let texts = Rendered::new(|lang| self.options.announcement(lang, number, &time));
        self.audience.send_to_all(|lang| texts.get(*lang));
    }
}

/// A text that is made, and encoded, once for each language that somebody reads.
struct Rendered<F> {
    render: F,
    made: ByLang<OnceCell<Option<Prepared>>>,
}

impl<F: Fn(Lang) -> Option<String>> Rendered<F> {
    fn new(render: F) -> Self {
        Self {
            render,
            made: ByLang::default(),
        }
    }

    fn get(&self, lang: Lang) -> Option<Prepared> {
        let make = || (self.render)(lang).map(Prepared::new);
        self.made.get(lang).get_or_init(make).clone()
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Duration;

    use super::*;
    use crate::connections::Connections;
    use crate::testing;

    async fn served(options: RelayOptions) -> (Arc<Relay>, SocketAddr) {
        let relay = Arc::new(Relay {
            options,
            ..Relay::default()
        });
        let local = relay.clone();
        let rules = testing::site().rules(Rate::Off, no_error_fields);
        let address = testing::serve(|server| {
            server.fallback(move |upgrade: Upgrade| {
                let lang = Lang::asked(upgrade.query_param("lang").as_deref()).unwrap_or_default();
                let counted = Connections::default().count();
                serve(upgrade, rules.clone(), local.clone(), lang, counted)
            })
        })
        .await;
        (relay, address)
    }

    fn same(text: &str) -> ByLang<String> {
        ByLang {
            tr: text.into(),
            en: text.into(),
        }
    }

    #[tokio::test]
    async fn texts_are_options_and_an_empty_one_sends_nothing() {
        let (relay, address) = served(RelayOptions {
            receipt: same("echo: {}"),
            others: same(""),
            ..RelayOptions::default()
        })
        .await;
        let mut first = testing::connect(address, "/").await;
        let mut second = testing::connect(address, "/").await;
        first.send("a").await.expect("sent");
        assert_eq!(testing::text(&mut first).await, "echo: a");
        // Had "a" gone to the second, that would come first.
        second.send("b").await.expect("sent");
        assert_eq!(testing::text(&mut second).await, "echo: b");
        assert_eq!(relay.send(Lang::Tr, "c").as_deref(), Some("echo: c"));
    }

    #[tokio::test]
    async fn without_a_receipt_the_others_hear_all_the_same() {
        let (relay, address) = served(RelayOptions {
            receipt: same(""),
            others: same("> {}"),
            ..RelayOptions::default()
        })
        .await;
        let mut reader = testing::connect(address, "/").await;
        assert_eq!(relay.send(Lang::Tr, "a"), None);
        assert_eq!(testing::text(&mut reader).await, "> a");
    }

    #[tokio::test]
    async fn announcements_come_to_everyone_in_their_language_again_and_again() {
        let options = RelayOptions {
            period: Some(Duration::from_millis(5)),
            ..RelayOptions::default()
        };
        let known = options.announcements.clone();
        let (relay, address) = served(options).await;
        let mut turkish = testing::connect(address, "/").await;
        let mut english = testing::connect(address, "/?lang=en").await;
        tokio::spawn(async move { relay.announce().await });
        for _ in 0..3 {
            let readers = [
                (&mut turkish, "SUNUCU: ", &known.tr),
                (&mut english, "SERVER: ", &known.en),
            ];
            for (reader, from, known) in readers {
                let said = testing::text(reader).await;
                let said = said.strip_prefix(from).expect(from);
                let (text, time) = said.split_at(said.len() - " [hh:mm:ss]".len());
                assert!(known.iter().any(|known| known == text), "{text}");
                assert_eq!(
                    time.replace(|c: char| c.is_ascii_digit(), "d"),
                    " [dd:dd:dd]"
                );
            }
        }
    }

    #[tokio::test]
    async fn nothing_is_announced_by_default() {
        // It ends at once: there is nothing to wait for.
        Relay::default().announce().await;
    }
}

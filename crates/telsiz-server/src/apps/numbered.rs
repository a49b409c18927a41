//! `numbered`: plain-text chat, the server numbers its clients. English always.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use telsiz::{Error, Prepared, Sender, Upgrade};

use super::{App, Mounting};
use crate::audience::{Audience, Member};
use crate::connections::Counted;
use crate::conversation::Conversation;
use crate::lang::{ByLang, Lang};
use crate::rate::Rate;
use crate::rules::{Rules, no_error_fields};

/// The app.
pub(crate) const APP: App = App {
    name: "numbered",
    pattern: "/numbered",
    about: ByLang {
        tr: "düz metin sohbet, sunucu istemcileri numaralar",
        en: "plain-text chat, the server numbers its clients",
    },
    schema: None,
    mount,
};

/// The clients of a mount.
#[derive(Debug, Default)]
struct Numbered {
    audience: Arc<Audience<()>>,
    /// The newest number; numbers are never used again.
    last: AtomicU64,
}

/// A client that the others were told of, and that they are told when it leaves,
/// however that happens.
struct Client {
    member: Member<()>,
    number: u64,
}

fn mount(mounting: Mounting<'_>) -> Mounting<'_> {
    let rules = mounting.site.rules(Rate::DEFAULT, no_error_fields);
    let numbered = Arc::new(Numbered {
        audience: Arc::new(Audience::counted_by(mounting.site.connections.traffic())),
        last: AtomicU64::new(0),
    });
    mounting.handle(move |upgrade, counted| chat(upgrade, rules.clone(), numbered.clone(), counted))
}

async fn chat(
    upgrade: Upgrade,
    rules: Arc<Rules>,
    numbered: Arc<Numbered>,
    counted: Counted,
) -> Result<(), Error> {
    let number = numbered.last.fetch_add(1, Ordering::Relaxed) + 1;
    let member = numbered.audience.join(());
    let mut conversation = Conversation::open(upgrade, rules, Lang::En, &counted).await?;
    let client = Client::announce(member, number, conversation.sender());
    while let Some(text) = conversation.next().await? {
        client.tell_others(format!("[{number}] {text}"));
    }
    Ok(())
}

impl Client {
    fn announce(member: Member<()>, number: u64, sender: Sender) -> Self {
        let welcome = Prepared::new(format!("Welcome to chat! Your ID: {number}"));
        let joined = Prepared::new(format!("User {number} joined"));
        member.open_with(sender, welcome, Some(&joined));
        Self { member, number }
    }

    fn tell_others(&self, text: String) {
        let message = Prepared::new(text);
        self.member.send_to_others(|()| Some(message.clone()));
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.tell_others(format!("User {} left", self.number));
    }
}

#[cfg(test)]
mod tests {
    use telsiz::CloseCode;

    use super::*;
    use crate::connections::Connections;
    use crate::testing::{self, closed, connect, serve, text};

    #[tokio::test]
    async fn a_panic_closes_its_connection_with_1011_and_is_a_leave_to_the_others() {
        let connections = Connections::default();
        let numbered = Arc::new(Numbered::default());
        let address = serve(|serve| {
            let (in_chat, in_panic) = (numbered.clone(), numbered.clone());
            let (chatting, panicking) = (connections.clone(), connections.clone());
            let rules = testing::site().rules(Rate::Off, no_error_fields);
            serve
                .route("/numbered", move |upgrade: Upgrade| {
                    chat(upgrade, rules.clone(), in_chat.clone(), chatting.count())
                })
                .route("/panic", move |upgrade: Upgrade| {
                    let member = in_panic.audience.join(());
                    let counted = panicking.count();
                    async move {
                        let ws = upgrade.accept().await.expect("open");
                        let (mut receiver, sender) = ws.split();
                        let _client = Client::announce(member, 7, sender);
                        let _counted = counted;
                        let heard = receiver.recv().await;
                        assert!(heard.is_err(), "what a bug looks like");
                    }
                })
        })
        .await;
        let mut bystander = connect(address, "/numbered").await;
        assert_eq!(text(&mut bystander).await, "Welcome to chat! Your ID: 1");
        let mut victim = connect(address, "/panic").await;
        assert_eq!(text(&mut bystander).await, "User 7 joined");
        assert_eq!(connections.number(), 2);
        assert_eq!(text(&mut victim).await, "Welcome to chat! Your ID: 7");
        victim.send("go").await.expect("sent");
        assert_eq!(closed(&mut victim).await.code(), CloseCode::INTERNAL_ERROR);
        assert_eq!(text(&mut bystander).await, "User 7 left");
        let mut newcomer = connect(address, "/numbered").await;
        assert_eq!(text(&mut newcomer).await, "Welcome to chat! Your ID: 2");
        assert_eq!(text(&mut bystander).await, "User 2 joined");
        assert_eq!(connections.number(), 2);
    }
}

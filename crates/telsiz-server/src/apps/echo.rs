//! `echo`: every message comes back unchanged.

use std::sync::Arc;

use telsiz::{Error, Upgrade};

use super::{App, Mounting};
use crate::connections::Counted;
use crate::conversation::Conversation;
use crate::lang::{ByLang, Lang};
use crate::rate::Rate;
use crate::rules::{Rules, no_error_fields, plain_too_large};

/// The app.
pub(crate) const APP: App = App {
    name: "echo",
    pattern: "/echo",
    about: ByLang {
        tr: "her mesaj olduğu gibi geri gelir",
        en: "every message comes back unchanged",
    },
    schema: None,
    mount,
};

fn mount(mounting: Mounting<'_>) -> Mounting<'_> {
    let site = mounting.site.clone();
    if mounting.mount.keys.rate_limit.is_some() {
        let rules = site.rules(Rate::Off, no_error_fields);
        return mounting.handle(move |upgrade, counted| {
            let lang = site.lang_of(&upgrade);
            echo_at_a_rate(upgrade, rules.clone(), lang, counted)
        });
    }
    let hit = site.connections.limits_hit();
    let options = site.limits.options(plain_too_large, hit);
    let options = site.connections.hear(options);
    mounting.handle(move |upgrade, counted| echo(upgrade.options(options.clone()), counted))
}

/// What an idle connection keeps is this future.
#[expect(
    clippy::manual_async_fn,
    reason = "an async function keeps its parameters twice"
)]
fn echo(upgrade: Upgrade, counted: Counted) -> impl Future<Output = Result<(), Error>> + Send {
    async move {
        let mut ws = upgrade.accept().await?;
        counted.accepted();
        ws.run(|message, replies| {
            let bytes = message.as_bytes().len();
            let traffic = counted.traffic();
            traffic.received(bytes);
            traffic.sent(1, bytes);
            replies.echo(message);
        })
        .await
    }
}

/// The same for a mount whose rates are limited.
async fn echo_at_a_rate(
    upgrade: Upgrade,
    rules: Arc<Rules>,
    lang: Lang,
    counted: Counted,
) -> Result<(), Error> {
    let mut conversation = Conversation::open(upgrade, rules, lang, &counted).await?;
    while let Some(message) = conversation.next_of_any_kind().await? {
        conversation.reply(message).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size_of_future<R>(_: fn(Upgrade, Counted) -> R) -> usize {
        size_of::<R>()
    }

    #[test]
    fn an_idle_connection_keeps_little() {
        let size = size_of_future(echo);
        assert!(size <= 88, "{size} bytes");
    }
}

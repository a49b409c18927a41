//! `broadcast`: every message goes to all other connections, unchanged.

use std::sync::Arc;

use telsiz::{Error, Prepared, Upgrade};

use super::{App, Mounting};
use crate::audience::Audience;
use crate::connections::Counted;
use crate::conversation::Conversation;
use crate::lang::{ByLang, Lang};
use crate::rate::Rate;
use crate::rules::{Rules, no_error_fields};

/// The app.
pub(crate) const APP: App = App {
    name: "broadcast",
    pattern: "/broadcast",
    about: ByLang {
        tr: "her mesaj diğer bütün bağlantılara gider",
        en: "every message goes to all other connections",
    },
    schema: None,
    mount,
};

fn mount(mounting: Mounting<'_>) -> Mounting<'_> {
    let site = mounting.site.clone();
    let rules = site.rules(Rate::Off, no_error_fields);
    let audience = Arc::new(Audience::counted_by(site.connections.traffic()));
    mounting.handle(move |upgrade, counted| {
        let lang = site.lang_of(&upgrade);
        broadcast(upgrade, rules.clone(), lang, audience.clone(), counted)
    })
}

async fn broadcast(
    upgrade: Upgrade,
    rules: Arc<Rules>,
    lang: Lang,
    audience: Arc<Audience<()>>,
    counted: Counted,
) -> Result<(), Error> {
    let member = audience.join(());
    let mut conversation = Conversation::open(upgrade, rules, lang, &counted).await?;
    member.open(conversation.sender());
    while let Some(message) = conversation.next_of_any_kind().await? {
        let message = Prepared::new(message);
        member.send_to_others(|()| Some(message.clone()));
    }
    Ok(())
}

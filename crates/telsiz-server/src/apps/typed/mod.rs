//! `typed`: every message is validated and answered to its sender alone.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use telsiz::{Error, Upgrade};

use super::{App, Mounting};
use crate::connections::Counted;
use crate::conversation::Conversation;
use crate::lang::{ByLang, Lang};
use crate::rate::Rate;
use crate::rules::Rules;

mod answer;
mod messages;
mod texts;

/// The app.
pub(crate) const APP: App = App {
    name: "typed",
    pattern: "/typed",
    about: ByLang {
        tr: "her mesaj denetlenir ve yalnız gönderenine yanıtlanır",
        en: "every message is validated and answered to its sender alone",
    },
    schema: Some(messages::schema),
    mount,
};

fn mount(mounting: Mounting<'_>) -> Mounting<'_> {
    let site = mounting.site.clone();
    let rules = site.rules(Rate::DEFAULT, error_fields);
    mounting.handle(move |upgrade, counted| {
        let lang = site.lang_of(&upgrade);
        serve(upgrade, rules.clone(), lang, counted)
    })
}

async fn serve(
    upgrade: Upgrade,
    rules: Arc<Rules>,
    lang: Lang,
    counted: Counted,
) -> Result<(), Error> {
    let mut conversation = Conversation::open(upgrade, rules, lang, &counted).await?;
    while let Some(text) = conversation.next().await? {
        if let Some(heard) = conversation.hear(&text).await? {
            conversation.reply(answer::answer(heard, lang)).await?;
        }
    }
    Ok(())
}

fn error_fields(text: &str) -> Map<String, Value> {
    let fields = [
        ("type", json!("system")),
        ("level", json!("error")),
        ("message", json!(text)),
    ];
    fields
        .map(|(name, value)| (name.to_owned(), value))
        .into_iter()
        .collect()
}

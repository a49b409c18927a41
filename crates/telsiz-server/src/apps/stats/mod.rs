//! `stats`: live figures of the machine and the server, once a second.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use telsiz::{Error, Upgrade};

use self::messages::FromServer;
use self::stream::Stream;
use super::{App, Mounting};
use crate::connections::Counted;
use crate::conversation::Conversation;
use crate::json::{Expected, Heard, WrongField};
use crate::lang::{ByLang, Lang};
use crate::rate::Rate;
use crate::rules::Rules;

mod messages;
mod sample;
mod stream;

/// The app.
pub(crate) const APP: App = App {
    name: "stats",
    pattern: "/metrics",
    about: ByLang {
        tr: "makinenin ve sunucunun canlı göstergeleri, saniyede bir",
        en: "live figures of the machine and the server, once a second",
    },
    schema: Some(messages::schema),
    mount,
};

fn mount(mounting: Mounting<'_>) -> Mounting<'_> {
    let site = mounting.site.clone();
    let rules = site.rules(Rate::DEFAULT, error_fields);
    let stream = Arc::new(Stream::of(&site));
    mounting.handle(move |upgrade, counted| {
        let lang = site.lang_of(&upgrade);
        serve(upgrade, rules.clone(), stream.clone(), lang, counted)
    })
}

async fn serve(
    upgrade: Upgrade,
    rules: Arc<Rules>,
    stream: Arc<Stream>,
    lang: Lang,
    counted: Counted,
) -> Result<(), Error> {
    let mut conversation = Conversation::open(upgrade, rules, lang, &counted).await?;
    // In a box: it is over soon, and each connection would keep room for it.
    let newest = Box::pin(stream.newest()).await;
    let _listener = stream.listen(conversation.sender(), newest);
    while let Some(text) = conversation.next().await? {
        if let Some(heard) = conversation.hear(&text).await? {
            conversation.reply(error(&wrong(heard, lang))).await?;
        }
    }
    Ok(())
}

/// What is wrong with a message: nothing is asked of this app.
fn wrong(heard: Heard<'_>, lang: Lang) -> String {
    let no_type = WrongField {
        field: "type",
        expected: Expected::OneOf(&["ping"]),
    };
    heard
        .object(lang)
        .map_or_else(|said| said, |_| no_type.sentence(lang))
}

fn error(message: &str) -> String {
    let error = FromServer::Error(messages::Error {
        r#type: messages::ErrorType::Error,
        message,
    });
    error.to_json()
}

fn error_fields(text: &str) -> Map<String, Value> {
    let fields = [("type", json!("error")), ("message", json!(text))];
    let fields = fields.map(|(name, value)| (name.to_owned(), value));
    fields.into_iter().collect()
}

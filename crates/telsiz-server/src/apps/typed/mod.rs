//! `typed`: every message is validated and answered to its sender alone.

use telsiz::{Error, Kind, Options, Upgrade};

use self::answer::Answer;
use super::{App, Mounting};
use crate::close;
use crate::connections::Counted;
use crate::lang::{ByLang, Lang};

mod answer;
mod fields;
mod object;
mod texts;

/// The app.
pub(crate) const APP: App = App {
    name: "typed",
    pattern: "/typed",
    about: ByLang {
        tr: "her mesaj denetlenir ve yalnız gönderenine yanıtlanır",
        en: "every message is validated and answered to its sender alone",
    },
    mount,
};

/// The app's own error fields, in what an oversized message is told.
const OWN_ERROR: &[(&str, &str)] = &[
    ("type", "system"),
    ("level", "error"),
    ("message", "Message too large"),
];

fn mount(mounting: Mounting) -> Mounting {
    let site = mounting.site.clone();
    let options = site.limits.options_with(OWN_ERROR);
    mounting.handle(&APP, move |upgrade, counted| {
        let lang = site.lang_of(&upgrade);
        serve(upgrade, options.clone(), lang, counted)
    })
}

async fn serve(
    upgrade: Upgrade,
    options: Options,
    lang: Lang,
    _counted: Counted,
) -> Result<(), Error> {
    let mut ws = upgrade.options(options).accept().await?;
    ws.run(|message, replies| match message.kind() {
        Kind::Text => {
            if let Some(text) = message.as_text()
                && let Answer::Text(answer) = answer::answer(text, lang)
            {
                replies.send(answer);
            }
        }
        Kind::Binary => replies.close(close::TEXT_ONLY),
    })
    .await
}

//! `rooms`: one connection, many rooms, commands in JSON.

use std::sync::Arc;

use telsiz::{Error, Upgrade};

use self::guest::Guest;
use self::messages::{FromClient, FromServer};
use super::{App, Mounting};
use crate::connections::Counted;
use crate::conversation::Conversation;
use crate::json::{Schema, WrongField};
use crate::lang::ByLang;
use crate::names;
use crate::rate::Rate;
use crate::rooms::Rooms;
use crate::rules::{Rules, Site};

mod asker;
mod guest;
mod messages;
mod refused;
mod request;
mod texts;

/// The app.
pub(crate) const APP: App = App {
    name: "rooms",
    pattern: "/ws/{client_id}",
    about: ByLang {
        tr: "tek bağlantı, çok oda, JSON komutları",
        en: "one connection, many rooms, commands in JSON",
    },
    schema: Some(|| Schema::of::<FromClient, FromServer<'_>>("rooms")),
    mount,
};

fn mount(mounting: Mounting<'_>) -> Mounting<'_> {
    let site = mounting.site.clone();
    let rules = site.rules_of_requests(
        Rate::DEFAULT,
        messages::error_fields,
        messages::request_fields,
    );
    mounting.handle(move |upgrade, counted| serve(upgrade, site.clone(), rules.clone(), counted))
}

async fn serve(
    upgrade: Upgrade,
    site: Arc<Site>,
    rules: Arc<Rules>,
    counted: Counted,
) -> Result<(), Error> {
    let who = match Who::read(&upgrade, &site.rooms) {
        Ok(who) => who,
        Err(wrong) => {
            Box::pin(site.turn_away(upgrade, &wrong)).await;
            return Ok(());
        }
    };
    let (worker, lang) = (upgrade.worker(), site.lang_of(&upgrade));
    let mut conversation = Conversation::open(upgrade, rules, lang, &counted).await?;
    let mut guest = Guest::new(who, site.rooms.clone(), worker, &conversation);
    counted.is(guest.user().clone(), Some(guest.connection()));
    while let Some(text) = conversation.next().await? {
        if let Some(heard) = conversation.hear(&text).await? {
            // In a box: an idle connection keeps no room for it.
            Box::pin(guest.answer(heard, &conversation)).await?;
        }
    }
    Ok(())
}

/// Who a client says it is.
#[derive(Debug)]
struct Who {
    id: String,
    name: String,
    takes_over: bool,
}

impl Who {
    fn read(upgrade: &Upgrade, rooms: &Rooms) -> Result<Self, Vec<WrongField>> {
        let id = upgrade.param("client_id");
        let id = id.filter(|id| !["", "undefined"].contains(id));
        let name = upgrade.query_param("username");
        let name = name.filter(|name| !name.is_empty());
        // What the server calls them needs no check.
        let given = [("client_id", id), ("username", name.as_deref())];
        let check = |(field, name): (_, Option<&str>)| {
            let name = name?;
            let checked = names::check_user(field, name);
            checked.and_then(|()| rooms.check_name(field, name)).err()
        };
        let wrong: Vec<_> = given.into_iter().filter_map(check).collect();
        let id = id.map_or_else(|| uuid::Uuid::new_v4().to_string(), str::to_owned);
        let name = name.unwrap_or_else(|| {
            let short: String = id.chars().take(8).collect();
            format!("User-{short}")
        });
        match wrong.is_empty() {
            true => Ok(Self {
                id,
                name,
                takes_over: upgrade.query_param("takeover").as_deref() == Some("1"),
            }),
            false => Err(wrong),
        }
    }
}

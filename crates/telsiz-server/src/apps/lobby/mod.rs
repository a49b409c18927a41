//! `lobby`: one room, nicknames, flat messages.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value};
use telsiz::{CloseFrame, Error, Prepared, Sender, Upgrade};
use telsiz_hub::User;

use self::messages::{FromClient, FromServer};
use super::{App, Mounting};
use crate::audience::{Audience, Member};
use crate::close;
use crate::connections::Counted;
use crate::conversation::Conversation;
use crate::json::{Heard, Object, sentence};
use crate::lang::{ByLang, Lang};
use crate::rate::Rate;
use crate::rooms::Rooms;
use crate::rules::Rules;

mod messages;
mod texts;

/// The app.
pub(crate) const APP: App = App {
    name: "lobby",
    pattern: "/chat",
    about: ByLang {
        tr: "takma adlarla tek odalı sohbet",
        en: "one room, nicknames",
    },
    schema: Some(messages::schema),
    mount,
};

/// The most code points of a nick.
const NICK: usize = 20;

/// The most code points of what is said at once.
const TEXT: usize = 500;

/// The room of a mount.
#[derive(Debug)]
struct Lobby {
    audience: Arc<Audience<()>>,
    /// Locked while somebody comes or goes, so that the others hear that in the order in which nicks
    /// are taken and given back.
    nicks: Mutex<HashSet<Arc<str>>>,
    announce_limit: usize,
    /// Of which the nicks are too.
    rooms: Rooms,
}

/// Somebody in the lobby, until this is dropped: then the others are told.
#[derive(Debug)]
struct Guest {
    lobby: Arc<Lobby>,
    member: Member<()>,
    nick: Arc<str>,
}

/// Why somebody cannot come in.
#[derive(Debug)]
struct TurnedAway {
    said: String,
    frame: CloseFrame,
}

fn mount(mounting: Mounting<'_>) -> Mounting<'_> {
    let site = mounting.site.clone();
    let rules = site.rules(Rate::DEFAULT, error_fields);
    let lobby = Arc::new(Lobby {
        audience: Arc::new(Audience::counted_by(site.connections.traffic())),
        nicks: Mutex::default(),
        announce_limit: site.announce_limit,
        rooms: site.rooms.clone(),
    });
    mounting.handle(move |upgrade, counted| {
        let lang = site.lang_of(&upgrade);
        serve(upgrade, rules.clone(), lobby.clone(), lang, counted)
    })
}

async fn serve(
    upgrade: Upgrade,
    rules: Arc<Rules>,
    lobby: Arc<Lobby>,
    lang: Lang,
    counted: Counted,
) -> Result<(), Error> {
    let mut conversation = Conversation::open(upgrade, rules, lang, &counted).await?;
    let Some(guest) = joined(&mut conversation, &lobby, lang).await? else {
        return Ok(());
    };
    counted.is(User::new(&guest.nick, &guest.nick), None);
    while let Some(text) = conversation.next().await? {
        let Some(heard) = conversation.hear(&text).await? else {
            continue;
        };
        match read(heard, lang) {
            Ok(FromClient::Chat { text }) => {
                guest.say(&text.0);
                conversation.keep_pace().await?;
            }
            Ok(FromClient::Join { .. }) => {
                conversation
                    .reply(error(texts::IN_ALREADY.of(lang)))
                    .await?;
            }
            Err(said) => conversation.reply(error(&said)).await?,
        }
    }
    Ok(())
}

/// Waits until somebody has joined; nothing if that came to nothing.
async fn joined(
    conversation: &mut Conversation,
    lobby: &Arc<Lobby>,
    lang: Lang,
) -> Result<Option<Guest>, Error> {
    while let Some(text) = conversation.next().await? {
        let Some(heard) = conversation.hear(&text).await? else {
            continue;
        };
        let turned_away = match heard {
            Heard::Object(object) if kind(&object) == "join" => {
                match FromClient::read("join", &object) {
                    Ok(FromClient::Join { nick }) => {
                        let sender = conversation.sender();
                        match lobby.let_in(&nick.0, sender, lang) {
                            Ok(guest) => return Ok(Some(guest)),
                            Err(turned_away) => turned_away,
                        }
                    }
                    Ok(FromClient::Chat { .. }) => TurnedAway::no_join(lang),
                    Err(wrong) => {
                        let said = sentence(&wrong, lang);
                        conversation.reply(error(&said)).await?;
                        continue;
                    }
                }
            }
            _ => TurnedAway::no_join(lang),
        };
        conversation.reply(error(&turned_away.said)).await?;
        conversation.close(turned_away.frame);
        break;
    }
    Ok(None)
}

/// The message of somebody who has joined, or what is wrong with it.
fn read(heard: Heard<'_>, lang: Lang) -> Result<FromClient, String> {
    let object = heard.object(lang)?;
    FromClient::read(&kind(&object), &object).map_err(|wrong| sentence(&wrong, lang))
}

/// A type that is absent is that of joining.
fn kind<'a>(object: &'a Object<'_>) -> Cow<'a, str> {
    object.kind().unwrap_or_else(|| "join".into())
}

fn error(said: &str) -> String {
    FromServer::Error {
        nick: texts::SERVER,
        text: said,
    }
    .to_json()
}

fn error_fields(text: &str) -> Map<String, Value> {
    let fields = [("type", "error"), ("nick", texts::SERVER), ("text", text)];
    let fields = fields.map(|(name, value)| (name.to_owned(), value.into()));
    fields.into_iter().collect()
}

impl TurnedAway {
    fn no_join(lang: Lang) -> Self {
        Self {
            said: texts::JOIN_FIRST.of(lang).to_owned(),
            frame: close::JOIN_FIRST,
        }
    }
}

impl Lobby {
    /// Lets somebody in, who reads `lang` and wants to be called `nick`.
    fn let_in(
        self: &Arc<Self>,
        nick: &str,
        sender: Sender,
        lang: Lang,
    ) -> Result<Guest, TurnedAway> {
        let nick = nick.trim();
        if nick.chars().any(char::is_control) {
            return Err(TurnedAway {
                said: texts::INVALID_NICK.of(lang).to_owned(),
                frame: close::INVALID_NICK,
            });
        }
        let nick = cut(nick, NICK);
        if let Err(wrong) = self.rooms.check_name("nick", nick) {
            return Err(TurnedAway {
                said: wrong.sentence(lang),
                frame: close::INVALID_NICK,
            });
        }
        let nick: Arc<str> = match nick {
            "" => texts::NOBODY.into(),
            nick => nick.into(),
        };
        let mut nicks = self.lock();
        if !nicks.insert(nick.clone()) {
            return Err(TurnedAway {
                said: texts::taken(&nick, lang),
                frame: close::NICK_TAKEN,
            });
        }
        let text = &texts::welcome(&nick, nicks.len(), lang);
        let nick_of_server = texts::SERVER;
        let info = FromServer::Info {
            nick: nick_of_server,
            text,
        };
        let join = FromServer::Join {
            nick: &nick,
            text: "",
        };
        let member = self.audience.join(());
        let others = (nicks.len() <= self.announce_limit).then(|| Prepared::new(join.to_json()));
        member.open_with(sender, Prepared::new(info.to_json()), others.as_ref());
        drop(nicks);
        Ok(Guest {
            lobby: self.clone(),
            member,
            nick,
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<Arc<str>>> {
        // A panic leaves at worst a nick that nobody has.
        self.nicks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Guest {
    /// Says something to everyone, itself too.
    fn say(&self, text: &str) {
        let chat = FromServer::Chat {
            nick: &self.nick,
            text: cut(text, TEXT),
        };
        let chat = Prepared::new(chat.to_json());
        self.lobby.audience.send_to_all(|()| Some(chat.clone()));
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut nicks = self.lobby.lock();
        if nicks.len() <= self.lobby.announce_limit {
            let leave = FromServer::Leave {
                nick: &self.nick,
                text: "",
            };
            let leave = Prepared::new(leave.to_json());
            self.member.send_to_others(|()| Some(leave.clone()));
        }
        nicks.remove(&self.nick);
    }
}

/// The first code points of `text`, at most so many.
fn cut(text: &str, most: usize) -> &str {
    let end = text.char_indices().nth(most);
    end.map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_at_code_points() {
        assert_eq!(cut("ğğğ", 2), "ğğ");
        assert_eq!(cut("ğğ", 2), "ğğ");
        assert_eq!(cut("ğ", 2), "ğ");
        assert_eq!(cut("", 2), "");
    }
}

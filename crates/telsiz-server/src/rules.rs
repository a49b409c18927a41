//! What holds for all connections of a mount.

use std::sync::Arc;
use std::time::Duration;

use http::header::{self, HeaderMap};
use serde_json::{Map, Value};
use telsiz::{Message, Options, Upgrade};

use crate::admission::Admission;
use crate::client_address::TrustedProxies;
use crate::connections::Connections;
use crate::lang::{ByLang, Lang};
use crate::limits::{AUDIENCE_BUFFER, Limits};
use crate::limits_hit::LimitsHit;
use crate::live::Live;
use crate::origin::Origins;
use crate::rate::Rate;
use crate::rate_limit::MountRate;
use crate::ready::Readiness;
use crate::rooms::Rooms;
use crate::stop::Stopping;
use crate::traffic::Traffic;

/// What all apps of a server share.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    /// The language of those who ask for none.
    pub(crate) lang: Live<Lang>,
    /// What a connection may send.
    pub(crate) limits: Limits,
    /// How many messages a connection may send.
    pub(crate) rate: Live<MountRate>,
    /// The pages that may use the server.
    pub(crate) origins: Arc<Origins>,
    /// The proxies that are believed: `trusted_proxies.client(…)` is whose request it is.
    pub(crate) trusted_proxies: TrustedProxies,
    /// How many may come.
    pub(crate) admission: Admission,
    /// Those that are open.
    pub(crate) connections: Connections,
    /// The rooms.
    pub(crate) rooms: Rooms,
    /// In rooms of more connections it is not announced who comes and goes: that would be most of what
    /// is said.
    pub(crate) announce_limit: usize,
    /// Whether it stops.
    pub(crate) stopping: Stopping,
    /// Whether it can do its work.
    pub(crate) readiness: Readiness,
}

/// Puts what an error says into the fields that errors of an app have. Of an app without such there
/// are none.
pub(crate) type ErrorFields = fn(&str) -> Map<String, Value>;

/// The fields by which an app tells the sender of this message that it is this that was one too many.
pub(crate) type RequestFields = fn(&str) -> Map<String, Value>;

/// What holds for all connections of a mount.
#[derive(Debug)]
pub(crate) struct Rules {
    /// By the language of the client, which the last words are in.
    pub(crate) options: ByLang<Options>,
    rate: Live<MountRate>,
    /// What the app has by itself.
    default_rate: Rate,
    error_fields: ErrorFields,
    request_fields: RequestFields,
    /// The messages of all connections.
    pub(crate) traffic: Traffic,
    /// The limits that all connections hit.
    pub(crate) limits_hit: LimitsHit,
    /// Whether clients are sent pings in JSON.
    pub(crate) json_ping: bool,
    /// How long a client may read nothing of what it asked for.
    pub(crate) patience: Option<Duration>,
}

impl Site {
    /// The rules of a mount. Messages of other connections may come to its connections.
    pub(crate) fn rules(&self, rate: Rate, error_fields: ErrorFields) -> Arc<Rules> {
        self.rules_of_requests(rate, error_fields, |_| Map::new())
    }

    /// As [`Site::rules`], of a mount where messages may be known by what they carry.
    pub(crate) fn rules_of_requests(
        &self,
        rate: Rate,
        error_fields: ErrorFields,
        request_fields: RequestFields,
    ) -> Arc<Rules> {
        let options = |lang| {
            let words = move |max| too_large(max, lang, error_fields);
            let hit = self.connections.limits_hit();
            let options = self.limits.options(words, hit);
            self.connections.hear(options).write_buffer(AUDIENCE_BUFFER)
        };
        Arc::new(Rules {
            options: ByLang {
                tr: options(Lang::Tr),
                en: options(Lang::En),
            },
            rate: self.rate.clone(),
            default_rate: rate,
            error_fields,
            request_fields,
            traffic: self.connections.traffic().clone(),
            limits_hit: self.connections.limits_hit().clone(),
            json_ping: self.limits.heartbeat.json_ping,
            patience: self.limits.heartbeat.ping_timeout,
        })
    }

    /// The language that a client reads.
    pub(crate) fn lang_of(&self, upgrade: &Upgrade) -> Lang {
        Lang::asked(upgrade.query_param("lang").as_deref()).unwrap_or(self.lang.copy())
    }

    /// The language of HTTP pages and errors.
    pub(crate) fn http_lang(&self, headers: &HeaderMap) -> Lang {
        let accepted = headers.get(header::ACCEPT_LANGUAGE);
        accepted
            .and_then(|value| value.to_str().ok())
            .and_then(Lang::accepted)
            .unwrap_or(self.lang.copy())
    }
}

impl Rules {
    /// How many messages each connection may send.
    pub(crate) fn rate(&self) -> Rate {
        self.rate.copy().of_app(self.default_rate)
    }

    /// What the sender of a message that was one too many is told.
    pub(crate) fn too_often(&self, message: &Message, retry_after: u64, lang: Lang) -> String {
        let said = match lang {
            Lang::Tr => {
                format!("Çok sık mesaj gönderdiniz; {retry_after} saniye sonra yeniden deneyin")
            }
            Lang::En => format!("Too many messages; try again in {retry_after} seconds"),
        };
        let mut error = (self.error_fields)(&said);
        if let Some(text) = message.as_text() {
            error.extend((self.request_fields)(text));
        }
        error.insert("error".into(), "Rate limit exceeded".into());
        error.insert("retry_after".into(), retry_after.into());
        Value::Object(error).to_string()
    }
}

/// Errors of an app that speaks no JSON have no fields of its own.
pub(crate) fn no_error_fields(_: &str) -> Map<String, Value> {
    Map::new()
}

/// What the sender of an oversized message is told.
pub(crate) fn too_large(max: usize, lang: Lang, error_fields: ErrorFields) -> String {
    let said = match lang {
        Lang::Tr => format!("Mesaj çok büyük: en çok {max} bayt"),
        Lang::En => format!("The message is too large: at most {max} bytes"),
    };
    let mut error = error_fields(&said);
    error.insert("error".into(), "Message too large".into());
    error.insert("max_size".into(), max.into());
    Value::Object(error).to_string()
}

/// The same to whom no app speaks.
pub(crate) fn plain_too_large(max: usize) -> String {
    too_large(max, Lang::En, no_error_fields)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::rate_limit::RateLimit;
    use crate::testing;

    fn error_fields(text: &str) -> Map<String, Value> {
        let fields = json!({"type": "error", "message": text});
        fields.as_object().cloned().unwrap_or_default()
    }

    #[test]
    fn errors_of_a_text_app_are_exactly_those_of_the_contract() {
        let expected = r#"{"error":"Message too large","max_size":65536}"#;
        assert_eq!(too_large(65_536, Lang::Tr, no_error_fields), expected);
        let rules = testing::site().rules(Rate::DEFAULT, no_error_fields);
        let expected = r#"{"error":"Rate limit exceeded","retry_after":7}"#;
        assert_eq!(rules.too_often(&Message::text(""), 7, Lang::En), expected);
    }

    #[test]
    fn errors_of_a_json_app_carry_its_own_fields_in_the_language_of_the_client() {
        let rules = testing::site().rules(Rate::DEFAULT, error_fields);
        for (lang, said) in [
            (
                Lang::Tr,
                "Çok sık mesaj gönderdiniz; 7 saniye sonra yeniden deneyin",
            ),
            (Lang::En, "Too many messages; try again in 7 seconds"),
        ] {
            let told: Value =
                serde_json::from_str(&rules.too_often(&Message::text(""), 7, lang)).expect("JSON");
            let expected = json!({
                "type": "error", "message": said, "error": "Rate limit exceeded", "retry_after": 7,
            });
            assert_eq!(told, expected);
        }
        let told: Value =
            serde_json::from_str(&too_large(9, Lang::Tr, error_fields)).expect("JSON");
        let expected = json!({
            "type": "error", "message": "Mesaj çok büyük: en çok 9 bayt",
            "error": "Message too large", "max_size": 9,
        });
        assert_eq!(told, expected);
    }

    #[test]
    fn rates_can_be_switched_off_for_all() {
        let site = testing::site();
        let rules = site.rules(Rate::DEFAULT, no_error_fields);
        assert_eq!(rules.rate(), Rate::DEFAULT);
        // While connections are open.
        let off = RateLimit::As(Rate::Off);
        site.rate.set(MountRate::new(None, off));
        assert_eq!(rules.rate(), Rate::Off);
    }
}

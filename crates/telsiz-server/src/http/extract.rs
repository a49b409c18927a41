//! The parts of requests besides their bodies: read, checked, and refused in the language of who
//! asks.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::StatusCode;
use axum::http::request::Parts;
use schemars::{JsonSchema, SchemaGenerator};
use telsiz_hub::RoomName;

use super::operation::{Described, Operation, Parameter, schema_of};
use super::{Http, Refusal};
use crate::json::{self, Expected, Field, WrongField};
use crate::lang::{ByLang, Lang};
use crate::names;
use crate::rooms::Number;

type State = Arc<Http>;

/// The language of pages and errors.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader(pub(super) Lang);

impl FromRequestParts<State> for Reader {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, http: &State) -> Result<Self, Infallible> {
        Ok(Self(http.lang_of(&parts.headers)))
    }
}

impl Described for Reader {
    fn describe(operation: &mut Operation) {
        operation.parameters.push(Parameter {
            place: "header",
            name: "Accept-Language",
            about: ByLang {
                tr: "sayfaların ve hataların dili: tr ya da en".into(),
                en: "the language of pages and errors: tr or en".into(),
            },
            schema: schema_of::<String>,
            example: "",
        });
    }
}

/// The language that an app is to speak: `?lang=`, else that of the server.
#[derive(Clone, Copy, Debug)]
pub(super) struct AppLang(pub(super) Lang);

impl FromRequestParts<State> for AppLang {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, http: &State) -> Result<Self, Infallible> {
        let asked = Lang::asked(query(parts, "lang").as_deref());
        Ok(Self(asked.unwrap_or(http.site.lang.copy())))
    }
}

impl Described for AppLang {
    fn describe(operation: &mut Operation) {
        operation.parameters.push(Parameter {
            place: "query",
            name: "lang",
            about: ByLang {
                tr: "uygulamanın konuşacağı dil, tr ya da en; başka bir değer yok sayılır".into(),
                en: "the language that the app is to speak, tr or en; another value is ignored"
                    .into(),
            },
            schema: schema_of::<String>,
            example: "",
        });
    }
}

/// Who may write.
#[derive(Clone, Copy, Debug)]
pub(super) struct Writer;

impl FromRequestParts<State> for Writer {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, http: &State) -> Result<Self, Refusal> {
        let remote = parts.extensions.get::<SocketAddr>().copied();
        let checked = http.write_access.check(&parts.headers, &parts.uri, remote);
        checked.map(|()| Self).map_err(|reason| {
            let lang = http.lang_of(&parts.headers);
            Refusal::new(StatusCode::FORBIDDEN, reason.explain(lang)).in_lang(lang)
        })
    }
}

impl Described for Writer {
    fn describe(operation: &mut Operation) {
        operation.writes = true;
        operation.refuses([StatusCode::FORBIDDEN]);
    }
}

/// The room that the path names.
#[derive(Debug)]
pub(super) struct Room(pub(super) RoomName);

impl FromRequestParts<State> for Room {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, http: &State) -> Result<Self, Refusal> {
        // What is no text is no name either.
        let name = text_of_path(parts, http).await.unwrap_or_default();
        let room = names::room("room_id", &name);
        room.map(Self)
            .map_err(|wrong| Refusal::wrong(&[wrong], http.lang_of(&parts.headers)))
    }
}

impl Described for Room {
    fn describe(operation: &mut Operation) {
        operation.parameters.push(Parameter {
            place: "path",
            name: "room_id",
            about: ByLang {
                tr: "odanın adı".into(),
                en: "the name of the room".into(),
            },
            schema: schema_of::<json::RoomName>,
            example: "genel",
        });
        operation.refuses([StatusCode::BAD_REQUEST]);
    }
}

/// The connection that the path names.
#[derive(Debug)]
pub(super) struct ConnectionIdOfPath(pub(super) String);

impl FromRequestParts<State> for ConnectionIdOfPath {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, http: &State) -> Result<Self, Infallible> {
        // What is no text is no id either.
        Ok(Self(text_of_path(parts, http).await.unwrap_or_default()))
    }
}

impl Described for ConnectionIdOfPath {
    fn describe(operation: &mut Operation) {
        operation.parameters.push(Parameter {
            place: "path",
            name: "id",
            about: ByLang {
                tr: "bağlantının listedeki kimliği".into(),
                en: "what the connection is known by in the list".into(),
            },
            schema: schema_of::<String>,
            example: "0-0",
        });
    }
}

/// The message that the path holds.
#[derive(Debug)]
pub(super) struct MessageOfPath(pub(super) String);

impl FromRequestParts<State> for MessageOfPath {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, http: &State) -> Result<Self, Refusal> {
        let message = text_of_path(parts, http).await;
        message.map(Self).ok_or_else(|| {
            let wrong = WrongField {
                field: "message",
                expected: Expected::Text,
            };
            Refusal::wrong(&[wrong], http.lang_of(&parts.headers))
        })
    }
}

impl Described for MessageOfPath {
    fn describe(operation: &mut Operation) {
        operation.parameters.push(Parameter {
            place: "path",
            name: "message",
            about: ByLang {
                tr: "gönderilecek metin".into(),
                en: "the text to send".into(),
            },
            schema: schema_of::<String>,
            example: "Merhaba",
        });
        operation.refuses([StatusCode::BAD_REQUEST]);
    }
}

/// Which page of a list, from 1, and how long a page is: `USUAL`, unless the query says so, and
/// `MOST` at most.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paging<const USUAL: usize, const MOST: usize> {
    pub(super) page: usize,
    pub(super) per_page: usize,
}

impl<const USUAL: usize, const MOST: usize> Paging<USUAL, MOST> {
    /// How many come before this page.
    pub(super) fn skip(self) -> usize {
        (self.page - 1).saturating_mul(self.per_page)
    }

    /// How many pages `total` takes: at least 1.
    pub(super) fn pages(self, total: usize) -> usize {
        total.div_ceil(self.per_page).max(1)
    }
}

impl<const USUAL: usize, const MOST: usize> FromRequestParts<State> for Paging<USUAL, MOST> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, http: &State) -> Result<Self, Refusal> {
        let mut wrong = Vec::new();
        let mut read = |field, usual| {
            let Some(value) = query(parts, field) else {
                return usual;
            };
            Number::read(Some(&value)).map_or_else(
                |expected| {
                    wrong.push(WrongField { field, expected });
                    usual
                },
                |Number(number)| number,
            )
        };
        let paging = Self {
            page: read("page", 1),
            per_page: read("per_page", USUAL).min(MOST),
        };
        match wrong.is_empty() {
            true => Ok(paging),
            false => Err(Refusal::wrong(&wrong, http.lang_of(&parts.headers))),
        }
    }
}

impl<const USUAL: usize, const MOST: usize> Described for Paging<USUAL, MOST> {
    fn describe(operation: &mut Operation) {
        fn number(usual: usize, generator: &mut SchemaGenerator) -> schemars::Schema {
            let mut schema = Number::json_schema(generator);
            schema.insert("default".into(), usual.into());
            schema
        }
        operation.parameters.extend([
            Parameter {
                place: "query",
                name: "page",
                about: ByLang {
                    tr: "kaçıncı sayfa, 1'den başlar".into(),
                    en: "which page, from 1".into(),
                },
                schema: |generator| number(1, generator),
                example: "",
            },
            Parameter {
                place: "query",
                name: "per_page",
                about: ByLang {
                    tr: format!(
                        "bir sayfada en çok kaç tane; {MOST} değerinden fazlası {MOST} sayılır"
                    ),
                    en: format!("how many a page has at most; more than {MOST} counts as {MOST}"),
                },
                schema: |generator| number(USUAL, generator),
                example: "",
            },
        ]);
        operation.refuses([StatusCode::BAD_REQUEST]);
    }
}

/// The parameter of the path, if it is text.
async fn text_of_path(parts: &mut Parts, http: &State) -> Option<String> {
    let path = Path::from_request_parts(parts, http).await;
    path.ok().map(|Path(text)| text)
}

/// The value of a query parameter; of one that comes twice the last.
fn query(parts: &Parts, name: &str) -> Option<String> {
    let all = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri).ok()?;
    let mut named = all.0.into_iter().rev().filter(|(known, _)| known == name);
    named.next().map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use crate::http::asking::{ask, get};
    use crate::testing;

    #[tokio::test]
    async fn a_page_that_is_no_number_from_1_is_named() {
        let site = testing::site();
        for (query, fields) in [
            ("?page=0", vec!["page"]),
            ("?page=-1", vec!["page"]),
            ("?page=1.5", vec!["page"]),
            ("?page=", vec!["page"]),
            ("?page=9007199254740992", vec!["page"]),
            ("?per_page=x", vec!["per_page"]),
            ("?page=%FF&per_page=0", vec!["page", "per_page"]),
            ("?page=1&page=x", vec!["page"]),
        ] {
            for path in ["/rooms", "/api/rooms/a/messages"] {
                let answer = ask(&site, None, get(&format!("{path}{query}"))).await;
                assert_eq!(answer.status, 400, "{path}{query}");
                let errors = answer.json["errors"].as_array().expect("errors").iter();
                let named: Vec<_> = errors.map(|error| error["field"].clone()).collect();
                assert_eq!(named, fields, "{path}{query}");
            }
        }
        for query in [
            "?page=1",
            "?page=9007199254740991",
            "?page=x&page=1",
            "?x=y",
        ] {
            let answer = ask(&site, None, get(&format!("/rooms{query}"))).await;
            assert_eq!(answer.status, 200, "{query}");
        }
    }
}

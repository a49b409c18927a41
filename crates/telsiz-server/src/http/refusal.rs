//! An HTTP answer that is an error (RFC 9457).

use std::time::Duration;

use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::{Response as HttpResponse, StatusCode};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;
use telsiz::Upgrade;

use super::operation::{Described, Operation};
use crate::json::{ToldField, WrongField, sentence, write};
use crate::lang::{ByLang, Lang};
use crate::ready::Unready;

/// What the body of such an answer is.
pub(super) const PROBLEM: &str = "application/problem+json";

/// An HTTP answer that is an error, with a body that says what was wrong.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    detail: String,
    errors: Option<Vec<ToldField>>,
    reasons: Option<Vec<Reason>>,
    lang: Option<Lang>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// What was wrong.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Problem<'a> {
    /// Always `about:blank`: the status says what kind of error it is.
    r#type: &'static str,
    /// What the status means.
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    /// As in the head of the answer.
    status: u16,
    /// What was wrong here, in the language that `Accept-Language` asks for.
    detail: &'a str,
    /// The fields that are wrong, if some are.
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<&'a [ToldField]>,
    /// Why the server is not ready, if that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    reasons: Option<&'a [Reason]>,
}

/// Something because of which the server is not ready.
#[derive(Debug, Serialize, JsonSchema)]
struct Reason {
    /// `stopping`, `storage` or `delivery`.
    check: &'static str,
    /// What is wrong, in the language that `Accept-Language` asks for.
    detail: String,
}

impl Refusal {
    /// An error with this status.
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status,
            detail: detail.into(),
            errors: None,
            reasons: None,
            lang: None,
            headers: Vec::new(),
        }
    }

    /// These fields are wrong.
    pub(crate) fn wrong(fields: &[WrongField], lang: Lang) -> Self {
        let told = fields.iter().map(|wrong| wrong.told(lang)).collect();
        let refusal = Self::new(StatusCode::BAD_REQUEST, sentence(fields, lang));
        Self {
            errors: Some(told),
            ..refusal.in_lang(lang)
        }
    }

    /// The server is not ready, for these reasons.
    pub(super) fn unready(reasons: &[Unready], lang: Lang) -> Self {
        let told = |reason: &Unready| Reason {
            check: reason.name(),
            detail: reason.explain(lang),
        };
        let told: Vec<_> = reasons.iter().map(told).collect();
        let all: Vec<_> = told.iter().map(|reason| &*reason.detail).collect();
        let all = all.join("; ");
        let detail = match lang {
            Lang::Tr => format!("Sunucu hazır değil: {all}"),
            Lang::En => format!("The server is not ready: {all}"),
        };
        let refusal = Self::new(StatusCode::SERVICE_UNAVAILABLE, detail).in_lang(lang);
        Self {
            reasons: Some(told),
            ..refusal
        }
    }

    /// With this status.
    pub(crate) fn status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// What it says is in this language.
    pub(crate) fn in_lang(self, lang: Lang) -> Self {
        let lang = Some(lang);
        Self { lang, ..self }
    }

    /// With this header.
    pub(super) fn header(mut self, name: HeaderName, value: &'static str) -> Self {
        self.headers.push((name, HeaderValue::from_static(value)));
        self
    }

    /// It is worth trying again after this time, and a second at least.
    pub(crate) fn retry_after(mut self, time: Duration) -> Self {
        let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
        self.headers
            .push((header::RETRY_AFTER, seconds.max(1).into()));
        self
    }

    /// Answers an upgrade with it, instead of a WebSocket.
    pub(crate) async fn answer(self, upgrade: Upgrade) {
        upgrade.refuse(self.into_http()).await;
    }

    fn into_http(self) -> HttpResponse<String> {
        let problem = Problem {
            r#type: "about:blank",
            title: self.lang.and_then(|lang| title(self.status, lang)),
            status: self.status.as_u16(),
            detail: &self.detail,
            errors: self.errors.as_deref(),
            reasons: self.reasons.as_deref(),
        };
        let mut response = HttpResponse::new(write(&problem));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM));
        if let Some(lang) = self.lang {
            let tag = HeaderValue::from_static(lang.tag());
            headers.insert(header::CONTENT_LANGUAGE, tag);
            let accepted = HeaderValue::from_static("accept-language");
            headers.append(header::VARY, accepted);
        }
        headers.extend(self.headers);
        response
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        self.into_http().map(Into::into)
    }
}

/// How a handler refuses by itself: with this status, or with that.
#[derive(Debug)]
pub(super) struct Refused<const THIS: u16, const THAT: u16 = THIS>(pub(super) Refusal);

impl<const THIS: u16, const THAT: u16> IntoResponse for Refused<THIS, THAT> {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

impl<const THIS: u16, const THAT: u16> Described for Refused<THIS, THAT> {
    fn describe(operation: &mut Operation) {
        let statuses = [THIS, THAT].into_iter();
        operation.refuses(statuses.flat_map(StatusCode::from_u16));
    }
}

/// What a status means.
pub(super) fn title(status: StatusCode, lang: Lang) -> Option<&'static str> {
    let title = match status {
        StatusCode::BAD_REQUEST => ByLang {
            tr: "Geçersiz istek",
            en: "Bad Request",
        },
        StatusCode::FORBIDDEN => ByLang {
            tr: "İzin yok",
            en: "Forbidden",
        },
        StatusCode::NOT_FOUND => ByLang {
            tr: "Bulunamadı",
            en: "Not Found",
        },
        StatusCode::METHOD_NOT_ALLOWED => ByLang {
            tr: "Bu yöntem kullanılamaz",
            en: "Method Not Allowed",
        },
        StatusCode::REQUEST_TIMEOUT => ByLang {
            tr: "İstek zamanında gelmedi",
            en: "Request Timeout",
        },
        StatusCode::PAYLOAD_TOO_LARGE => ByLang {
            tr: "İçerik çok büyük",
            en: "Content Too Large",
        },
        StatusCode::UNSUPPORTED_MEDIA_TYPE => ByLang {
            tr: "Desteklenmeyen içerik türü",
            en: "Unsupported Media Type",
        },
        StatusCode::UPGRADE_REQUIRED => ByLang {
            tr: "WebSocket gerekli",
            en: "Upgrade Required",
        },
        StatusCode::INTERNAL_SERVER_ERROR => ByLang {
            tr: "Sunucu hatası",
            en: "Internal Server Error",
        },
        StatusCode::SERVICE_UNAVAILABLE => ByLang {
            tr: "Hizmet şu anda verilemiyor",
            en: "Service Unavailable",
        },
        _ => return status.canonical_reason(),
    };
    Some(title.of(lang))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::json::Expected;

    fn told(refusal: Refusal) -> (HttpResponse<()>, Value) {
        let (head, body) = refusal.into_http().into_parts();
        let body = serde_json::from_str(&body).expect("JSON");
        (HttpResponse::from_parts(head, ()), body)
    }

    #[test]
    fn it_is_a_problem_in_the_language_of_the_reader() {
        for (lang, title) in [(Lang::Tr, "Bulunamadı"), (Lang::En, "Not Found")] {
            let refusal = Refusal::new(StatusCode::NOT_FOUND, "x").in_lang(lang);
            let (head, body) = told(refusal);
            let expected =
                json!({"type": "about:blank", "title": title, "status": 404, "detail": "x"});
            assert_eq!(body, expected);
            assert_eq!(head.headers()["content-type"], "application/problem+json");
            assert_eq!(head.headers()["content-language"], lang.tag());
        }
    }

    #[test]
    fn who_asks_whether_the_server_is_ready_learns_all_that_is_wrong() {
        let reasons = [
            Unready::Stopping,
            Unready::Storage("the disk is full".into()),
        ];
        let (head, body) = told(Refusal::unready(&reasons, Lang::En));
        assert_eq!(head.status(), 503);
        let storage = "what is said cannot be stored: the disk is full";
        let detail = format!("The server is not ready: the server is stopping; {storage}");
        assert_eq!(body["detail"], detail);
        let reasons = json!([
            {"check": "stopping", "detail": "the server is stopping"},
            {"check": "storage", "detail": storage},
        ]);
        assert_eq!(body["reasons"], reasons);
    }

    #[test]
    fn wrong_fields_are_named_with_what_was_expected() {
        let wrong = |field| WrongField {
            field,
            expected: Expected::Text,
        };
        let refusal = Refusal::wrong(&[wrong("message"), wrong("username")], Lang::En);
        let (head, body) = told(refusal);
        assert_eq!(head.status(), 400);
        let detail = "message: expected a text; username: expected a text";
        assert_eq!(body["detail"], detail);
        let errors = json!([
            {"field": "message", "expected": "a text"},
            {"field": "username", "expected": "a text"},
        ]);
        assert_eq!(body["errors"], errors);
    }
}

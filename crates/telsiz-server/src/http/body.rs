//! The bodies of requests: read, checked, and refused in the language of who asks.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};
use schemars::JsonSchema;
use tokio::time::timeout;

use super::operation::{self, Described, Operation, schema_of};
use super::{Http, Refusal};
use crate::json::{Heard, Object, WrongField};
use crate::lang::{ByLang, Lang};

/// How long a body may take to come.
const BODY_TIME: Duration = Duration::from_secs(30);

/// A body in JSON, whatever its type is said to be.
#[derive(Debug)]
pub(super) struct Body<T>(pub(super) T);

/// What a body can be.
pub(super) trait FromBody: JsonSchema + Sized {
    /// One that can be sent.
    const EXAMPLE: &str;

    /// Reads it, or tells all fields that are wrong.
    fn read(object: &Object<'_>) -> Result<Self, Vec<WrongField>>;

    /// The message in it, whose size is limited.
    fn message(&self) -> &str;
}

impl<T: FromBody> FromRequest<Arc<Http>> for Body<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, http: &Arc<Http>) -> Result<Self, Refusal> {
        const ENCODED: ByLang<&str> = ByLang {
            tr: "Gövdeyi sıkıştırmadan, Content-Encoding başlığı olmadan gönderin",
            en: "Send the body as it is, without Content-Encoding",
        };
        const NO_JSON: ByLang<&str> = ByLang {
            tr: "Gövde JSON olmalı",
            en: "The body must be JSON",
        };
        const SLOW: ByLang<&str> = ByLang {
            tr: "Gövde zamanında gelmedi",
            en: "The body did not come in time",
        };
        let lang = http.lang_of(request.headers());
        let refuse = |status, detail: String| Refusal::new(status, detail).in_lang(lang);
        let encoding = request.headers().get(header::CONTENT_ENCODING);
        if encoding.is_some_and(|encoding| encoding != "identity") {
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return Err(refuse(status, ENCODED.of(lang).into()));
        }
        let body = timeout(BODY_TIME, Bytes::from_request(request, http)).await;
        let slow = || refuse(StatusCode::REQUEST_TIMEOUT, SLOW.of(lang).into());
        let body = body.map_err(|_| slow())?;
        let body = body.map_err(|error| match error.status() {
            StatusCode::PAYLOAD_TOO_LARGE => http.too_large(lang),
            status => refuse(status, error.body_text()),
        })?;
        let no_json = || {
            let example = T::EXAMPLE;
            let detail = format!("{}: {example}", NO_JSON.of(lang));
            refuse(StatusCode::BAD_REQUEST, detail)
        };
        let text = std::str::from_utf8(&body).map_err(|_| no_json())?;
        let read = match Heard::read(text) {
            Heard::Object(object) => T::read(&object),
            Heard::NoObject => Err(vec![WrongField::NO_OBJECT]),
            Heard::NoJson => return Err(no_json()),
        };
        let read = read.map_err(|wrong| Refusal::wrong(&wrong, lang))?;
        http.check_size(read.message(), lang)?;
        Ok(Self(read))
    }
}

impl<T: FromBody> Described for Body<T> {
    fn describe(operation: &mut Operation) {
        operation.body = Some(operation::Body {
            content: operation::Content {
                media_type: "application/json",
                schema: schema_of::<T>,
            },
            example: T::EXAMPLE,
        });
        operation.refuses([
            StatusCode::BAD_REQUEST,
            StatusCode::REQUEST_TIMEOUT,
            StatusCode::PAYLOAD_TOO_LARGE,
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ]);
    }
}

impl Http {
    /// Refuses a message that is too large for an app.
    pub(super) fn check_size(&self, message: &str, lang: Lang) -> Result<(), Refusal> {
        match message.len() > self.site.limits.max_message_size {
            true => Err(self.too_large(lang)),
            false => Ok(()),
        }
    }

    fn too_large(&self, lang: Lang) -> Refusal {
        let max = self.site.limits.max_message_size;
        let detail = match lang {
            Lang::Tr => format!("Mesaj çok büyük: en çok {max} bayt"),
            Lang::En => format!("The message is too large: at most {max} bytes"),
        };
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, detail).in_lang(lang)
    }
}

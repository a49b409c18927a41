//! `/send`: through the relay as a client would.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use serde::{Deserialize, Serialize};
use serde_json::{Value, from_slice};

use super::{Http, Refusal};
use crate::lang::{ByLang, Lang};

/// The message is none.
const NO_TEXT: ByLang<&str> = ByLang {
    tr: "message: bir metin bekleniyordu",
    en: "message: a text was expected",
};

/// What `/send` answers.
#[derive(Debug, Serialize)]
pub(super) struct Sent {
    sent: String,
    response: String,
}

/// The query of `/send`.
#[derive(Debug, Deserialize)]
pub(super) struct Params {
    /// The language that the client reads.
    lang: Option<String>,
}

/// `GET /send/{message}`.
pub(super) async fn by_get(
    State(http): State<Arc<Http>>,
    message: Result<Path<String>, PathRejection>,
    params: Result<Query<Params>, QueryRejection>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Json<Sent>, Refusal> {
    http.check_write(&headers, &uri)?;
    let lang = http.lang_of(&headers);
    let Path(message) =
        message.map_err(|_| Refusal::new(StatusCode::BAD_REQUEST, NO_TEXT.of(lang)))?;
    http.send(message, params.ok(), &headers)
}

/// `POST /send` with `{"message"}`, whatever the type of the body is said to be.
pub(super) async fn by_post(
    State(http): State<Arc<Http>>,
    params: Result<Query<Params>, QueryRejection>,
    headers: HeaderMap,
    uri: Uri,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Sent>, Refusal> {
    http.check_write(&headers, &uri)?;
    let lang = http.lang_of(&headers);
    let body = body.map_err(|error| match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => too_large(http.site.limits.max_message_size, lang),
        status => Refusal::new(status, error.body_text()),
    })?;
    let message = message(&body, lang)?;
    http.send(message, params.ok(), &headers)
}

fn message(body: &[u8], lang: Lang) -> Result<String, Refusal> {
    const JSON: ByLang<&str> = ByLang {
        tr: "Gövde JSON olmalı: {\"message\":\"…\"}",
        en: "The body must be JSON: {\"message\":\"…\"}",
    };
    let body: Value =
        from_slice(body).map_err(|_| Refusal::new(StatusCode::BAD_REQUEST, JSON.of(lang)))?;
    match body.get("message") {
        Some(Value::String(message)) => Ok(message.clone()),
        _ => Err(Refusal::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            NO_TEXT.of(lang),
        )),
    }
}

impl Http {
    fn check_write(&self, headers: &HeaderMap, uri: &Uri) -> Result<(), Refusal> {
        let checked = self.write_access.check(headers, uri);
        checked.map_err(|reason| {
            Refusal::new(StatusCode::FORBIDDEN, reason.explain(self.lang_of(headers)))
        })
    }

    fn send(
        &self,
        message: String,
        params: Option<Query<Params>>,
        headers: &HeaderMap,
    ) -> Result<Json<Sent>, Refusal> {
        const NO_RELAY: ByLang<&str> = ByLang {
            tr: "WebSocket hatası: bu sunucuda relay uygulaması yok",
            en: "WebSocket error: this server has no relay",
        };
        const NO_RECEIPT: ByLang<&str> = ByLang {
            tr: "WebSocket hatası: relay yanıt vermeyecek biçimde ayarlanmış",
            en: "WebSocket error: the relay is set to give no receipt",
        };
        let lang = self.lang_of(headers);
        let failed = |detail: ByLang<&'static str>| {
            Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, detail.of(lang))
        };
        let max = self.site.limits.max_message_size;
        if message.len() > max {
            return Err(too_large(max, lang));
        }
        let relay = self.relay.as_ref().ok_or_else(|| failed(NO_RELAY))?;
        let asked = params.and_then(|Query(params)| Lang::asked(params.lang.as_deref()));
        let response = relay
            .send(asked.unwrap_or(self.site.lang), &message)
            .ok_or_else(|| failed(NO_RECEIPT))?;
        Ok(Json(Sent {
            sent: message,
            response,
        }))
    }
}

fn too_large(max: usize, lang: Lang) -> Refusal {
    let detail = match lang {
        Lang::Tr => format!("Mesaj çok büyük: en çok {max} bayt"),
        Lang::En => format!("The message is too large: at most {max} bytes"),
    };
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use serde_json::json;
    use tower::ServiceExt;

    use super::*;
    use crate::apps::Relay;
    use crate::testing;

    async fn ask(relay: Option<Relay>, request: Request<Body>) -> (u16, Value) {
        let mut site = testing::site();
        site.limits.max_message_size = 10;
        let http = Http::new(Arc::new(site), Vec::new(), relay.map(Arc::new), None);
        let response = http.router().oneshot(request).await.expect("an answer");
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), 10_000)
            .await
            .expect("a body");
        (status, from_slice(&body).expect("JSON"))
    }

    fn post(body: &str) -> Request<Body> {
        let request = Request::post("/send").header("host", "localhost");
        let body = Body::from(body.to_owned());
        request.body(body).expect("a request")
    }

    fn get(path: &str) -> Request<Body> {
        let request = Request::get(path).header("host", "localhost");
        request.body(Body::empty()).expect("a request")
    }

    #[tokio::test]
    async fn it_answers_with_the_receipt_in_the_language_that_is_asked_for() {
        let relay = || Some(Relay::default());
        assert_eq!(
            ask(relay(), get("/send/a%2Fb%20%C4%9F")).await,
            (
                200,
                json!({"sent": "a/b ğ", "response": "Mesajınız: a/b ğ"})
            )
        );
        assert_eq!(ask(relay(), get("/send/a?lang=en&lang=xx")).await.0, 200);
        assert_eq!(
            ask(relay(), get("/send/a?lang=en")).await.1["response"],
            "Your message: a"
        );
        assert_eq!(
            ask(relay(), post(r#"{"message":""}"#)).await,
            (200, json!({"sent": "", "response": "Mesajınız: "}))
        );
    }

    #[tokio::test]
    async fn without_an_answer_it_is_500_with_a_detail() {
        for relay in [None, Some(Relay::without_receipt())] {
            let (status, body) = ask(relay, get("/send/a")).await;
            let detail = body["detail"].as_str().expect("a detail");
            assert_eq!(status, 500);
            assert!(detail.starts_with("WebSocket hatası: "), "{detail}");
        }
    }

    #[tokio::test]
    async fn a_body_that_is_no_message_is_told_what_is_expected() {
        for (body, status, named) in [
            ("no json", 400, "message"),
            ("{}", 422, "message"),
            (r#"{"message":5}"#, 422, "message"),
            ("[]", 422, "message"),
            (r#"{"message":"12345678901"}"#, 413, "10"),
            (
                &format!(r#"{{"message":"{}"}}"#, "x".repeat(2000)),
                413,
                "10",
            ),
        ] {
            let (code, answer) = ask(Some(Relay::default()), post(body)).await;
            let detail = answer["detail"].as_str().expect("a detail");
            assert_eq!(code, status, "{body}");
            assert!(detail.contains(named), "{detail}");
        }
    }

    #[tokio::test]
    async fn a_body_may_have_six_times_the_limit_and_1_kib() {
        let most = 6 * 10 + 1024;
        for (len, status) in [(most - 1, 200), (most, 200), (most + 1, 413)] {
            let body = r#"{"message":"1234567890"}"#;
            let body = format!("{body}{}", " ".repeat(len - body.len()));
            assert_eq!(
                ask(Some(Relay::default()), post(&body)).await.0,
                status,
                "{len}"
            );
        }
        for (text, status) in [
            ("123456789", 200),
            ("1234567890", 200),
            ("12345678901", 413),
        ] {
            let answer = ask(Some(Relay::default()), get(&format!("/send/{text}"))).await;
            assert_eq!(answer.0, status, "{text}");
        }
    }

    #[tokio::test]
    async fn a_path_that_is_no_text_is_told_so() {
        let (status, answer) = ask(Some(Relay::default()), get("/send/%FF")).await;
        let detail = json!({"detail": "message: bir metin bekleniyordu"});
        assert_eq!((status, answer), (400, detail));
    }

    #[tokio::test]
    async fn a_message_of_exactly_the_limit_passes_however_it_is_spelled() {
        let spelled =
            r#"{"message":"\u0061\u0061\u0061\u0061\u0061\u0061\u0061\u0061\u0061\u0061"}"#;
        let (status, answer) = ask(Some(Relay::default()), post(spelled)).await;
        assert_eq!((status, &answer["sent"]), (200, &json!("aaaaaaaaaa")));
    }

    #[tokio::test]
    async fn who_may_not_write_is_told_how_in_its_language() {
        for (accepted, start) in [("tr", "İsteğin"), ("en", "The Host")] {
            let request = Request::get("/send/a")
                .header("host", "example.com")
                .header("accept-language", accepted);
            let request = request.body(Body::empty()).expect("a request");
            let (status, answer) = ask(Some(Relay::default()), request).await;
            let detail = answer["detail"].as_str().expect("a detail");
            assert_eq!(status, 403);
            assert!(
                detail.starts_with(start) && detail.contains("TELSIZ_API_KEY"),
                "{detail}"
            );
        }
    }
}

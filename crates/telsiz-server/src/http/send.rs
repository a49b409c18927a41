//! `/send`: through the relay as a client would.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;

use super::body::{Body, FromBody};
use super::extract::{AppLang, MessageOfPath, Reader, Writer};
use super::refusal::Refused;
use super::{Http, Refusal};
use crate::json::{Fields, Object, WrongField};
use crate::lang::{ByLang, Lang};

/// What `/send` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Sent {
    sent: String,
    response: String,
}

/// Something to be sent.
#[derive(Debug, JsonSchema)]
pub(super) struct Sending {
    message: String,
}

impl FromBody for Sending {
    const EXAMPLE: &str = r#"{"message":"Merhaba!"}"#;

    fn read(object: &Object<'_>) -> Result<Self, Vec<WrongField>> {
        let mut fields = Fields::new(object);
        let message = fields.read("message");
        fields.finish(|| Some(Self { message: message? }))
    }

    fn message(&self) -> &str {
        &self.message
    }
}

/// Nothing was sent.
type Unsent = Refused<413, 500>;

/// `GET /send/{message}`.
pub(super) async fn by_get(
    State(http): State<Arc<Http>>,
    Reader(reader): Reader,
    _: Writer,
    app: AppLang,
    MessageOfPath(message): MessageOfPath,
) -> Result<Json<Sent>, Unsent> {
    http.check_size(&message, reader).map_err(Refused)?;
    http.send(message, app, reader)
}

/// `POST /send` with `{"message"}`.
pub(super) async fn by_post(
    State(http): State<Arc<Http>>,
    Reader(reader): Reader,
    _: Writer,
    app: AppLang,
    Body(sending): Body<Sending>,
) -> Result<Json<Sent>, Unsent> {
    http.send(sending.message, app, reader)
}

impl Http {
    fn send(
        &self,
        message: String,
        AppLang(app): AppLang,
        reader: Lang,
    ) -> Result<Json<Sent>, Unsent> {
        const NO_RELAY: ByLang<&str> = ByLang {
            tr: "WebSocket hatası: bu sunucuda relay uygulaması yok",
            en: "WebSocket error: this server has no relay",
        };
        const NO_RECEIPT: ByLang<&str> = ByLang {
            tr: "WebSocket hatası: relay yanıt vermeyecek biçimde ayarlanmış",
            en: "WebSocket error: the relay is set to give no receipt",
        };
        let failed = |detail: ByLang<&'static str>| {
            let refusal = Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, detail.of(reader));
            Refused(refusal.in_lang(reader))
        };
        let relay = self.relay.as_ref().ok_or_else(|| failed(NO_RELAY))?;
        let response = relay
            .send(app, &message)
            .ok_or_else(|| failed(NO_RECEIPT))?;
        Ok(Json(Sent {
            sent: message,
            response,
        }))
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::{HeaderValue, Request};
    use serde_json::{Value, json};

    use crate::apps::Relay;
    use crate::http::asking::{self, get, post as post_to};
    use crate::testing;

    async fn ask(relay: Option<Relay>, request: Request<Body>) -> (u16, Value) {
        let mut site = testing::site();
        site.limits.max_message_size = 10;
        let answer = asking::ask(&site, relay, request).await;
        (answer.status, answer.json)
    }

    fn post(body: &str) -> Request<Body> {
        post_to("/send", body)
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
        for (accepted, start) in [("tr", "WebSocket hatası: "), ("en", "WebSocket error: ")] {
            for relay in [None, Some(Relay::without_receipt())] {
                let mut request = get("/send/a");
                let accepted = HeaderValue::from_static(accepted);
                request.headers_mut().insert("accept-language", accepted);
                let (status, body) = ask(relay, request).await;
                let detail = body["detail"].as_str().expect("a detail");
                assert_eq!(status, 500);
                assert!(detail.starts_with(start), "{detail}");
            }
        }
    }

    #[tokio::test]
    async fn a_body_that_is_no_message_is_told_what_is_expected() {
        for (body, status, named) in [
            ("no json", 400, "message"),
            ("{}", 400, "message"),
            (r#"{"message":5}"#, 400, "message"),
            ("[]", 400, "object"),
            (r#"{"message":"12345678901"}"#, 413, "10"),
            (
                &format!(r#"{{"message":"{}"}}"#, "x".repeat(5000)),
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
    async fn a_body_may_have_six_times_the_limit_and_4_kib() {
        let most = 6 * 10 + 4096;
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
        assert_eq!(status, 400);
        let errors = json!([{"field": "message", "expected": "a text"}]);
        assert_eq!(answer["errors"], errors);
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

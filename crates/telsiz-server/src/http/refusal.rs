//! An HTTP answer that is an error.

use axum::Json;
use axum::http::header::{self, HeaderValue};
use axum::http::{Response as HttpResponse, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use telsiz::Upgrade;

/// An HTTP answer that is an error, with a body that says what was wrong.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    detail: String,
}

impl Refusal {
    /// An error with this status.
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status,
            detail: detail.into(),
        }
    }

    /// Answers an upgrade with it, instead of a WebSocket.
    pub(crate) async fn answer(self, upgrade: Upgrade) {
        let mut response = HttpResponse::new(self.body().to_string());
        *response.status_mut() = self.status;
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        upgrade.refuse(response).await;
    }

    fn body(&self) -> Value {
        json!({ "detail": self.detail })
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, Json(self.body())).into_response()
    }
}

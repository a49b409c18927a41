//! `/openapi.json`, and `/docs`: a page to try the operations on.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use schemars::json_schema;

use super::Http;
use super::extract::Reader;
use super::openapi::document;
use super::operation::{Described, Operation, schema_of};
use super::routes::Routes;
use crate::config::Mount;
use crate::lang::{ByLang, Lang};

mod page;

/// What documents the operations, made once.
#[derive(Debug, Default)]
pub(super) struct Documents {
    openapi: ByLang<Bytes>,
    page: ByLang<Bytes>,
}

/// An OpenAPI document.
#[derive(Debug)]
struct OpenApi(Bytes);

/// A page.
#[derive(Debug)]
struct Page(Bytes);

impl Documents {
    /// Documents `operations`, and names what is mounted beside them.
    pub(super) fn of(operations: &[Operation], mounts: &[Mount]) -> Self {
        let openapi = |lang| document(operations, mounts, lang).to_string().into();
        let page = |lang| page::page(operations, lang).into();
        Self {
            openapi: ByLang {
                tr: openapi(Lang::Tr),
                en: openapi(Lang::En),
            },
            page: ByLang {
                tr: page(Lang::Tr),
                en: page(Lang::En),
            },
        }
    }
}

/// Adds the documentation, of which it is a part itself.
pub(super) fn add(routes: Routes) -> Routes {
    let routes = routes
        .get(
            "/openapi.json",
            ByLang {
                tr: "Bu işlemlerin OpenAPI belgesi",
                en: "The OpenAPI document of these operations",
            },
            openapi,
        )
        .get(
            "/docs",
            ByLang {
                tr: "Bu işlemleri denemek için bir sayfa",
                en: "A page to try these operations on",
            },
            docs,
        );
    page::add_assets(routes)
}

async fn openapi(State(http): State<Arc<Http>>, Reader(lang): Reader) -> OpenApi {
    OpenApi(http.documents.openapi.get(lang).clone())
}

async fn docs(State(http): State<Arc<Http>>, Reader(lang): Reader) -> Page {
    Page(http.documents.page.get(lang).clone())
}

impl IntoResponse for OpenApi {
    fn into_response(self) -> Response {
        let headers = [
            (header::CONTENT_TYPE, "application/json"),
            (header::CACHE_CONTROL, "no-cache"),
            (header::VARY, "accept-language"),
        ];
        (headers, self.0).into_response()
    }
}

impl Described for OpenApi {
    fn describe(operation: &mut Operation) {
        operation.answers("application/json", |_| json_schema!({ "type": "object" }));
    }
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let headers = [
            (header::CONTENT_TYPE, "text/html; charset=utf-8"),
            (header::CACHE_CONTROL, "no-cache"),
            (header::VARY, "accept-language"),
            (header::CONTENT_SECURITY_POLICY, page::POLICY),
        ];
        (headers, self.0).into_response()
    }
}

impl Described for Page {
    fn describe(operation: &mut Operation) {
        operation.answers("text/html", schema_of::<String>);
    }
}

//! `/schemas/APP.json`: the JSON schema of an app.

use axum::body::Bytes;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use schemars::json_schema;

use super::operation::{Described, Operation};
use super::routes::Routes;
use crate::apps::{APPS, App};
use crate::config::Mount;
use crate::lang::ByLang;

/// A JSON schema.
#[derive(Debug)]
struct SchemaFile(Bytes);

/// Where the schema of an app is.
pub(super) fn path(app: &App) -> String {
    format!("/schemas/{}.json", app.name)
}

/// Adds the schemas of those apps that are mounted and speak JSON.
pub(super) fn add(routes: Routes, mounts: &[Mount]) -> Routes {
    const ABOUT: ByLang<&str> = ByLang {
        tr: "Bir uygulamanın iletilerinin JSON şeması",
        en: "The JSON schema of the messages of an app",
    };
    // An app may be mounted many times.
    let is_mounted = |app: &App| mounts.iter().any(|mount| mount.app().name == app.name);
    let apps = APPS.into_iter().filter(|app| is_mounted(app));
    apps.fold(routes, |routes, app| {
        let Some(schema) = app.schema else {
            return routes;
        };
        let schema = Bytes::from(schema().into_json().to_string());
        routes.get(&path(app), ABOUT, move || {
            let schema = schema.clone();
            async move { SchemaFile(schema) }
        })
    })
}

impl IntoResponse for SchemaFile {
    fn into_response(self) -> Response {
        let headers = [
            (header::CONTENT_TYPE, "application/schema+json"),
            (header::CACHE_CONTROL, "no-cache"),
        ];
        (headers, self.0).into_response()
    }
}

impl Described for SchemaFile {
    fn describe(operation: &mut Operation) {
        operation.answers(
            "application/schema+json",
            |_| json_schema!({ "type": "object" }),
        );
    }
}

//! `/schemas/APP.json`: the JSON schema of an app.

use axum::Router;
use axum::body::Bytes;
use axum::http::header;
use axum::routing::get;

use crate::apps::App;

/// Adds the schemas of those `apps` that speak JSON.
pub(super) fn route<S: Clone + Send + Sync + 'static>(
    router: Router<S>,
    apps: &[&App],
) -> Router<S> {
    apps.iter().fold(router, |router, app| {
        let Some(schema) = app.schema else {
            return router;
        };
        let schema = Bytes::from(schema().into_json().to_string());
        let media_type = [(header::CONTENT_TYPE, "application/schema+json")];
        let answer = move || async move { (media_type, schema.clone()) };
        router.route(&format!("/schemas/{}.json", app.name), get(answer))
    })
}

//! The document that describes the operations (OpenAPI 3.1), made of what they say of themselves.

use axum::http::{Method, StatusCode};
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::operation::{Content, Operation};
use super::refusal::{PROBLEM, Problem, title};
use super::schemas;
use crate::config::Mount;
use crate::lang::{ByLang, Lang};

const ABOUT: ByLang<&str> = ByLang {
    tr: "Odalar, üyeleri ve söylenenler; WebSocket uygulamalarıyla ortak.",
    en: "Rooms, their members, and what was said; shared with the apps on WebSockets.",
};

const KEY: ByLang<&str> = ByLang {
    tr: "TELSIZ_API_KEY ile verilen anahtar. Verilmediyse yalnızca bu makineden yazılabilir.",
    en: "The key that TELSIZ_API_KEY sets. If none is set only this machine may write.",
};

/// Describes `operations`. OpenAPI knows no WebSockets: what is mounted is an extension of it.
pub(super) fn document(operations: &[Operation], mounts: &[Mount], lang: Lang) -> Value {
    let mut schemas = Schemas::default();
    let mut paths = Map::new();
    for operation in operations {
        let path = paths
            .entry(operation.path.clone())
            .or_insert_with(|| json!({}));
        path[operation.method.as_str().to_lowercase()] = schemas.operation(operation, lang);
    }
    let refusals = operations.iter().flat_map(|known| &known.refusals);
    let refusals: Map<_, _> = refusals
        .map(|status| {
            let content =
                json!({ PROBLEM: { "schema": schemas.of(|g| g.subschema_for::<Problem<'_>>()) } });
            let refusal = json!({ "description": title(*status, lang), "content": content });
            (status.as_str().to_owned(), refusal)
        })
        .collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Telsiz",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT.of(lang),
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "x-mounts": mounts.iter().map(|mount| mounted(mount, lang)).collect::<Vec<_>>(),
        "components": {
            "schemas": schemas.definitions(),
            "responses": refusals,
            "securitySchemes": {
                "ApiKey": { "type": "http", "scheme": "bearer", "description": KEY.of(lang) },
            },
        },
    })
}

/// A mount, with the schema of its messages if they are JSON.
fn mounted(mount: &Mount, lang: Lang) -> Value {
    let app = mount.app();
    json!({
        "path": mount.path(),
        "app": app.name,
        "summary": app.about.of(lang),
        "schema": app.schema.map(|_| schemas::path(app)),
    })
}

/// The schemas of all types. What clients send may leave out more than what the server says.
#[derive(Debug)]
struct Schemas {
    sent: SchemaGenerator,
    told: SchemaGenerator,
}

impl Default for Schemas {
    fn default() -> Self {
        let mut settings = SchemaSettings::draft2020_12();
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
        Self {
            sent: settings.clone().into_generator(),
            told: settings.for_serialize().into_generator(),
        }
    }
}

impl Schemas {
    fn of(&mut self, schema: impl Fn(&mut SchemaGenerator) -> schemars::Schema) -> Value {
        schema(&mut self.told).into()
    }

    fn operation(&mut self, operation: &Operation, lang: Lang) -> Value {
        let mut described = json!({
            "operationId": id(operation),
            "summary": operation.about.of(lang),
            "responses": self.responses(operation, lang),
        });
        let parameters = operation.parameters.iter().map(|parameter| {
            json!({
                "in": parameter.place,
                "name": parameter.name,
                "description": parameter.about.get(lang),
                "required": parameter.place == "path",
                "schema": Value::from((parameter.schema)(&mut self.sent)),
            })
        });
        let parameters: Vec<_> = parameters.collect();
        if !parameters.is_empty() {
            described["parameters"] = parameters.into();
        }
        if let Some(body) = &operation.body {
            let schema = Value::from((body.content.schema)(&mut self.sent));
            // An example is always JSON.
            let example: Value = serde_json::from_str(body.example).unwrap_or_default();
            let content = json!({ "schema": schema, "example": example });
            described["requestBody"] = json!({
                "required": true,
                "content": { body.content.media_type: content },
            });
        }
        if operation.writes {
            described["security"] = json!([{ "ApiKey": [] }, {}]);
        }
        described
    }

    fn responses(&mut self, operation: &Operation, lang: Lang) -> Value {
        let refusals = operation.refusals.iter().map(|status| {
            let status = status.as_str();
            let refusal = json!({ "$ref": format!("#/components/responses/{status}") });
            (status.to_owned(), refusal)
        });
        let mut responses: Map<_, _> = refusals.collect();
        let content = operation.answers.iter().map(|content| {
            let Content { media_type, schema } = content;
            (
                (*media_type).to_owned(),
                json!({ "schema": self.of(schema) }),
            )
        });
        let content: Map<_, _> = content.collect();
        let done = json!({ "description": operation.about.of(lang), "content": content });
        responses.insert(StatusCode::OK.as_str().to_owned(), done);
        responses.into()
    }

    fn definitions(mut self) -> Map<String, Value> {
        let mut all = self.sent.take_definitions(true);
        all.extend(self.told.take_definitions(true));
        all
    }
}

/// A name for programs that are made from the document.
fn id(operation: &Operation) -> String {
    let method = match operation.method {
        Method::POST => "post",
        Method::DELETE => "delete",
        _ => "get",
    };
    let words = operation
        .path
        .split(|letter: char| !letter.is_alphanumeric() && letter != '_');
    let words = words.filter(|word| !word.is_empty());
    std::iter::once(method)
        .chain(words)
        .collect::<Vec<_>>()
        .join("_")
}

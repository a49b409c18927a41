//! `docs/http.md` says what the OpenAPI document says.

use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

use serde_json::{Map, Value};

use crate::harness::Server;

/// What stands before the part that is made of the document.
const MARK: &str = "<!-- Made of the OpenAPI document; see CONTRIBUTING.md. -->\n";

#[tokio::test]
async fn the_page_about_http_says_what_the_document_says() {
    let server = Server::start("");
    let reply = server.http("GET", "/openapi.json", &[("Accept-Language", "en")], "");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/http.md");
    let page = fs::read_to_string(&path).expect("docs/http.md");
    let (by_hand, made) = page.split_once(MARK).expect("the mark");
    let expected = operations(&reply.json());
    if env::var_os("TELSIZ_RENEW").is_some() {
        fs::write(&path, format!("{by_hand}{MARK}{expected}")).expect("written");
        return;
    }
    assert!(
        made == expected,
        "docs/http.md is out of date: renew it with TELSIZ_RENEW=1 cargo test the_page_about_http"
    );
}

/// The operations of a document, and the objects that they speak of.
fn operations(document: &Value) -> String {
    let mut page = String::new();
    // Each app adds one of these, and all are alike.
    let paths = object(&document["paths"]).iter();
    for (path, methods) in paths.filter(|(path, _)| !path.starts_with("/schemas/")) {
        for (method, operation) in object(methods) {
            let method = method.to_uppercase();
            write_operation(&mut page, document, &format!("{method} {path}"), operation);
        }
    }
    page.push_str("\n## Objects\n");
    for (name, schema) in object(&document["components"]["schemas"]) {
        write_schema(&mut page, name, schema);
    }
    page
}

fn write_operation(page: &mut String, document: &Value, heading: &str, operation: &Value) {
    let mut lines = format!("\n## `{heading}`\n\n{}.\n", text(&operation["summary"]));
    if operation.get("security").is_some() {
        lines.push_str("Only who may write.\n");
    }
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let parameters: Vec<_> = parameters.filter(|known| known["in"] != "header").collect();
    if !parameters.is_empty() {
        lines.push_str("\n| parameter | | |\n| --- | --- | --- |\n");
    }
    for parameter in parameters {
        let (name, place) = (text(&parameter["name"]), text(&parameter["in"]));
        let default = match parameter["schema"].get("default") {
            Some(default) => format!(", {default} by default"),
            None => String::new(),
        };
        let (about, kind) = (text(&parameter["description"]), kind(&parameter["schema"]));
        let _ = writeln!(lines, "| `{name}` | {place}: {kind}{default} | {about} |");
    }
    if let Some(content) = operation.pointer("/requestBody/content/application~1json") {
        let (kind, example) = (kind(&content["schema"]), &content["example"]);
        let _ = writeln!(lines, "\nBody: {kind}, such as `{example}`.");
    }
    let mut refusals = Vec::new();
    for (status, response) in object(&operation["responses"]) {
        match response["$ref"].as_str() {
            Some(pointer) => {
                let refusal = document.pointer(&pointer[1..]).expect("a response");
                refusals.push(format!("{status} {}", text(&refusal["description"])));
            }
            None => {
                let answers = object(&response["content"])
                    .iter()
                    .map(|(media_type, content)| {
                        format!("{}, `{media_type}`", kind(&content["schema"]))
                    });
                let answers: Vec<_> = answers.collect();
                let _ = writeln!(lines, "\nAnswer: {}.", answers.join("; or "));
            }
        }
    }
    if !refusals.is_empty() {
        let _ = writeln!(lines, "Errors: {}.", refusals.join(", "));
    }
    page.push_str(&lines);
}

fn write_schema(page: &mut String, name: &str, schema: &Value) {
    let _ = writeln!(page, "\n### {name}\n\n{}", text(&schema["description"]));
    let variants = schema["oneOf"]
        .as_array()
        .map_or(vec![schema], |variants| variants.iter().collect());
    for schema in variants {
        let Some(properties) = schema["properties"].as_object() else {
            let _ = writeln!(page, "\n{}", capitalised(&kind(schema)));
            continue;
        };
        page.push_str("\n| field | | |\n| --- | --- | --- |\n");
        let required = schema["required"].as_array();
        for (field, property) in properties {
            let is_required = required.is_some_and(|names| names.iter().any(|name| name == field));
            let optional = if is_required { "" } else { ", optional" };
            let (kind, about) = (kind(property), text(&property["description"]));
            let _ = writeln!(page, "| `{field}` | {kind}{optional} | {about} |");
        }
        if schema.get("$ref").is_some() {
            let _ = writeln!(page, "\nAnd the fields of {}.", link(schema));
        }
    }
}

/// What values of a schema are.
fn kind(schema: &Value) -> String {
    if let Some(value) = schema.get("const") {
        return format!("`{value}`");
    }
    if schema.get("$ref").is_some() {
        return link(schema);
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        let kinds = choices.iter().map(kind).filter(|kind| kind != "null");
        return kinds.collect::<Vec<_>>().join(" or ");
    }
    let kinds = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().map(text).find(|kind| *kind != "null"),
        kind => kind.as_str(),
    };
    match kinds {
        Some("array") => format!("array of {}", kind(&schema["items"])),
        Some("object") if schema.get("additionalProperties").is_some() => {
            format!("object of {}", kind(&schema["additionalProperties"]))
        }
        Some(kind) => format!("{kind}{}", limits(schema)),
        None => "anything".to_owned(),
    }
}

/// How long a text may be, and how large a number.
fn limits(schema: &Value) -> String {
    let (least, most) = match schema["type"].as_str() {
        Some("string") => ("minLength", "maxLength"),
        _ => ("minimum", "maximum"),
    };
    match (schema.get(least), schema.get(most)) {
        (Some(least), Some(most)) => format!(" of {least} to {most}"),
        (None, Some(most)) => format!(" of at most {most}"),
        _ => String::new(),
    }
}

fn link(schema: &Value) -> String {
    let name = text(&schema["$ref"]).rsplit('/').next().unwrap_or_default();
    format!("[{name}](#{})", name.to_lowercase())
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn object(value: &Value) -> &Map<String, Value> {
    value.as_object().expect("an object")
}

//! The JSON schema of an app, made of the types of its messages.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

/// The schema of an app: the messages of its clients and those of the server.
#[derive(Debug)]
pub(crate) struct Schema(Value);

impl Schema {
    /// That of an app whose clients say `C` and whose server says `S`, besides what every app hears
    /// and says. These are `$defs/FromClient` and `$defs/FromServer`; the whole allows both.
    pub(crate) fn of<C: JsonSchema, S: JsonSchema>(app: &str) -> Self {
        let settings = SchemaSettings::draft2020_12();
        let mut defs = Map::new();
        let client = settings.clone().into_generator();
        let kinds = ["ping", "pong", "heartbeat"];
        add::<C>("FromClient", &kinds, client, &mut defs);
        let server = settings.for_serialize().into_generator();
        add::<S>("FromServer", &["pong"], server, &mut defs);
        Self(json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": app,
            "anyOf": [{ "$ref": "#/$defs/FromClient" }, { "$ref": "#/$defs/FromServer" }],
            "$defs": defs,
        }))
    }

    /// As it is served.
    pub(crate) fn into_json(self) -> Value {
        self.0
    }
}

/// Adds the messages `M`, and the signs of life of these kinds, as the definition `name`.
fn add<M: JsonSchema>(
    name: &str,
    signs_of_life: &[&str],
    mut generator: SchemaGenerator,
    defs: &mut Map<String, Value>,
) {
    let messages: Value = M::json_schema(&mut generator).into();
    defs.extend(generator.take_definitions(true));
    let alive = json!({
        "type": "object",
        "properties": { "type": { "enum": signs_of_life } },
        "required": ["type"],
    });
    let mut whole = json!({ "anyOf": [messages, alive] });
    let may_be_absent = |property: &Value| {
        let named = property["$ref"]
            .as_str()
            .and_then(|r| r.strip_prefix("#/$defs/"));
        named.is_some_and(|name| {
            defs.get(name)
                .is_some_and(|def| def.get("default").is_some())
        })
    };
    require_no_more(&mut whole, &may_be_absent);
    defs.insert(name.to_owned(), whole);
}

/// Makes properties optional that may be absent: those whose type has a default.
fn require_no_more(schema: &mut Value, may_be_absent: &dyn Fn(&Value) -> bool) {
    match schema {
        Value::Array(items) => {
            let schemas = items.iter_mut();
            schemas.for_each(|schema| require_no_more(schema, may_be_absent));
        }
        Value::Object(fields) => {
            if let (Some(properties), Some(mut required)) =
                (fields.get("properties").cloned(), fields.remove("required"))
            {
                if let Some(names) = required.as_array_mut() {
                    let is_absent = |name: &Value| {
                        may_be_absent(&properties[name.as_str().unwrap_or_default()])
                    };
                    names.retain(|name| !is_absent(name));
                }
                fields.insert("required".into(), required);
            }
            let schemas = fields.values_mut();
            schemas.for_each(|schema| require_no_more(schema, may_be_absent));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{RoomName, TextOrEmpty};

    #[derive(JsonSchema)]
    #[schemars(tag = "type", rename_all = "snake_case")]
    #[expect(dead_code, reason = "only its schema is looked at")]
    enum FromClient {
        Chat {
            room_id: RoomName,
            text: TextOrEmpty,
            id: Option<String>,
        },
    }

    #[derive(JsonSchema)]
    #[schemars(tag = "type", rename_all = "snake_case")]
    #[expect(dead_code, reason = "only its schema is looked at")]
    enum FromServer {
        Chat { text: String },
    }

    fn schema() -> Value {
        Schema::of::<FromClient, FromServer>("app").into_json()
    }

    #[test]
    fn messages_are_told_apart_by_their_type_and_only_needed_fields_are_required() {
        let schema = schema();
        let chat = &schema["$defs"]["FromClient"]["anyOf"][0]["oneOf"][0];
        assert_eq!(chat["properties"]["type"]["const"], "chat");
        assert_eq!(chat["required"], json!(["type", "room_id"]));
        let chat = &schema["$defs"]["FromServer"]["anyOf"][0]["oneOf"][0];
        assert_eq!(chat["required"], json!(["type", "text"]));
    }

    #[test]
    fn limits_of_names_are_part_of_it() {
        let room = schema()["$defs"]["RoomName"].clone();
        assert_eq!(
            (&room["minLength"], &room["maxLength"]),
            (&json!(1), &json!(128))
        );
    }

    #[test]
    fn signs_of_life_are_part_of_it() {
        let schema = schema();
        let alive = |side| schema["$defs"][side]["anyOf"][1]["properties"]["type"]["enum"].clone();
        assert_eq!(alive("FromClient"), json!(["ping", "pong", "heartbeat"]));
        assert_eq!(alive("FromServer"), json!(["pong"]));
    }
}

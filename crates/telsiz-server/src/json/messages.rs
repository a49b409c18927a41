//! The messages that an app hears, as an enum of which all else is made: how they are read, what is
//! said of a wrong field, and their schema.

/// Declares the messages of clients, each by its `type`, and their fields, each with a type that is a
/// [`Field`](super::Field).
///
/// ```ignore
/// messages! {
///     /// What a client says.
///     pub(super) enum FromClient {
///         /// Speaks.
///         "chat" => Chat { room_id: RoomName, message: NotBlank },
///     }
/// }
/// ```
///
/// `FromClient::read(kind, &object)` is the message, or all fields that are wrong. With
/// `enum FromClient in "payload"` the fields are not beside the type but in an object beside it.
macro_rules! messages {
    (
        $(#[$about:meta])*
        $vis:vis enum $name:ident $(in $content:literal)? {
            $(
                $(#[$what:meta])*
                $kind:literal => $variant:ident {
                    $( $(#[$field_about:meta])* $field:ident: $type:ty ),* $(,)?
                }
            ),* $(,)?
        }
    ) => {
        $(#[$about])*
        #[derive(Debug, PartialEq, schemars::JsonSchema)]
        #[schemars(tag = "type" $(, content = $content)?)]
        $vis enum $name {
            $(
                $(#[$what])*
                #[schemars(rename = $kind)]
                $variant { $( $(#[$field_about])* $field: $type ),* },
            )*
        }

        impl $name {
            /// The types that there are, and the one that every app answers.
            $vis const TYPES: &'static [&'static str] = &[$($kind,)* "ping"];

            /// Reads a message of this type, or tells all fields that are wrong.
            $vis fn read(
                kind: &str,
                object: &$crate::json::Object<'_>,
            ) -> Result<Self, Vec<$crate::json::WrongField>> {
                #[allow(unused_mut, reason = "a message may have no fields")]
                let mut fields = $crate::json::Fields::new(object);
                match kind {
                    $(
                        $kind => {
                            $( let $field = fields.read(stringify!($field)); )*
                            fields.finish(|| Some(Self::$variant { $($field: $field?),* }))
                        }
                    )*
                    _ => Err(vec![$crate::json::WrongField {
                        field: "type",
                        expected: $crate::json::Expected::OneOf(Self::TYPES),
                    }]),
                }
            }
        }
    };
}
pub(crate) use messages;

#[cfg(test)]
mod tests {
    use crate::json::{Expected, Object, RoomName, TextOrEmpty, WrongField};

    messages! {
        /// What a client says.
        enum FromClient {
            /// Speaks.
            "chat" => Chat { room_id: RoomName, text: TextOrEmpty },
            /// Asks for nothing in particular.
            "ask" => Ask {},
        }
    }

    fn read(text: &str) -> Result<FromClient, Vec<WrongField>> {
        let object: Object<'_> = serde_json::from_str(text).expect("an object");
        FromClient::read(&object.kind().unwrap_or_default(), &object)
    }

    #[test]
    fn a_message_is_read_by_its_type() {
        let chat = FromClient::Chat {
            room_id: RoomName(telsiz_hub::RoomName::new("a").expect("a name")),
            text: TextOrEmpty::default(),
        };
        assert_eq!(read(r#"{"type":"chat","room_id":"a","x":1}"#), Ok(chat));
        assert_eq!(read(r#"{"type":"ask"}"#), Ok(FromClient::Ask {}));
    }

    #[test]
    fn every_wrong_field_is_told_and_an_unknown_type_names_the_known_ones() {
        let wrong = |text| {
            let wrong = read(text).expect_err("wrong");
            let fields = wrong.into_iter().map(|wrong| (wrong.field, wrong.expected));
            fields.collect::<Vec<_>>()
        };
        let expected = [("room_id", Expected::RoomName), ("text", Expected::Text)];
        assert_eq!(wrong(r#"{"type":"chat","text":5}"#), expected);
        let expected = [("type", Expected::OneOf(&["chat", "ask", "ping"]))];
        assert_eq!(wrong("{}"), expected);
        assert_eq!(wrong(r#"{"type":"x"}"#), expected);
    }
}

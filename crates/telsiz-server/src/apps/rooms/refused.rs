//! Why a request was not done, and how that is told.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::Serialize;
use telsiz_hub::{EngineError, Forbidden, PublishError, ReadError};

use super::texts::{NO_JSON, NOT_MEMBER, history_too_often, too_many_rooms};
use crate::json::{Expected, WrongField, sentence};
use crate::lang::Lang;
use crate::rooms::texts;

/// Why a request was not done, with all that can be said of it.
#[derive(Debug)]
pub(super) enum Refused {
    /// It was no JSON.
    NoJson,
    /// Its `id` is none.
    WrongId(Expected),
    /// Fields are wrong.
    Wrong(Vec<WrongField>),
    /// It needs a member of the room.
    NotMember,
    /// The connection is in so many rooms that it may be in no other.
    TooManyRooms { max: usize },
    /// The history was read too often.
    HistoryTooOften { retry_after: u64 },
    /// It was not published.
    Unpublished(PublishError),
    /// Something else was not allowed, or the engine is to blame.
    Unread(ReadError),
}

/// Why a request was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Code {
    /// A field is wrong.
    BadRequest,
    /// There is no such command.
    UnknownType,
    /// It needs a member of the room.
    NotMember,
    /// The client may not.
    Forbidden,
    /// Too much of something.
    Limit,
    /// Too much is going on: try again.
    Busy,
    /// The server is to blame.
    Internal,
}

impl Refused {
    /// In one word.
    pub(super) fn code(&self) -> Code {
        match self {
            Self::Wrong(wrong) if wrong.iter().any(|wrong| wrong.field == "type") => {
                Code::UnknownType
            }
            Self::NoJson | Self::WrongId(_) | Self::Wrong(_) => Code::BadRequest,
            Self::NotMember => Code::NotMember,
            Self::Unpublished(PublishError::Forbidden(_))
            | Self::Unread(ReadError::Forbidden(_)) => Code::Forbidden,
            Self::TooManyRooms { .. }
            | Self::HistoryTooOften { .. }
            | Self::Unpublished(PublishError::TooLarge { .. })
            | Self::Unread(ReadError::Full { .. }) => Code::Limit,
            Self::Unpublished(PublishError::Busy) => Code::Busy,
            Self::Unpublished(_) | Self::Unread(_) => Code::Internal,
        }
    }

    /// After how many seconds it may be asked again, if that is known.
    pub(super) fn retry_after(&self) -> Option<u64> {
        match self {
            Self::HistoryTooOften { retry_after } => Some(*retry_after),
            _ => None,
        }
    }

    /// For people who read `lang`.
    pub(super) fn message(&self, lang: Lang) -> Cow<'static, str> {
        match self {
            Self::NoJson => NO_JSON.of(lang).into(),
            Self::WrongId(expected) => {
                let (field, expected) = ("id", *expected);
                WrongField { field, expected }.sentence(lang).into()
            }
            Self::Wrong(wrong) => sentence(wrong, lang).into(),
            Self::NotMember => NOT_MEMBER.of(lang).into(),
            Self::TooManyRooms { max } => too_many_rooms(lang, *max).into(),
            Self::HistoryTooOften { retry_after } => history_too_often(lang, *retry_after).into(),
            Self::Unpublished(error) => texts::of_publish_error(error, lang),
            Self::Unread(error) => texts::of_read_error(error, lang),
        }
    }
}

impl From<Vec<WrongField>> for Refused {
    fn from(wrong: Vec<WrongField>) -> Self {
        Self::Wrong(wrong)
    }
}

impl From<PublishError> for Refused {
    fn from(error: PublishError) -> Self {
        Self::Unpublished(error)
    }
}

impl From<ReadError> for Refused {
    fn from(error: ReadError) -> Self {
        Self::Unread(error)
    }
}

impl From<EngineError> for Refused {
    fn from(error: EngineError) -> Self {
        Self::Unread(error.into())
    }
}

impl From<Forbidden> for Refused {
    fn from(error: Forbidden) -> Self {
        Self::Unread(error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_code_says_who_is_to_blame() {
        let wrong = |field| WrongField {
            field,
            expected: Expected::Text,
        };
        for (refused, code) in [
            (Refused::NoJson, Code::BadRequest),
            (Refused::WrongId(Expected::Text), Code::BadRequest),
            (vec![WrongField::NO_OBJECT].into(), Code::BadRequest),
            (vec![wrong("room_id")].into(), Code::BadRequest),
            (vec![wrong("type")].into(), Code::UnknownType),
            (Refused::NotMember, Code::NotMember),
            (Forbidden.into(), Code::Forbidden),
            (PublishError::Forbidden(Forbidden).into(), Code::Forbidden),
            (Refused::TooManyRooms { max: 1 }, Code::Limit),
            (Refused::HistoryTooOften { retry_after: 1 }, Code::Limit),
            (ReadError::Full { max: 1 }.into(), Code::Limit),
            (PublishError::TooLarge { max: 1 }.into(), Code::Limit),
            (PublishError::Busy.into(), Code::Busy),
            (EngineError::Closed.into(), Code::Internal),
            (
                PublishError::Engine(EngineError::Closed).into(),
                Code::Internal,
            ),
        ] {
            assert_eq!(refused.code(), code, "{refused:?}");
        }
    }

    #[test]
    fn an_id_that_is_none_is_named() {
        let refused = Refused::WrongId(Expected::Text);
        assert_eq!(refused.message(Lang::En), "id: expected a text");
    }
}

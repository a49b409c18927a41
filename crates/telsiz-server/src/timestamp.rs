//! Times as they are told: ISO 8601, UTC, milliseconds, `Z`.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Serialize, Serializer};

/// Now.
pub(crate) fn now() -> String {
    told(Timestamp::now())
}

/// Now, as the hub tells it.
pub(crate) fn millis() -> telsiz_hub::Timestamp {
    let millis = Timestamp::now().as_millisecond();
    telsiz_hub::Timestamp(u64::try_from(millis).unwrap_or(0))
}

/// This time.
pub(crate) fn told(time: Timestamp) -> String {
    format!("{time:.3}")
}

/// A time in UTC, with milliseconds and `Z`.
#[derive(Clone, Copy, Debug, JsonSchema)]
#[schemars(with = "String", extend("format" = "date-time"))]
pub(crate) struct Iso(pub(crate) telsiz_hub::Timestamp);

impl Serialize for Iso {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let millis = i64::try_from(self.0.0).unwrap_or(i64::MAX);
        let time = Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX);
        serializer.serialize_str(&told(time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_are_always_there() {
        for (nanos, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_700_000_000_123_999_999, "2023-11-14T22:13:20.123Z"),
        ] {
            let time = Timestamp::from_nanosecond(nanos).expect("a time");
            assert_eq!(told(time), expected);
        }
    }

    #[test]
    fn times_of_the_hub_are_told_alike() {
        let iso = |millis| serde_json::to_value(Iso(telsiz_hub::Timestamp(millis))).expect("JSON");
        assert_eq!(iso(1_732_190_400_120), "2024-11-21T12:00:00.120Z");
        assert!(iso(u64::MAX).is_string(), "the end of time");
    }
}

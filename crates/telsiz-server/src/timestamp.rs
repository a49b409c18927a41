//! Times as they are told: ISO 8601, UTC, milliseconds, `Z`.

use jiff::Timestamp;

/// Now.
pub(crate) fn now() -> String {
    told(Timestamp::now())
}

/// This time.
pub(crate) fn told(time: Timestamp) -> String {
    format!("{time:.3}")
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
}

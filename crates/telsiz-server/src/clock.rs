//! The time of day.

use std::time::{SystemTime, UNIX_EPOCH};

use telsiz_hub::{Clock, Timestamp};

/// The clock of the system.
pub(crate) fn system_clock() -> Clock {
    Clock::new(|| {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
        let millis = since_1970.map_or(0, |time| time.as_millis());
        Timestamp(u64::try_from(millis).unwrap_or(u64::MAX))
    })
}

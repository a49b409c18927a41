//! What rooms and users may be called, and their ids.

use telsiz_hub::Named;

use crate::json::{Expected, WrongField};

/// Whether a room can be called that.
pub(crate) fn is_room(name: &str) -> bool {
    Named::Room.check(name).is_ok()
}

/// Whether a user, or an id, can be that: it may be empty.
pub(crate) fn is_user(name: &str) -> bool {
    Named::User.check(name).is_ok()
}

/// Checks the name of a room that `field` gives.
#[allow(dead_code, reason = "for apps to come")]
pub(crate) fn check_room(field: &'static str, name: &str) -> Result<(), WrongField> {
    let expected = Expected::RoomName;
    let wrong = WrongField { field, expected };
    is_room(name).then_some(()).ok_or(wrong)
}

/// Checks the name or the id of a user that `field` gives.
#[allow(dead_code, reason = "for apps to come")]
pub(crate) fn check_user(field: &'static str, name: &str) -> Result<(), WrongField> {
    let expected = Expected::UserName;
    let wrong = WrongField { field, expected };
    is_user(name).then_some(()).ok_or(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_at_most_128_code_points_and_no_control_characters() {
        for len in [1, 127, 128] {
            assert!(
                is_user(&"ğ".repeat(len)) && is_room(&"ğ".repeat(len)),
                "{len}"
            );
        }
        for bad in [&"ğ".repeat(129), "a\u{7f}", "a\nb", "\u{85}"] {
            assert!(!is_user(bad) && !is_room(bad), "{bad}");
        }
    }

    #[test]
    fn only_a_room_needs_a_name() {
        assert!(is_user(""));
        assert!(!is_room(""));
    }

    #[test]
    fn who_checks_learns_the_field() {
        assert_eq!(check_user("username", ""), Ok(()));
        let wrong = check_room("room_id", "").expect_err("no name");
        assert_eq!(
            (wrong.field, wrong.expected),
            ("room_id", Expected::RoomName)
        );
        let wrong = check_user("user_id", "\n").expect_err("no name");
        assert_eq!(
            (wrong.field, wrong.expected),
            ("user_id", Expected::UserName)
        );
    }
}

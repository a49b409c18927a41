//! What rooms and users may be called, and their ids.

use telsiz_hub::{Named, RoomName};

use crate::json::{Expected, WrongField};

/// Whether a user, or an id, can be that: it may be empty.
pub(crate) fn is_user(name: &str) -> bool {
    Named::User.check(name).is_ok()
}

/// The room whose name `field` gives.
pub(crate) fn room(field: &'static str, name: &str) -> Result<RoomName, WrongField> {
    let expected = Expected::RoomName;
    RoomName::new(name).map_err(|_| WrongField { field, expected })
}

/// Checks the name or the id of a user that `field` gives.
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
            let name = "ğ".repeat(len);
            assert!(is_user(&name) && room("", &name).is_ok(), "{len}");
        }
        for bad in [&"ğ".repeat(129), "a\u{7f}", "a\nb", "\u{85}"] {
            assert!(!is_user(bad) && room("", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_a_room_needs_a_name() {
        assert!(is_user(""));
        assert!(room("", "").is_err());
    }

    #[test]
    fn who_checks_learns_the_field() {
        assert_eq!(check_user("username", ""), Ok(()));
        let wrong = room("room_id", "").expect_err("no name");
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

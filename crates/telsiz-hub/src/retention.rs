//! How long a log reaches back.

use std::time::Duration;

use crate::name::RoomName;

/// How much of a log is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// The newest so many.
    pub count: usize,
    /// Of them those that are younger.
    pub age: Duration,
}

impl Default for Keep {
    /// 100, for 24 hours.
    fn default() -> Self {
        Self {
            count: 100,
            age: Duration::from_secs(24 * 60 * 60),
        }
    }
}

/// Names of rooms, with `*` for any characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(Box<str>);

impl Pattern {
    /// A pattern.
    pub fn new(pattern: &str) -> Self {
        Self(pattern.into())
    }

    /// Whether `name` is like this.
    pub fn matches(&self, name: &str) -> bool {
        let Some((first, rest)) = self.0.split_once('*') else {
            return *self.0 == *name;
        };
        let Some(mut name) = name.strip_prefix(first) else {
            return false;
        };
        let mut parts = rest.split('*').peekable();
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                return name.ends_with(part);
            }
            // The earliest leaves the most for the others.
            match name.find(part) {
                Some(start) => name = &name[start + part.len()..],
                None => return false,
            }
        }
        true
    }
}

/// How much is kept of which log.
#[derive(Clone, Debug, Default)]
pub struct Retention {
    rules: Vec<(Pattern, Keep)>,
    otherwise: Keep,
}

impl Retention {
    /// Of every log as much.
    pub fn of_all(otherwise: Keep) -> Self {
        Self {
            rules: Vec::new(),
            otherwise,
        }
    }

    /// Of the logs of rooms like `pattern`, unless an earlier rule speaks of them.
    pub fn rule(mut self, pattern: Pattern, keep: Keep) -> Self {
        self.rules.push((pattern, keep));
        self
    }

    /// Of the log of `room`.
    pub fn of(&self, room: &RoomName) -> Keep {
        let rule = self.rules.iter();
        let mut rule = rule.filter(|(pattern, _)| pattern.matches(room.as_str()));
        rule.next().map_or(self.otherwise, |(_, keep)| *keep)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, name, matches) in [
            ("genel", "genel", true),
            ("genel", "genel2", false),
            ("log-*", "log-", true),
            ("log-*", "log-a", true),
            ("log-*", "alog-", false),
            ("*-log", "a-log", true),
            ("*-log", "a-log-", false),
            ("a*b*c", "abc", true),
            ("a*b*c", "a1b2b3c", true),
            ("a*b*c", "acb", false),
            ("a*a", "a", false),
            ("*", "", true),
            ("**", "x", true),
            ("ş*ş", "şş", true),
        ] {
            assert_eq!(
                Pattern::new(pattern).matches(name),
                matches,
                "{pattern} {name}"
            );
        }
    }

    #[test]
    fn the_first_rule_for_a_room_counts() {
        let keep = |count| Keep {
            count,
            ..Keep::default()
        };
        let retention = Retention::of_all(keep(1))
            .rule(Pattern::new("a*"), keep(2))
            .rule(Pattern::new("ab*"), keep(3));
        for (room, count) in [("b", 1), ("a", 2), ("ab", 2)] {
            let room = RoomName::new(room).expect("a name");
            assert_eq!(retention.of(&room).count, count, "{room}");
        }
    }
}

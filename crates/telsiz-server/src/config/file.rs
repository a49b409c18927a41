//! The configuration file: what it sets, and in which lines.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::{fmt, fs};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::found::Found;
use super::key::Key;
use super::mount::MountKeys;
use super::nearest::nearest;
use super::place::Place;
use super::settings::Settings;
use crate::failure::Failure;

/// What the tables of the mounts are called.
pub(super) const MOUNT: &str = "mount";

/// A file that is being read.
#[derive(Debug)]
struct File {
    path: Arc<Path>,
    text: String,
}

/// What a table of a file may hold besides its keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    /// The file itself: the mounts.
    Top,
    /// A mount: nothing.
    Mount,
}

/// What a file says of one mount.
#[derive(Debug)]
pub(super) struct MountTable {
    /// Where it starts.
    pub(super) place: Place,
    /// Its keys.
    pub(super) found: Found,
}

/// Adds what the file says to `found`; its mounts, if it has some.
pub(super) fn read(path: &Path, found: &mut Found) -> Result<Option<Vec<MountTable>>, Failure> {
    let text = fs::read_to_string(path).map_err(|error| {
        Failure::Usage(format!(
            "cannot read the configuration file {}: {error}",
            path.display()
        ))
    })?;
    read_text(path, text, found)
}

/// As [`read`], of a file that says this.
pub(super) fn read_text(
    path: &Path,
    text: String,
    found: &mut Found,
) -> Result<Option<Vec<MountTable>>, Failure> {
    let file = File {
        path: path.into(),
        text,
    };
    let table = DeTable::parse(&file.text)
        .map_err(|error| file.wrong(&error.span().unwrap_or_default(), error.message()))?;
    file.read(table.get_ref(), Level::Top, found)?;
    let Some(mounts) = table.get_ref().get(MOUNT) else {
        return Ok(None);
    };
    let expected = || {
        file.wrong(
            &mounts.span(),
            "mount: expected a table for each, [[mount]]",
        )
    };
    let DeValue::Array(tables) = mounts.get_ref() else {
        return Err(expected());
    };
    let mount = |table: &Spanned<DeValue<'_>>| {
        let DeValue::Table(keys) = table.get_ref() else {
            return Err(expected());
        };
        let place = Place::File(file.path.clone(), file.line(&table.span()));
        let mut found = Found::defaults(MountKeys::KEYS);
        file.read(keys, Level::Mount, &mut found)?;
        Ok(MountTable { place, found })
    };
    tables.iter().map(mount).collect::<Result<_, _>>().map(Some)
}

impl File {
    fn read(&self, table: &DeTable<'_>, level: Level, found: &mut Found) -> Result<(), Failure> {
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(name, _)| name.span().start);
        for (name, value) in entries {
            if level == Level::Top && name.get_ref() == MOUNT {
                continue;
            }
            let key = level.key(name.get_ref());
            let key = key.ok_or_else(|| self.wrong(&name.span(), level.unknown(name.get_ref())))?;
            let place = Place::File(self.path.clone(), self.line(&name.span()));
            let texts = key.form.of_toml(value.get_ref());
            let texts = texts.ok_or_else(|| place.wrong(key, expected(key)))?;
            found.set(key, texts, place)?;
        }
        Ok(())
    }

    /// The line in which a part of it starts, counted from 1.
    fn line(&self, span: &Range<usize>) -> usize {
        let before = self.text.get(..span.start).unwrap_or(&self.text);
        before.matches('\n').count() + 1
    }

    fn wrong(&self, span: &Range<usize>, what: impl fmt::Display) -> Failure {
        // Errors of the parser may have lines.
        let what = what.to_string().replace('\n', ", ");
        Failure::Usage(format!(
            "{}:{}: {what}",
            self.path.display(),
            self.line(span)
        ))
    }
}

/// What is expected of a key, in its own words if its values are texts.
fn expected(key: &Key) -> String {
    format!(
        "{}, such as {} = {}",
        key.form.expected_in_toml(),
        key.name,
        key.sample()
    )
}

impl Level {
    fn keys(self) -> &'static [Key] {
        match self {
            Self::Top => Settings::KEYS,
            Self::Mount => MountKeys::KEYS,
        }
    }

    fn key(self, name: &str) -> Option<&'static Key> {
        self.keys().iter().find(|key| key.name == name)
    }

    /// What is wrong with a key that is not known here.
    fn unknown(self, name: &str) -> String {
        match self {
            Self::Top if Self::Mount.key(name).is_some() => {
                format!("{name} belongs into a mount, below [[mount]]")
            }
            Self::Mount if Self::Top.key(name).is_some() => {
                format!("{name} is no key of a mount; it belongs above the first [[mount]]")
            }
            level => {
                let mounts = (level == Self::Top).then_some(MOUNT);
                let known = level.keys().iter().map(|key| key.name).chain(mounts);
                format!(
                    "there is no key {name}; the nearest is {}",
                    nearest(name, known)
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Result<(Found, Option<Vec<MountTable>>), String> {
        let mut found = Found::defaults(Settings::KEYS);
        match read_text(Path::new("a.toml"), text.to_owned(), &mut found) {
            Ok(mounts) => Ok((found, mounts)),
            Err(Failure::Usage(said)) => Err(said),
            Err(Failure::Failed(said)) => panic!("{said}"),
        }
    }

    #[test]
    fn a_key_is_known_with_its_line() {
        let (found, mounts) = found("\n# first\nlang = \"en\"\nworkers = 3\n").expect("sound");
        let lang = found.get("lang").expect("known");
        assert_eq!(lang.texts, Some(vec!["en".to_owned()]));
        assert_eq!(lang.place, Place::File(Path::new("a.toml").into(), 3));
        assert_eq!(found.naming("workers"), "a.toml:4: workers");
        assert_eq!(found.naming("listen"), "listen");
        assert!(mounts.is_none());
    }

    #[test]
    fn what_is_wrong_is_told_in_one_line_with_its_place() {
        for (text, expected) in [
            (
                "lang = \"en\"\nmax_mesage_size = 1",
                "a.toml:2: there is no key max_mesage_size; the nearest is max_message_size",
            ),
            (
                "[[mounts]]",
                "a.toml:1: there is no key mounts; the nearest is mount",
            ),
            (
                "[[mount]]\npath = \"/a\"\nrate_limt = \"off\"",
                "a.toml:3: there is no key rate_limt; the nearest is rate_limit",
            ),
            (
                "[[mount]]\npath = \"/a\"\nlisten = \"[::1]:80\"",
                "a.toml:3: listen is no key of a mount; it belongs above the first [[mount]]",
            ),
            (
                "receipt = \"\"",
                "a.toml:1: receipt belongs into a mount, below [[mount]]",
            ),
            (
                "listen = 8000",
                "a.toml:1: listen: expected a text in quotes, such as listen = \"127.0.0.1:8000\"",
            ),
            (
                "listen = \"8000\"",
                "a.toml:1: listen: expected HOST:PORT, such as 127.0.0.1:8000 or [::1]:8000",
            ),
            (
                "deflate = \"on\"",
                "a.toml:1: deflate: expected true or false, such as deflate = true",
            ),
            ("\nlang = \"de\"", "a.toml:2: lang: expected one of tr, en"),
            (
                "workers = 0",
                "a.toml:1: workers: expected a whole number from 1 on",
            ),
            (
                "max_message_size = 99999999999999999999",
                "a.toml:1: max_message_size: expected a whole number from 1 on, such as \
                 max_message_size = 65536",
            ),
            (
                "mount = 1",
                "a.toml:1: mount: expected a table for each, [[mount]]",
            ),
            (
                "[mount]\npath = \"/\"",
                "a.toml:1: mount: expected a table for each, [[mount]]",
            ),
        ] {
            assert_eq!(found(text).expect_err(text), expected);
        }
    }

    #[test]
    fn what_is_no_toml_is_told_with_its_line() {
        for (text, line) in [
            ("lang = \"en\"\nlang = \"tr\"\n", 2),
            ("lang = \"en\"\n\nlisten = \n", 3),
            ("[[mount]\n", 1),
            ("lang = \"en\nworkers = 1\n", 1),
        ] {
            let said = found(text).expect_err(text);
            assert!(said.starts_with(&format!("a.toml:{line}: ")), "{said}");
            assert_eq!(said.lines().count(), 1, "{said}");
        }
    }

    #[test]
    fn of_several_errors_the_first_is_told() {
        let said = found("zeal = 1\naim = 2\n").expect_err("two errors");
        assert!(
            said.starts_with("a.toml:1: there is no key zeal;"),
            "{said}"
        );
    }
}

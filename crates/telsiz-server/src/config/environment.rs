//! What the environment sets: `TELSIZ_` and the name of a key.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

use super::found::Found;
use super::key::{Key, VARIABLES};
use super::nearest::{is_slip, nearest};
use super::place::Place;
use super::settings::Settings;
use crate::failure::Failure;

/// The variable that names the file.
const FILE: &str = "TELSIZ_CONFIG";

/// What container platforms set for a service that is called telsiz.
const NOT_OURS: [&str; 2] = ["TELSIZ_SERVICE_", "TELSIZ_PORT"];

/// The variables whose names start like ours.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment(Vec<(String, OsString)>);

impl Environment {
    /// That of the process. A variable that is empty counts as not set.
    pub(crate) fn of_process() -> Self {
        let variables = env::vars_os().filter_map(|(name, value)| {
            let name = name.into_string().ok()?;
            let is_ours = name.starts_with(VARIABLES)
                && !NOT_OURS.iter().any(|start| name.starts_with(start));
            let is_set = !value.to_string_lossy().trim().is_empty();
            (is_ours && is_set).then_some((name, value))
        });
        Self(variables.collect())
    }

    /// The file that it names.
    pub(super) fn file(&self) -> Option<PathBuf> {
        self.get(FILE).map(PathBuf::from)
    }

    fn get(&self, name: &str) -> Option<&OsString> {
        let mut variables = self.0.iter();
        variables.find_map(|(known, value)| (known == name).then_some(value))
    }

    /// Adds what it says of one key to `found`.
    pub(super) fn read_key(&self, name: &str, found: &mut Found) -> Result<(), Failure> {
        let key = Settings::KEYS.iter().find(|key| key.name == name);
        let Some((key, value)) = key.and_then(|key| Some((key, self.get(&key.variable())?))) else {
            return Ok(());
        };
        let text = value.to_str();
        let text = text.ok_or_else(|| Place::Variable.wrong(key, "expected Unicode"))?;
        found.set(key, key.form.of_variable(text), Place::Variable)
    }

    /// Adds what it says to `found`; the variables that set nothing, most likely for other programs.
    pub(super) fn read(&self, found: &mut Found) -> Result<Vec<String>, Failure> {
        for key in Settings::KEYS {
            self.read_key(key.name, found)?;
        }
        let known = Settings::KEYS.iter().map(Key::variable);
        let known: Vec<String> = known.chain([FILE.into()]).collect();
        let mut strangers = Vec::new();
        for (name, _) in self.0.iter().filter(|(name, _)| !known.contains(name)) {
            let nearest = nearest(name, known.iter().map(String::as_str));
            if is_slip(name, nearest) {
                return Err(Failure::Usage(format!(
                    "{name}: there is no such variable; the nearest is {nearest}"
                )));
            }
            strangers.push(name.clone());
        }
        Ok(strangers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<(Found, Vec<String>), String> {
        let variables = variables.iter();
        let variables = variables.map(|(name, value)| ((*name).to_owned(), value.into()));
        let mut found = Found::defaults(Settings::KEYS);
        match Environment(variables.collect()).read(&mut found) {
            Ok(strangers) => Ok((found, strangers)),
            Err(Failure::Usage(said)) => Err(said),
            Err(Failure::Failed(said)) => panic!("{said}"),
        }
    }

    #[test]
    fn every_key_has_its_variable() {
        let variables = [
            ("TELSIZ_LANG", "en"),
            ("TELSIZ_DEFLATE", "off"),
            ("TELSIZ_ALLOW_ORIGIN", "https://a.example, null"),
        ];
        let (found, strangers) = read(&variables).expect("sound");
        let texts = |name| found.get(name).and_then(|known| known.texts.clone());
        assert_eq!(texts("lang"), Some(vec!["en".to_owned()]));
        assert_eq!(texts("deflate"), Some(vec!["off".to_owned()]));
        let origins = ["https://a.example", "null"].map(str::to_owned).to_vec();
        assert_eq!(texts("allow_origin"), Some(origins));
        assert_eq!(found.naming("lang"), "TELSIZ_LANG");
        assert_eq!(strangers, Vec::<String>::new());
    }

    #[test]
    fn what_is_wrong_is_told_with_the_variable() {
        for (name, value, expected) in [
            ("TELSIZ_LANG", "de", "TELSIZ_LANG: expected one of tr, en"),
            (
                "TELSIZ_DEFLATE",
                "maybe",
                "TELSIZ_DEFLATE: expected on or off",
            ),
            (
                "TELSIZ_MAX_MESAGE_SIZE",
                "1",
                "TELSIZ_MAX_MESAGE_SIZE: there is no such variable; the nearest is \
                 TELSIZ_MAX_MESSAGE_SIZE",
            ),
        ] {
            assert_eq!(read(&[(name, value)]).expect_err(name), expected);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_value_that_cannot_be_read_does_not_count_as_none() {
        use std::os::unix::ffi::OsStringExt;
        let value = OsString::from_vec(vec![0xFF]);
        let environment = Environment(vec![("TELSIZ_API_KEY".into(), value)]);
        let read = environment.read(&mut Found::defaults(Settings::KEYS));
        let Err(Failure::Usage(said)) = read else {
            panic!("{read:?}");
        };
        assert_eq!(said, "TELSIZ_API_KEY: expected Unicode");
    }

    #[test]
    fn variables_that_are_far_from_ours_belong_to_others() {
        let (_, strangers) = read(&[("TELSIZ_FREQUENCY", "27")]).expect("sound");
        assert_eq!(strangers, ["TELSIZ_FREQUENCY"]);
    }
}

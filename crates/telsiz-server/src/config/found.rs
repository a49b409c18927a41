//! What was found for each key, and where.

use super::key::Key;
use super::place::Place;
use super::value::Value;
use crate::failure::Failure;

/// What was found for each of some keys, and where.
#[derive(Clone, Debug)]
pub(crate) struct Found(Vec<Setting>);

/// What was found for a key.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    /// The key.
    pub(crate) key: &'static Key,
    /// What it was set to, as text; nothing if it has no default and nobody set it.
    pub(crate) texts: Option<Vec<String>>,
    /// Where.
    pub(crate) place: Place,
}

impl Found {
    /// Nothing but the defaults.
    pub(super) fn defaults(keys: &'static [Key]) -> Self {
        let settings = keys.iter().map(|key| Setting {
            key,
            texts: key.default_texts(),
            place: Place::Default,
        });
        Self(settings.collect())
    }

    /// Sets `key`. What counts more is read later.
    pub(super) fn set(
        &mut self,
        key: &'static Key,
        texts: Vec<String>,
        place: Place,
    ) -> Result<(), Failure> {
        (key.check)(&texts).map_err(|expected| place.wrong(key, expected))?;
        if let Some(known) = self.0.iter_mut().find(|known| known.key.name == key.name) {
            *known = Setting {
                key,
                texts: Some(texts),
                place,
            };
        }
        Ok(())
    }

    /// The value of a key.
    pub(super) fn value<T: Value>(&self, name: &str) -> Result<T, Failure> {
        let missing = || Failure::Usage(format!("{name}: has to be set"));
        let setting = self.get(name).ok_or_else(missing)?;
        match &setting.texts {
            Some(texts) => T::read(texts).map_err(|expected| self.wrong(name, &expected)),
            None => T::unset().ok_or_else(missing),
        }
    }

    /// What was found for a key.
    pub(crate) fn get(&self, name: &str) -> Option<&Setting> {
        self.0.iter().find(|known| known.key.name == name)
    }

    /// All that was found.
    pub(crate) fn settings(&self) -> &[Setting] {
        &self.0
    }

    /// What set a key, to be told who set it; that of a key that nobody set is its name.
    pub(crate) fn naming(&self, name: &str) -> String {
        let setting = self.get(name);
        setting.map_or_else(|| name.to_owned(), |known| known.place.naming(known.key))
    }

    /// How much the place counts where a key was set.
    pub(crate) fn rank(&self, name: &str) -> u8 {
        self.get(name).map_or(0, |known| known.place.rank())
    }

    /// What is wrong with what a key was set to.
    pub(crate) fn wrong(&self, name: &str, what: &str) -> Failure {
        Failure::Usage(format!("{}: {what}", self.naming(name)))
    }

    /// Sets `key` as it is there.
    pub(crate) fn adopt(&mut self, key: &Key, other: &Self) {
        let known = self.0.iter_mut().find(|known| known.key.name == key.name);
        if let (Some(known), Some(other)) = (known, other.get(key.name)) {
            known.clone_from(other);
        }
    }

    /// The keys that were set to something else there.
    pub(crate) fn changed(&self, other: &Self) -> Vec<&'static Key> {
        let pairs = self.0.iter().zip(&other.0);
        pairs
            .filter(|(one, other)| one.texts != other.texts)
            .map(|(one, _)| one.key)
            .collect()
    }
}

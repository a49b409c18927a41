//! Where a value was set.

use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;

use super::key::Key;
use crate::failure::Failure;

/// Where a value was set; what comes later counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Nowhere.
    Default,
    /// In this line of this file.
    File(Arc<Path>, usize),
    /// In the environment.
    Variable,
    /// On the command line.
    Flag,
}

impl Place {
    /// How much what was set here counts.
    pub(crate) fn rank(&self) -> u8 {
        match self {
            Self::Default => 0,
            Self::File(..) => 1,
            Self::Variable => 2,
            Self::Flag => 3,
        }
    }

    /// What set `key` here.
    pub(crate) fn of(&self, key: &Key) -> String {
        match self {
            Self::Default | Self::File(..) => self.line_of_file(),
            Self::Variable => key.variable(),
            Self::Flag => format!("--{}", key.flag()),
        }
    }

    /// The line of the file, if it is one.
    pub(crate) fn line_of_file(&self) -> String {
        match self {
            Self::File(path, line) => format!("{}:{line}", path.display()),
            Self::Default | Self::Variable | Self::Flag => "default".into(),
        }
    }

    /// How an error calls `key`, which was set here.
    pub(crate) fn naming(&self, key: &Key) -> String {
        match self {
            Self::Default => key.name.to_owned(),
            Self::File(..) => format!("{}: {}", self.of(key), key.name),
            Self::Variable | Self::Flag => self.of(key),
        }
    }

    /// What is wrong with `key`, which was set here.
    pub(crate) fn wrong(&self, key: &Key, what: impl Display) -> Failure {
        Failure::Usage(format!("{}: {what}", self.naming(key)))
    }
}

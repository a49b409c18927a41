//! `telsiz config`: makes, checks and shows configurations.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::found::Found;
use super::{Config, Sources, document};
use crate::failure::Failure;
use crate::serve;

/// `telsiz config`.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Make a file with every key, commented out, that says what each does
    Init {
        /// Where to; standard output unless it is given
        file: Option<PathBuf>,
    },
    /// Tell whether a server could start with this configuration
    Check(Sources),
    /// Show every value, and where it was set
    Show(Sources),
    /// Print the JSON schema of the file
    Schema,
}

impl ConfigCommand {
    /// Does it.
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Init { file: None } => print(&document::file()),
            Self::Init { file: Some(path) } => make(&path),
            Self::Check(sources) => {
                let config = sources.read(None)?;
                serve::tls(&config)?;
                for stranger in &config.strangers {
                    eprintln!("warning: {stranger} sets nothing");
                }
                let what = match &config.file {
                    Some(file) => file.display().to_string(),
                    None => "the configuration (no file was named with --config)".to_owned(),
                };
                print(&format!(
                    "{what} has no errors; mounts: {}\n",
                    config.mounts.len()
                ))
            }
            Self::Show(sources) => print(&shown(&sources.read(None)?)),
            Self::Schema => print(&format!("{:#}\n", document::schema())),
        }
    }
}

/// Makes the file, unless there is one.
fn make(path: &Path) -> Result<(), Failure> {
    let file = OpenOptions::new().write(true).create_new(true).open(path);
    let made = file.and_then(|mut file| file.write_all(document::file().as_bytes()));
    made.map_err(|error| {
        let path = path.display();
        Failure::Failed(match error.kind() {
            ErrorKind::AlreadyExists => format!("{path} is there already; it stays as it is"),
            _ => format!("{path}: {error}"),
        })
    })
}

fn print(text: &str) -> Result<(), Failure> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::Failed(format!("standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Every value with its place, as a file that would set the same.
fn shown(config: &Config) -> String {
    let mut rows = rows(&config.found, true);
    for mount in &*config.mounts {
        rows.push((String::new(), String::new()));
        rows.push(("[[mount]]".into(), mount.place.line_of_file()));
        rows.extend(self::rows(&mount.found, false));
    }
    let width = rows.iter().map(|(value, _)| value.chars().count());
    let width = width.filter(|width| *width <= WIDTH).max().unwrap_or(0);
    let line = |(value, place): &(String, String)| match place.as_str() {
        "" => format!("{value}\n"),
        place => format!("{value:width$}  # {place}\n"),
    };
    rows.iter().map(line).collect()
}

/// The longest value that others are aligned with.
const WIDTH: usize = 60;

/// Values, and where they were set; those that are not set only if `unset` are asked for.
fn rows(found: &Found, unset: bool) -> Vec<(String, String)> {
    let settings = found.settings().iter();
    settings
        .filter_map(|setting| {
            let (key, place) = (setting.key, setting.place.of(setting.key));
            let name = key.name;
            match &setting.texts {
                Some(_) if key.secret => Some((format!("#{name} is set"), place)),
                Some(texts) => Some((format!("{name} = {}", key.form.to_toml(texts)), place)),
                None => unset.then(|| (format!("#{name} is not set"), String::new())),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::environment::Environment;
    use crate::config::file::read_text;
    use crate::config::settings::Settings;

    #[test]
    fn what_is_shown_is_a_file_that_sets_the_same() {
        let config = Sources::default().read_with(&Environment::default(), None);
        let config = config.expect("sound");
        let mut found = Found::defaults(Settings::KEYS);
        let shown = shown(&config);
        let mounts = read_text(Path::new("shown.toml"), shown, &mut found).expect("sound");
        assert!(found.changed(&config.found).is_empty());
        assert_eq!(mounts.map(|mounts| mounts.len()), Some(config.mounts.len()));
    }
}

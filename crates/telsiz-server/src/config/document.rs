//! What is made of the keys: the commented file, and its schema; in a test the page about them.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::file::MOUNT;
use super::key::{Flag, Key};
use super::mount::MountKeys;
use super::settings::Settings;
use super::value::Form;
use crate::apps::APPS;

/// The width that comments have in the file.
const WIDTH: usize = 90;

/// A file with every key, commented out, that says what each does.
pub(super) fn file() -> String {
    let mut file = String::new();
    comment(
        &mut file,
        "The configuration of `telsiz serve --config FILE`. Each key stands here with its default, or \
         with an example if it has none: take off the # before it to change it. Variables of the \
         environment go before this file, flags before both. Paths are relative to where the server \
         is started. `telsiz config check` finds errors, `telsiz config show` shows what counts.",
    );
    sections(Settings::KEYS, |section, keys| {
        let _ = writeln!(file, "\n## {section}");
        for key in keys {
            file.push('\n');
            comment(&mut file, &format!("{}.", key.about()));
            comment(&mut file, &notes(key, ""));
            let _ = writeln!(file, "#{} = {}", key.name, key.sample());
        }
    });
    file.push_str("\n## Mounts\n\n");
    comment(
        &mut file,
        "Which app is on which path. Unless a mount stands here, all apps are mounted as below; \
         otherwise those that stand here, and no others. An app may be mounted many times. Mounts \
         stand at the end of the file.",
    );
    for app in APPS {
        let _ = writeln!(file, "\n#[[{MOUNT}]]");
        for key in MountKeys::KEYS {
            let text = match key.name {
                "path" => app.pattern,
                "app" => app.name,
                _ => continue,
            };
            let _ = writeln!(
                file,
                "#{} = {}",
                key.name,
                key.form.to_toml(&[text.to_owned()])
            );
        }
    }
    file.push('\n');
    comment(&mut file, "A mount with all that can be said of one:");
    let _ = writeln!(file, "\n#[[{MOUNT}]]");
    for key in MountKeys::KEYS {
        let only = key
            .only
            .map_or(String::new(), |only| format!(" Of {only} alone."));
        comment(&mut file, &format!("{}.{only}", key.about()));
        let sample = match key.name {
            "path" => "\"/another\"".to_owned(),
            _ => key.sample(),
        };
        let _ = writeln!(file, "#{} = {sample}", key.name);
    }
    file
}

/// The JSON schema of the file.
pub(super) fn schema() -> Value {
    let mut properties = properties(Settings::KEYS);
    let required: Vec<_> = MountKeys::KEYS
        .iter()
        .map(|key| key.name)
        .filter(|name| matches!(*name, "path" | "app"))
        .collect();
    let mount = json!({
        "type": "object",
        "properties": self::properties(MountKeys::KEYS),
        "required": required,
        "additionalProperties": false,
    });
    let mounts = json!({
        "description": "Which app is on which path, in place of all apps where they are by themselves",
        "type": "array",
        "items": mount,
    });
    properties.insert(MOUNT.into(), mounts);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The configuration of telsiz",
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    })
}

fn properties(keys: &[Key]) -> Map<String, Value> {
    let property = |key: &Key| {
        let mut schema = key.form.schema();
        schema["description"] = key.about().into();
        if let Some(default) = default(key) {
            schema["default"] = default;
        }
        (key.name.to_owned(), schema)
    };
    keys.iter().map(property).collect()
}

/// The default of a key in JSON, which all values but texts are written like.
fn default(key: &Key) -> Option<Value> {
    let text = key.default?;
    let toml = key.form.to_toml(&[text.to_owned()]);
    Some(serde_json::from_str(&toml).unwrap_or_else(|_| text.into()))
}

/// How else a key can be set, each way between `marks`, and what holds for it.
fn notes(key: &Key, marks: &str) -> String {
    let variable = format!("{marks}{}{marks}", key.variable());
    let flag = |value: &str| format!("{marks}--{}{value}{marks}", key.flag());
    let with_value = || flag(&format!(" {}", key.placeholder));
    let ways = match key.flag {
        Flag::None => variable,
        Flag::Bare => format!("{variable}, {}", flag("")),
        Flag::Value if key.form == Form::Texts => {
            format!(
                "{variable} (with commas between), {} (for each)",
                with_value()
            )
        }
        Flag::Value => format!("{variable}, {}", with_value()),
    };
    let live = match key.live {
        true => " SIGHUP reads it anew.",
        false => "",
    };
    format!("{ways}.{live}")
}

/// Calls `each` with the keys below each heading.
fn sections(keys: &'static [Key], mut each: impl FnMut(&str, &[Key])) {
    for keys in keys.chunk_by(|one, next| one.section == next.section) {
        if let Some(first) = keys.first() {
            each(first.section, keys);
        }
    }
}

/// Writes a comment of as many lines as it needs.
fn comment(file: &mut String, text: &str) {
    let mut line = String::from("#");
    for word in text.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > WIDTH {
            file.push_str(&line);
            file.push('\n');
            line.truncate(1);
        }
        line.push(' ');
        line.push_str(word);
    }
    file.push_str(&line);
    file.push('\n');
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};
    use std::{env, fs};

    use super::*;
    use crate::config::file::read_text;
    use crate::config::found::Found;
    use crate::config::mount::{Mount, Mounts};

    /// What stands before the part that is made here.
    const MARK: &str = "<!-- Made of the keys; see CONTRIBUTING.md. -->\n";

    /// A file as the configuration reads it.
    fn read(text: String) -> (Found, Option<Mounts>) {
        let mut found = Found::defaults(Settings::KEYS);
        let read = read_text(Path::new("made.toml"), text, &mut found);
        let mounts = read.expect("sound").map(|tables| {
            let mounts = tables
                .into_iter()
                .map(Mount::read)
                .collect::<Result<_, _>>();
            Mounts::new(mounts.expect("sound")).expect("no clash")
        });
        (found, mounts)
    }

    #[test]
    fn the_commented_file_changes_nothing() {
        let (found, mounts) = read(file());
        assert!(found.changed(&Found::defaults(Settings::KEYS)).is_empty());
        assert!(mounts.is_none());
    }

    #[test]
    fn without_its_comments_the_file_sets_every_key_to_its_default() {
        let file = file();
        let lines = file.lines().map(|line| match line.strip_prefix('#') {
            Some(key) if !key.starts_with([' ', '#']) => key,
            _ => line,
        });
        let (found, mounts) = read(lines.collect::<Vec<_>>().join("\n"));
        for setting in found.settings() {
            let name = setting.key.name;
            assert_ne!(setting.place.rank(), 0, "{name} is in the file");
            if setting.key.default.is_some() {
                assert_eq!(setting.texts, setting.key.default_texts(), "{name}");
            }
        }
        let mounts = mounts.expect("mounts");
        let (last, defaults) = mounts.split_last().expect("mounts");
        let paths = |mount: &Mount| (mount.path().to_owned(), mount.app().name);
        let apps: Vec<_> = APPS.map(|app| (app.pattern.to_owned(), app.name)).to_vec();
        assert_eq!(defaults.iter().map(paths).collect::<Vec<_>>(), apps);
        for setting in last.found.settings() {
            assert!(
                setting.texts.is_some(),
                "{} is in the file",
                setting.key.name
            );
        }
    }

    /// The tables of the page about the configuration.
    fn page() -> String {
        let mut page = String::new();
        sections(Settings::KEYS, |section, keys| {
            let _ = writeln!(
                page,
                "\n## {section}\n\n| key | default | what it is |\n| --- | --- | --- |"
            );
            for key in keys {
                let default = match key.default {
                    Some(_) => code(&key.sample()),
                    None => "none".into(),
                };
                let (name, about) = (code(key.name), cell(&key.about()));
                let notes = cell(&notes(key, "`"));
                let _ = writeln!(page, "| {name} | {default} | {about}. {notes} |");
            }
        });
        let _ = writeln!(
            page,
            "\n## Keys of a mount\n\n| key | such as | what it is |\n| --- | --- | --- |"
        );
        for key in MountKeys::KEYS {
            let (name, sample, about) = (code(key.name), code(&key.sample()), cell(&key.about()));
            let only = key
                .only
                .map_or(String::new(), |only| format!(" Of `{only}` alone."));
            let _ = writeln!(page, "| {name} | {sample} | {about}.{only} |");
        }
        page
    }

    fn code(text: &str) -> String {
        format!("`{}`", cell(text))
    }

    /// As it stands in a table.
    fn cell(text: &str) -> String {
        text.replace('|', "\\|")
    }

    fn docs(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../docs")
            .join(name)
    }

    /// That a file in `docs` is what is made now, or makes it so.
    #[track_caller]
    fn is_renewed(name: &str, made: &str) {
        let path = docs(name);
        if env::var_os("TELSIZ_RENEW").is_some() {
            fs::write(&path, made).expect("written");
            return;
        }
        let known = fs::read_to_string(&path).expect(name);
        assert!(
            known == made,
            "docs/{name} is out of date: renew it with TELSIZ_RENEW=1 cargo test the_documents_about"
        );
    }

    #[test]
    fn the_documents_about_the_configuration_say_what_the_keys_say() {
        let page = fs::read_to_string(docs("configuration.md")).expect("docs/configuration.md");
        let (by_hand, _) = page.split_once(MARK).expect("the mark");
        is_renewed(
            "configuration.md",
            &format!("{by_hand}{MARK}{}", self::page()),
        );
        is_renewed("telsiz.schema.json", &format!("{:#}\n", schema()));
    }

    #[test]
    fn the_schema_knows_the_defaults_in_their_types() {
        let schema = schema();
        let properties = &schema["properties"];
        assert_eq!(properties["max_message_size"]["default"], 65_536);
        assert_eq!(properties["deflate"]["default"], true);
        assert_eq!(properties["listen"]["default"], "127.0.0.1:8000");
        assert_eq!(properties["lang"]["enum"], json!(["tr", "en"]));
        let mount = &properties["mount"]["items"];
        assert_eq!(mount["required"], json!(["path", "app"]));
        assert_eq!(mount["properties"]["announcements"]["type"], "array");
    }
}

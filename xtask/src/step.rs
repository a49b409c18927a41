//! A command that names itself when it fails.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use crate::background::Background;
use crate::failure::{About, Result};
use crate::places;

/// One command to run. Starts at the root of the workspace, without standard input.
pub(crate) struct Step {
    command: Command,
    words: Vec<OsString>,
}

impl Step {
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(&program);
        command.current_dir(places::root()).stdin(Stdio::null());
        Self {
            command,
            words: vec![program.as_ref().to_owned()],
        }
    }

    /// The cargo that runs this chore.
    pub(crate) fn cargo(arguments: &[&str]) -> Self {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut step = Self::new(cargo).args(arguments);
        step.words[0] = "cargo".into();
        step
    }

    pub(crate) fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.words.push(argument.as_ref().to_owned());
        self.command.arg(argument);
        self
    }

    pub(crate) fn args<I>(self, arguments: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<OsStr>,
    {
        arguments.into_iter().fold(self, Self::arg)
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Starts it with an empty environment.
    pub(crate) fn without_environment(mut self) -> Self {
        self.command.env_clear();
        self
    }

    pub(crate) fn dir(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Runs it to its end, its output on ours.
    pub(crate) fn run(mut self) -> Result<()> {
        let status = self
            .command
            .status()
            .map_err(|error| self.not_started(&error))?;
        self.succeeded(status)
    }

    /// Runs it to its end, its output in `log`, whose last lines are shown if it fails.
    pub(crate) fn run_into(mut self, log: &Path) -> Result<()> {
        let (out, err) = log_file(log)?;
        let status = self
            .command
            .stdout(out)
            .stderr(err)
            .status()
            .map_err(|error| self.not_started(&error))?;
        self.succeeded(status)
            .map_err(|failure| format!("{failure}\n{}", last_lines(log)).into())
    }

    /// Runs it to its end and returns what it printed.
    pub(crate) fn output(mut self) -> Result<String> {
        let output = self
            .command
            .stderr(Stdio::inherit())
            .output()
            .map_err(|error| self.not_started(&error))?;
        self.succeeded(output.status)?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Runs it to its end, shows its output line by line as it comes, and says how it ended.
    pub(crate) fn watch(mut self, mut line: impl FnMut(&str)) -> Result<ExitStatus> {
        let mut child = self
            .command
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| self.not_started(&error))?;
        if let Some(stdout) = child.stdout.take() {
            let mut stdout = BufReader::new(stdout);
            let mut bytes = Vec::new();
            while stdout.read_until(b'\n', &mut bytes)? > 0 {
                std::io::stdout().write_all(&bytes)?;
                line(String::from_utf8_lossy(&bytes).trim_end());
                bytes.clear();
            }
        }
        Ok(child.wait()?)
    }

    /// Starts it, its output in `log`; it ends when the returned value is dropped.
    pub(crate) fn start(mut self, log: &Path) -> Result<Background> {
        let (out, err) = log_file(log)?;
        let child = self
            .command
            .stdout(out)
            .stderr(err)
            .spawn()
            .map_err(|error| self.not_started(&error))?;
        Ok(Background::new(self.to_string(), child, log))
    }

    fn not_started(&self, error: &std::io::Error) -> String {
        format!("`{self}` could not be started: {error}")
    }

    fn succeeded(&self, status: ExitStatus) -> Result<()> {
        if status.success() {
            Ok(())
        } else {
            Err(format!("`{self}` failed ({status})").into())
        }
    }
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (place, word) in self.words.iter().enumerate() {
            if place > 0 {
                f.write_str(" ")?;
            }
            write!(f, "{}", places::shown(Path::new(word)))?;
        }
        Ok(())
    }
}

fn log_file(log: &Path) -> Result<(File, File)> {
    if let Some(folder) = log.parent() {
        fs::create_dir_all(folder).about("create", folder)?;
    }
    let out = File::create(log).about("create", log)?;
    let err = out.try_clone().about("open", log)?;
    Ok((out, err))
}

/// The end of a log, to be shown with a failure.
pub(crate) fn last_lines(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    let shown = &lines[lines.len().saturating_sub(30)..];
    let mut tail = format!("the end of {}:", places::shown(log));
    for line in shown {
        tail.push_str("\n  | ");
        tail.push_str(line);
    }
    tail
}

//! Python interpreters and virtual environments.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::debian;
use crate::failure::{About, Result};
use crate::places;
use crate::stamp;
use crate::step::Step;

/// A Python version: major and minor.
pub(super) type Version = (u32, u32);

/// Finds an interpreter between two versions, both included: on the path or among pyenv's.
pub(super) fn interpreter(from: Version, to: Version) -> Option<PathBuf> {
    candidates()
        .into_iter()
        .find(|python| version(python).is_some_and(|found| (from..=to).contains(&found)))
}

fn candidates() -> Vec<PathBuf> {
    let mut candidates: Vec<PathBuf> = Vec::new();
    candidates.push("python3".into());
    candidates.extend(
        (9..=15)
            .rev()
            .map(|minor| format!("python3.{minor}").into()),
    );
    candidates.push("python2.7".into());
    let pyenv = std::env::var_os("PYENV_ROOT")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".pyenv")));
    let installed = pyenv.and_then(|pyenv| fs::read_dir(pyenv.join("versions")).ok());
    let mut installed: Vec<PathBuf> = installed
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin/python")))
        .collect();
    installed.sort();
    candidates.extend(installed.into_iter().rev());
    candidates
}

/// Asks an interpreter for its version: a shim may stand on the path without one behind it.
fn version(python: &Path) -> Option<Version> {
    let output = Command::new(python)
        .args(["-c", "import sys; print('%d %d' % sys.version_info[:2])"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let printed = String::from_utf8(output.stdout).ok()?;
    let (major, minor) = printed.trim().split_once(' ')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// Makes a virtual environment with the packages of a requirement file, and returns its interpreter.
pub(super) fn environment(folder: &Path, python: &Path, requirements: &Path) -> Result<PathBuf> {
    let wanted = fs::read_to_string(requirements).about("read", requirements)?;
    let inside = folder.join("bin/python");
    stamp::once(folder, &wanted, || {
        println!("Installing {} ...", places::shown(requirements));
        create(folder, python)?;
        Step::new(&inside)
            .args(["-m", "pip", "install", "--quiet", "--requirement"])
            .arg(requirements)
            .run()
    })?;
    Ok(inside)
}

/// Makes an empty virtual environment. Debian keeps the module for that in a package of its own.
pub(super) fn create(folder: &Path, python: &Path) -> Result<()> {
    let has_venv = Step::new(python)
        .args(["-c", "import ensurepip, venv"])
        .run_into(&places::reports().join("python-venv.log"));
    if has_venv.is_err() {
        debian::package("python3-venv")?;
    }
    Step::new(python).args(["-m", "venv"]).arg(folder).run()
}

/// The interpreter that runs the interoperation suites in Python.
pub(crate) fn interop_python() -> Result<PathBuf> {
    let newest = (3, u32::MAX);
    let python = match interpreter((3, 10), newest) {
        Some(python) => python,
        None => debian::program(&["python3"], "python3")?,
    };
    environment(
        &places::tools().join("interop-python"),
        &python,
        &places::root().join("interop/requirements.txt"),
    )
}

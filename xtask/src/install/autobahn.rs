//! The Autobahn testsuite and the Python 2.7 that it runs on.

use std::fs;
use std::path::{Path, PathBuf};

use super::{debian, python};
use crate::failure::{About, Result};
use crate::places;
use crate::stamp;
use crate::step::Step;

/// The last one that makes an environment for Python 2.7; it runs on 3.7 to 3.11 itself.
const VIRTUALENV: &str = "virtualenv==20.21.1";

/// An installed testsuite.
pub(crate) struct Autobahn {
    python: PathBuf,
}

impl Autobahn {
    /// `wstest` in one of its modes, its fuzzing server on loopback only, without its web page.
    pub(crate) fn wstest(&self, mode: &str, specification: &Path) -> Step {
        Step::new(&self.python)
            .arg("-u")
            .arg(places::root().join("xtask/autobahn/wstest.py"))
            .args(["--mode", mode, "--webport", "0", "--spec"])
            .arg(specification)
    }
}

/// Installs the testsuite. Its own requirements no longer resolve: the list beside its launcher does.
pub(crate) fn autobahn() -> Result<Autobahn> {
    let folder = places::tools().join("autobahn");
    let inside = folder.join("python2.7/bin/python");
    let requirements = places::root().join("xtask/autobahn/requirements.txt");
    let packages = fs::read_to_string(&requirements).about("read", &requirements)?;
    let wanted = format!("{VIRTUALENV}\n{packages}");
    stamp::once(&folder, &wanted, || {
        println!("Installing {} ...", places::shown(&requirements));
        let old = python::interpreter((2, 7), (2, 7)).ok_or(
            "the Autobahn testsuite needs Python 2.7, and none was found: \
             install one first, for example with `pyenv install 2.7.18`",
        )?;
        let host = python::interpreter((3, 7), (3, 11))
            .ok_or("no Python 3.7 to 3.11 was found, which makes the environment for Python 2.7")?;
        debian::program(&["cc", "gcc"], "gcc")?;
        let virtualenv = folder.join("virtualenv");
        python::create(&virtualenv, &host)?;
        let virtualenv = virtualenv.join("bin/python");
        Step::new(&virtualenv)
            .args(["-m", "pip", "install", "--quiet", VIRTUALENV])
            .run()?;
        Step::new(&virtualenv)
            .args(["-m", "virtualenv", "--quiet", "--python"])
            .arg(&old)
            .arg(folder.join("python2.7"))
            .run()?;
        Step::new(&inside)
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--no-deps",
                "--requirement",
            ])
            .arg(&requirements)
            .run_into(&places::reports().join("autobahn-install.log"))
    })?;
    Ok(Autobahn { python: inside })
}

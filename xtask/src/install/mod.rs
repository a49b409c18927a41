//! Tools that chores need and install for themselves, each once, below `target/tools`.

mod autobahn;
mod cargo;
mod debian;
mod npm;
mod python;

pub(crate) use autobahn::{Autobahn, autobahn};
pub(crate) use cargo::{cargo_deny, cargo_fuzz};
pub(crate) use debian::{chromium, cxx, node, valgrind};
pub(crate) use npm::npm_packages;
pub(crate) use python::interop_python;

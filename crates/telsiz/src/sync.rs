//! The locks of what the tests also compile with the types of loom.

pub(crate) use std::sync::{Mutex, MutexGuard};

//! The engine on disk.

mod common;
mod idempotency;
mod memory;
mod restarts;
mod retention;

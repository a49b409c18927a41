//! The engine on disk.

mod common;
#[cfg(target_os = "linux")]
mod faults;
mod idempotency;
mod memory;
mod opening;
#[cfg(target_os = "linux")]
mod power;
#[cfg(target_os = "linux")]
mod process;
mod publishing;
mod restarts;
mod retention;

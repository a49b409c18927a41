//! A neutral load generator for WebSocket echo servers.
//!
//! It shares no code with any server it measures: the handshake and the frames are its own. It is cheap on purpose,
//! so that the server is what a measurement waits for: frames are masked ahead of time ([`Script`]), several leave in
//! one `send`, and echoes are compared with what must come back where they lie.
//!
//! A wrong echo, a lost connection or a server that stops answering ends the measurement with an [`Error`]; nothing is
//! dropped in silence.

mod cell;
mod connect;
mod echo;
mod error;
mod frame;
pub mod process;
mod script;

pub use cell::{Cell, ParseCellError};
pub use connect::open;
pub use echo::{Measured, Waiting, echo, echo_once};
pub use error::Error;
pub use script::{Kind, Script};

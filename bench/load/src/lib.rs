//! A neutral load generator for WebSocket servers: those that echo, and those that have rooms.
//!
//! It shares no code with any server it measures: the handshake and the frames are its own. It is cheap on purpose,
//! so that the server is what a measurement waits for: frames are masked ahead of time ([`Script`]), several leave in
//! one `send`, and echoes are compared with what must come back where they lie. What shows compressed messages and TLS
//! has other people's code: `miniz_oxide`, which no server uses, and `rustls`.
//!
//! A wrong echo, a message that is lost, doubled, changed or out of order, a lost connection or a server that stops answering ends the measurement with an [`Error`]; nothing is
//! dropped in silence.

mod cell;
mod connect;
mod deflate;
mod echo;
mod error;
mod frame;
mod handshakes;
mod json;
mod poll;
pub mod process;
mod receipt;
mod rooms;
mod script;
mod tls;

pub use cell::{Cell, ParseCellError, Work};
pub use connect::{Offer, Target, open};
pub use echo::{Measured, echo, echo_once};
pub use error::Error;
pub use handshakes::handshakes;
pub use poll::Waiting;
pub use rooms::{Crowd, Fanned, Published, fanout, publish};
pub use script::{Kind, Script};
pub use tls::{SERVER_NAME, Tls, Wire};

//! RFC 6455 and RFC 7692 without I/O: bytes to events and back.
//!
//! This crate opens no socket, reads no clock, spawns nothing and contains no
//! `unsafe`. A driver (such as the `telsiz` crate on tokio) lends it the bytes
//! that were read, hands out the [`Event`]s, and writes what gathers in an
//! [`Outbox`].
//!
//! # Who owns the bytes
//!
//! * **In**: the driver lends a [`Source`] of bytes to [`Connection::poll`].
//!   A message that lies whole in it is unmasked in place and handed out as
//!   [`Payload::Lent`]; one that spans reads is gathered and handed out as
//!   [`Payload::Gathered`]. A connection never keeps the driver's buffer.
//! * **Out**: frames are encoded into an [`Outbox`] that the driver lends.
//!   An idle connection owns no heap buffer.
//!
//! # The invariant
//!
//! *Poll until nothing comes, transmit, then wait for bytes or for the next
//! deadline*: what [`Connection::poll`] makes the protocol answer (pong, Close)
//! is written by [`Connection::transmit`], and nothing else is.

pub use self::close::{CloseCode, CloseFrame, CloseReasonTooLong};
pub use self::config::{Config, Keepalive, Limits};
pub use self::connection::{Cause, Connection, Event, Incoming, Outcome, Role, State};
pub use self::deflate::{Agreement, Deflate, Level, WindowBits};
pub use self::error::{Exceeded, Fault, SendError, Violation};
pub use self::frame::OpCode;
pub use self::input::{Input, Payload, Piece, Source};
pub use self::message::{Kind, Message, NotUtf8, Text};
pub use self::outbox::Outbox;
pub use self::prepared::{Batch, Outgoing, Prepared};

mod close;
mod config;
mod connection;
mod deflate;
mod error;
mod frame;
pub mod handshake;
mod input;
mod message;
mod outbox;
mod prepared;

//! The wire contract of `telsiz serve`, and what `telsiz connect` does: the real command,
//! driven with the client of the library.

mod broadcast;
mod connect;
mod echo;
mod envelope;
mod harness;
mod http;
mod http_documents;
mod http_page;
mod http_rooms;
mod lobby;
mod numbered;
mod relay;
mod rules;
mod serving;
mod stats;
mod stopping;
mod storage;
mod tls;
mod typed;

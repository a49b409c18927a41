//! The wire contract of `telsiz serve`, and what `telsiz connect` does: the real command,
//! driven with the client of the library.

mod admission;
mod broadcast;
mod configuration;
mod connect;
mod echo;
mod envelope;
mod harness;
mod heartbeat;
mod http;
mod http_documents;
mod http_page;
mod http_rooms;
mod limits;
mod lobby;
mod mounts;
mod numbered;
mod open_files;
mod proxies;
mod relay;
mod reloading;
mod rules;
mod seen_from_outside;
mod service;
mod serving;
mod silent_proxy;
mod stats;
mod stopping;
mod storage;
mod tls;
mod typed;

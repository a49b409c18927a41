//! The scenarios: what the library does for its users, one operation each.

mod control;
mod deflate;
mod driver;
mod fan_out;
mod handshake;
mod receive;
mod send;

/// Something that is counted by itself.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// Runs it and returns how many operations were counted.
    pub(crate) run: fn() -> usize,
}

const fn scenario(name: &'static str, run: fn() -> usize) -> Scenario {
    Scenario { name, run }
}

pub(crate) const ALL: &[Scenario] = &[
    scenario("parse-lent-128", receive::lent),
    scenario("parse-owned-128", receive::owned),
    scenario("parse-gathered-128", receive::gathered),
    scenario("parse-fragments-16k", receive::fragments),
    scenario("parse-space-256k", receive::space),
    scenario("unmask-16k", receive::unmask),
    scenario("utf8-ascii-16k", receive::ascii_text),
    scenario("utf8-turkish-16k", receive::turkish_text),
    scenario("utf8-turkish-short", receive::short_turkish_text),
    scenario("utf8-turkish-cut-16k", receive::cut_turkish_text),
    scenario("echo-128", send::echo),
    scenario("encode-copied-128", send::copied),
    scenario("encode-owned-128", send::owned),
    scenario("encode-referenced-16k", send::referenced),
    scenario("encode-masked-128", send::masked_copied),
    scenario("encode-masked-owned-128", send::masked_owned),
    scenario("encode-masked-16k", send::masked_in_place),
    scenario("prepared-1000", send::prepared),
    scenario("prepared-1000-16k", send::prepared_large),
    scenario("prepared-1000-deflate-16k", send::prepared_deflate),
    scenario("deflate-1k", deflate::small),
    scenario("deflate-16k", deflate::large),
    scenario("deflate-takeover-1k", deflate::takeover),
    scenario("inflate-1k", deflate::inflate_small),
    scenario("inflate-16k", deflate::inflate_large),
    scenario("inflate-takeover-1k", deflate::inflate_takeover),
    scenario("handshake-server", handshake::server),
    scenario("handshake-server-deflate", handshake::server_deflate),
    scenario("handshake-client", handshake::client),
    scenario("ping-answered", control::answered_ping),
    scenario("ping-sent", control::sent_ping),
    scenario("connection-opened", control::opened),
    scenario("driver-run-128", driver::run),
    scenario("driver-recv-128", driver::recv),
    scenario("driver-fan-out-200", fan_out::senders),
];

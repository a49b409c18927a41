//! Our client against other people's servers: Python `websockets` and npm `ws`,
//! plain and over TLS. `interop/README.md` says what they do on each path.
//!
//! `cargo xtask test` installs them. Without them these tests say so and pass,
//! unless `CI` is set.
#![allow(clippy::unwrap_used)]

mod common;

// The files beside this one would be test targets of their own.
#[path = "peers/behaviours.rs"]
mod behaviours;
#[path = "peers/process.rs"]
mod process;

/// A test of each behaviour, against one kind of peer.
macro_rules! against {
    ($peer:ident, $kind:expr, $tls:expr) => {
        mod $peer {
            against! { @tests $kind, $tls;
                messages_come_back_as_they_were_sent
                messages_come_back_through_compression
                our_fragments_arrive_as_one_message
                its_fragments_come_as_one_message
                close_codes_come_with_their_reasons
                our_close_codes_arrive_with_their_reasons
                a_connection_that_is_dropped_arrives_as_1000
                its_pings_are_answered
                our_pings_are_answered
                a_server_that_vanishes_is_lost
                a_server_that_resets_is_lost
                a_subprotocol_is_agreed_on
                a_silent_server_is_given_up
                close_gives_a_silent_server_up
                a_message_of_1_mib_comes_at_once
                headers_arrive
                a_refused_handshake_is_typed
                an_unknown_path_is_closed_with_1008
                halves_are_busy_in_two_tasks
            }
        }
    };
    (@tests $kind:expr, $tls:expr; $($behaviour:ident)*) => {
        $(
            #[tokio::test]
            async fn $behaviour() {
                if let Some(peer) = crate::process::Peer::start($kind, $tls).await {
                    crate::behaviours::$behaviour(&peer).await;
                }
            }
        )*
    };
}

against!(python_websockets, crate::process::Kind::Python, false);
against!(
    python_websockets_over_tls,
    crate::process::Kind::Python,
    true
);
against!(npm_ws, crate::process::Kind::Node, false);
against!(npm_ws_over_tls, crate::process::Kind::Node, true);

//! The practical floor of a fan-out: a room that is little more than an epoll loop.
//!
//! It does what no server can avoid: level-triggered epoll, one `recv` per wake-up, each message encoded once, and one
//! `send` for each message and member. With `--coalesce` it gathers what one turn of the loop has read, and each member
//! gets that in one `send`. It leaves out what a real server needs: rooms, identities, positions, limits, timers, slow
//! readers.
//!
//! `fanout-floor ADDR SIZE [--coalesce]` prints the address it is bound to, then serves until it is killed. A delivered
//! message is SIZE bytes.

mod connection;
mod room;

use std::net::TcpListener;

use room::{Room, Sending};

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (address, size) = match &arguments[..] {
        [address, size, ..] => (address, size.parse().ok()),
        _ => (&String::new(), None),
    };
    let Some(size) = size else {
        eprintln!("usage: fanout-floor ADDR SIZE [--coalesce]");
        std::process::exit(2);
    };
    let sending = match arguments.iter().any(|argument| argument == "--coalesce") {
        true => Sending::Coalesced,
        false => Sending::Each,
    };
    let listener = TcpListener::bind(address)?;
    println!("{}", listener.local_addr()?);
    Room::new(&listener, size, sending)?.serve()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;
    use std::time::Duration;

    use load::{Cell, Waiting, Work, fanout};

    use super::*;

    /// The load checks every delivery.
    #[test]
    fn everyone_gets_everything() {
        for sending in [Sending::Each, Sending::Coalesced] {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
            let address = listener.local_addr().expect("its address");
            // Ends with the process.
            thread::spawn(move || Room::new(&listener, 300, sending)?.serve());
            for in_flight in [1, 16] {
                let cell = Cell::of(Work::Fanout, 128, 50, in_flight);
                let moment = Duration::from_millis(50);
                let pid = std::process::id();
                let fanned = fanout(&address.into(), pid, cell, moment, moment, Waiting::Asleep);
                let measured = fanned.expect("no fault").measured;
                assert!(measured.messages >= 50 * in_flight as u64);
                assert_eq!(measured.bytes, measured.messages * 304);
            }
        }
    }
}

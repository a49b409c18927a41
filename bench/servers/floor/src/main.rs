//! The practical floor: a WebSocket echo that is little more than an epoll loop.
//!
//! It does what no echo server can avoid: level-triggered epoll, one `recv` and one `send` per wake-up, payloads
//! unmasked where the kernel put them, headers rewritten in place. All connections share one read buffer. It leaves
//! out what a real server needs: UTF-8 checks, limits, timers, the rules of fragmentation. What other servers cost
//! beyond this is what their features cost.
//!
//! `echo-floor ADDR` prints the address it is bound to, then serves until it is killed.

mod connection;
mod relay;
mod server;

use std::net::TcpListener;

fn main() -> std::io::Result<()> {
    let Some(address) = std::env::args().nth(1) else {
        eprintln!("usage: echo-floor ADDR");
        std::process::exit(2);
    };
    let listener = TcpListener::bind(address)?;
    println!("{}", listener.local_addr()?);
    server::serve(&listener)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;
    use std::time::Duration;

    use load::{Cell, Kind, Script};

    /// The load checks every echo.
    #[test]
    fn echoes_under_load() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let address = listener.local_addr().expect("its address");
        // Ends with the process.
        thread::spawn(move || crate::server::serve(&listener));
        for (kind, cell) in [
            (Kind::Text, Cell::new(0, 1, 1)),
            (Kind::Text, Cell::new(128, 50, 16)),
            (Kind::Binary, Cell::new(9000, 20, 3)),
            (Kind::Binary, Cell::new(3_000_000, 4, 2)),
        ] {
            let script = Script::new(kind, cell);
            let moment = Duration::from_millis(50);
            let pid = std::process::id();
            let measured = load::echo(
                &address.into(),
                pid,
                cell,
                &script,
                moment,
                moment,
                load::Waiting::Asleep,
            )
            .unwrap_or_else(|error| panic!("{cell}: {error}"));
            assert!(measured.messages >= (cell.connections * cell.in_flight) as u64);
        }
    }
}

//! One message to many: through the sending halves of connections that a server accepted.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc;
use std::time::Duration;

use telsiz::{Prepared, Sender, Upgrade};
use tokio::net::TcpListener;

use crate::counter::count;
use crate::wire::{client_handshake, json};

/// How many connections hear it.
const AUDIENCE: usize = 100;

/// From a task, as a room does it, and to receivers that wait.
pub(super) fn senders() -> usize {
    let text = json(200);
    let frame = 4 + text.len();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let (senders, mut clients) = connected().await;
        let mut heard = vec![0; frame];
        let mut has_come = false;
        count(
            AUDIENCE,
            || {
                for client in clients.iter_mut().filter(|_| has_come) {
                    client.read_exact(&mut heard).expect("what was sent");
                }
                has_come = true;
                Prepared::new(text.as_str())
            },
            |prepared| {
                let sent = senders.iter().map(|sender| sender.try_send(&*prepared));
                sent.filter(Result::is_ok).count()
            },
        )
    })
}

/// Connections that are open, and their other ends.
async fn connected() -> (Vec<Sender>, Vec<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let (join, joined) = mpsc::channel();
    let server = telsiz::serve(listener).fallback(move |request: Upgrade| {
        let join = join.clone();
        async move {
            let (mut receiver, sender) = request.accept().await?.split();
            let _ = join.send(sender);
            receiver.recv().await
        }
    });
    tokio::spawn(server.into_future());
    let mut clients: Vec<_> = (0..AUDIENCE).map(|_| ask(address)).collect();
    let mut senders = Vec::new();
    while senders.len() < AUDIENCE {
        tokio::task::yield_now().await;
        senders.extend(joined.try_iter());
    }
    clients.iter_mut().for_each(hear_answer);
    (senders, clients)
}

fn ask(address: SocketAddr) -> TcpStream {
    let mut client = TcpStream::connect(address).expect("the server listens");
    let patience = Some(Duration::from_secs(60));
    client.set_read_timeout(patience).expect("a time");
    let request = client_handshake(None).transmit().to_vec();
    client.write_all(&request).expect("it is read");
    client
}

fn hear_answer(client: &mut TcpStream) {
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte).expect("an answer");
        answer.extend(byte);
    }
}

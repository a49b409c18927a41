//! `broadcast`: every message goes to all other connections of the mount, unchanged.

use telsiz::Message;

use crate::harness::Server;

#[tokio::test]
async fn a_message_reaches_all_others_unchanged_in_its_kind_and_in_order() {
    let server = Server::start("");
    let mut sender = server.open("/broadcast").await;
    let mut others = [
        server.open("/broadcast").await,
        server.open("/broadcast").await,
    ];
    let messages = [
        Message::text("merhaba ğ"),
        Message::binary(vec![0, 255]),
        Message::text(""),
        Message::binary(Vec::new()),
    ];
    for message in &messages {
        sender.send(message.clone()).await;
    }
    for other in &mut others {
        for message in &messages {
            assert_eq!(other.next().await, *message);
        }
    }
    // Nothing came back to the sender before this.
    others[0].send("from another").await;
    assert_eq!(sender.text().await, "from another");
}

#[tokio::test]
async fn many_messages_of_many_senders_reach_each_in_one_order() {
    const EACH: usize = 200;
    let server = Server::start("broadcast");
    let mut readers = [server.open("/").await, server.open("/").await];
    let mut senders = [
        server.open("/").await,
        server.open("/").await,
        server.open("/").await,
    ];
    let sending = async {
        for number in 0..EACH {
            for (name, sender) in senders.iter_mut().enumerate() {
                sender.send(format!("{name} {number}")).await;
            }
        }
    };
    let reading = async {
        let mut heard = [Vec::new(), Vec::new()];
        for (reader, heard) in readers.iter_mut().zip(&mut heard) {
            for _ in 0..3 * EACH {
                heard.push(reader.text().await);
            }
        }
        heard
    };
    let ((), [first, second]) = tokio::join!(sending, reading);
    assert_eq!(first, second);
    for name in 0..3 {
        let own = first
            .iter()
            .filter_map(|text| text.strip_prefix(&format!("{name} ")));
        let expected = (0..EACH).map(|number| number.to_string());
        assert!(own.eq(expected), "the messages of {name} are out of order");
    }
}

#[tokio::test]
async fn served_alone_all_paths_are_one_mount() {
    let server = Server::start("broadcast");
    let mut sender = server.open("/").await;
    let mut own = server.open("/broadcast").await;
    let mut other = server.open("/any/other?x=y").await;
    sender.send("hello").await;
    assert_eq!(own.text().await, "hello");
    assert_eq!(other.text().await, "hello");
}

#[tokio::test]
async fn who_left_or_was_lost_keeps_nobody_from_receiving() {
    let server = Server::start("broadcast");
    let mut sender = server.open("/").await;
    server.open("/").await.leave().await;
    drop(server.open_bare("/"));
    let mut stayer = server.open("/").await;
    for number in 0..20 {
        let text = number.to_string();
        sender.send(text.as_str()).await;
        assert_eq!(stayer.text().await, text);
    }
}

//! `relay`: the sender gets a receipt, everyone else the text with a prefix.

use crate::harness::Server;

#[tokio::test]
async fn the_sender_gets_a_receipt_and_everyone_else_the_text() {
    let server = Server::start("");
    let mut sender = server.open("/ws").await;
    let mut others = [server.open("/ws").await, server.open("/ws").await];
    for text in ["Merhaba dünya", "", "{} {0} {{}}"] {
        assert_eq!(sender.ask(text).await, format!("Mesajınız: {text}"));
        for other in &mut others {
            let expected = format!("Başka bir istemciden: {text}");
            assert_eq!(other.text().await, expected);
        }
    }
}

#[tokio::test]
async fn each_reader_gets_the_language_it_asked_for() {
    for (flag, plain_receipt, plain_prefix) in [
        ("tr", "Mesajınız", "Başka bir istemciden"),
        ("en", "Your message", "From another client"),
    ] {
        let server = Server::start(&format!("relay --lang {flag}"));
        let mut turkish = server.open("/?lang=tr").await;
        let mut english = server.open("/?lang=en").await;
        let mut unknown = server.open("/?lang=xx").await;
        assert_eq!(turkish.ask("1").await, "Mesajınız: 1");
        assert_eq!(english.text().await, "From another client: 1");
        assert_eq!(unknown.text().await, format!("{plain_prefix}: 1"));
        assert_eq!(english.ask("2").await, "Your message: 2");
        assert_eq!(turkish.text().await, "Başka bir istemciden: 2");
        assert_eq!(unknown.text().await, format!("{plain_prefix}: 2"));
        assert_eq!(unknown.ask("3").await, format!("{plain_receipt}: 3"));
    }
}

#[tokio::test]
async fn receipts_and_texts_of_others_come_in_the_order_of_sending() {
    const EACH: usize = 100;
    let server = Server::start("relay");
    let mut first = server.open("/").await;
    let mut second = server.open("/").await;
    for number in 0..EACH {
        first.send(format!("a{number}")).await;
        second.send(format!("b{number}")).await;
    }
    let mut heard = [Vec::new(), Vec::new()];
    for (client, heard) in [&mut first, &mut second].into_iter().zip(&mut heard) {
        for _ in 0..2 * EACH {
            let text = client.text().await;
            let (_, text) = text.split_once(": ").expect("a prefix");
            heard.push(text.to_owned());
        }
    }
    assert_eq!(heard[0], heard[1]);
}

#[tokio::test]
async fn a_binary_message_is_closed_with_1003() {
    let server = Server::start("");
    let mut client = server.open("/ws").await;
    client.send(vec![0]).await;
    assert_eq!(client.closed().await.code().get(), 1003);
}

#[tokio::test]
async fn who_sends_much_before_it_reads_waits_but_is_not_closed() {
    // The receipts are more than the kernel keeps and more than may wait.
    const COUNT: usize = 400;
    let text = "x".repeat(60_000);
    let server = Server::start("relay");
    let ws = server.open("/").await.0;
    let (mut receiver, sender) = ws.split();
    let sending = async {
        for _ in 0..COUNT {
            sender.send(text.as_str()).await.expect("sent");
        }
    };
    let mut sending = std::pin::pin!(sending);
    let mut received = 0;
    // Reads only while it cannot send.
    loop {
        tokio::select! {
            biased;
            () = &mut sending => break,
            message = receiver.recv() => {
                assert!(message.expect("no error").is_some());
                received += 1;
            }
        }
    }
    while received < COUNT {
        assert!(receiver.recv().await.expect("no error").is_some());
        received += 1;
    }
}

//! How a server stops.

use crate::harness::Server;

#[tokio::test]
async fn a_signal_closes_every_connection_with_1012_and_ends_the_process() {
    for name in ["TERM", "INT"] {
        let mut server = Server::start("--workers 2");
        let mut clients = Vec::new();
        for path in ["/echo", "/broadcast", "/ws", "/typed"].repeat(2) {
            clients.push(server.open(path).await);
        }
        let mut numbered = server.open("/numbered").await;
        assert_eq!(numbered.text().await, "Welcome to chat! Your ID: 1");
        clients.push(numbered);
        server.signal(name);
        for mut client in clients {
            assert_eq!(client.closed().await.code().get(), 1012);
        }
        assert_eq!(server.ended().await.code(), Some(0));
    }
}

#[tokio::test]
async fn a_second_signal_does_not_wait() {
    let mut server = Server::start("echo");
    // It never answers the close: nobody polls it.
    let _silent = server.open("/").await;
    let mut witness = server.open("/").await;
    server.signal("TERM");
    assert_eq!(witness.closed().await.code().get(), 1012);
    server.signal("TERM");
    assert_eq!(server.ended().await.code(), Some(1));
}

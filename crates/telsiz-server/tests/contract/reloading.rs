//! `SIGHUP`: what a running server can be told, and what it says of the rest.

use std::fs;

use telsiz::ClientTls;

use crate::configuration::file;
use crate::harness::{Client, Server};
use crate::tls::certificate;

const PING: &str = r#"{"type":"ping"}"#;

#[tokio::test]
async fn language_origins_keys_and_rates_are_told_to_a_running_server_and_its_connections() {
    let mounts = |rate: &str| {
        format!(
            "[[mount]]\npath = \"/a\"\napp = \"relay\"\n{rate}\n\
             [[mount]]\npath = \"/b\"\napp = \"typed\"\n"
        )
    };
    let path = file("live.toml", &mounts(""));
    let server = Server::start(&format!("--config {}", path.display()));
    let mut open = server.open("/b").await;
    assert!(open.ask(PING).await.contains("pong"));
    let origin = [("Origin", "https://a.example")];
    assert_eq!(server.upgrade("/a", &origin).status, 403);
    assert_eq!(server.get("/send/x").status, 200);

    let first = "lang = \"en\"\nallow_origin = [\"https://a.example\"]\napi_key = \"k\"\n\
                 rate_limit = \"close 1/60s\"\n";
    let text = format!("{first}{}", mounts("rate_limit = \"reject 1/60s\""));
    fs::write(&path, text).expect("written");
    server.signal("HUP");
    let said = server.logged("read the configuration anew");
    let told = "anew: allow_origin, api_key, rate_limit, lang, rate_limit of /a";
    assert!(said.ends_with(told), "{said}");

    assert_eq!(server.upgrade("/a", &origin).status, 101);
    assert_eq!(server.get("/send/x").status, 403);
    open.send(PING).await;
    assert_eq!(open.closed().await.to_string(), "1008 Rate limit exceeded");
    let mut relay = server.open("/a").await;
    assert_eq!(relay.ask("x").await, "Your message: x");
    assert!(relay.ask("x").await.contains("Rate limit exceeded"));
}

#[tokio::test]
async fn what_needs_a_restart_is_said_each_time_and_the_rest_is_done() {
    let path = file("restart.toml", "");
    let server = Server::start(&format!("--config {}", path.display()));
    fs::write(&path, "lang = \"en\"\nworkers = 7\nmount = []\n").expect("written");
    server.signal("HUP");
    let said = server.logged("read the configuration anew");
    assert!(
        said.ends_with("anew: lang; needs a restart: workers, the mounts"),
        "{said}"
    );
    server.signal("HUP");
    let said = server.logged("read the configuration anew");
    assert!(
        said.ends_with("anew: nothing new; needs a restart: workers, the mounts"),
        "{said}"
    );
    let mut relay = server.open("/ws").await;
    assert_eq!(relay.ask("x").await, "Your message: x");
}

#[tokio::test]
async fn a_limit_of_an_echo_can_be_changed_but_the_first_one_needs_a_restart() {
    let mount = "[[mount]]\npath = \"/e\"\napp = \"echo\"\n";
    let path = file("echo.toml", mount);
    let limited = |rate| format!("{mount}rate_limit = \"{rate}\"\n");
    let server = Server::start(&format!("--config {}", path.display()));
    fs::write(&path, limited("close 2/60s")).expect("written");
    server.signal("HUP");
    let said = server.logged("read the configuration anew");
    assert!(
        said.ends_with("nothing new; needs a restart: the mounts"),
        "{said}"
    );

    let server = Server::start(&format!("--config {}", path.display()));
    fs::write(&path, limited("close 1/60s")).expect("written");
    server.signal("HUP");
    let said = server.logged("read the configuration anew");
    assert!(said.ends_with("anew: rate_limit of /e"), "{said}");
    let mut echo = server.open("/e").await;
    assert_eq!(echo.ask("x").await, "x");
    echo.send("y").await;
    assert_eq!(echo.closed().await.code().get(), 1008);
}

#[tokio::test]
async fn a_bad_file_changes_nothing_and_is_told() {
    let path = file("bad.toml", "lang = \"en\"\n");
    let server = Server::start(&format!("--config {}", path.display()));
    for (text, complaint) in [
        (
            "lang = \"tr\"\nlisen = 1\n",
            "bad.toml:2: there is no key lisen; the nearest is listen",
        ),
        (
            "lang = \"tr\"\ntls_cert = \"/no/such\"\ntls_key = \"/no/such\"",
            "tls_cert /no/such",
        ),
        ("lang = \"tr\"\nlang", "bad.toml:2: "),
    ] {
        fs::write(&path, text).expect("written");
        server.signal("HUP");
        let said = server.logged("stays as it is");
        assert!(said.contains("ERROR") && said.contains(complaint), "{said}");
        let mut relay = server.open("/ws").await;
        assert_eq!(relay.ask("x").await, "Your message: x");
    }
    fs::remove_file(&path).expect("removed");
    server.signal("HUP");
    assert!(
        server
            .logged("stays as it is")
            .contains("cannot read the configuration file")
    );
}

#[tokio::test]
async fn a_renewed_certificate_is_used_from_the_next_handshake_on() {
    let (old, chain, key) = certificate("renewed");
    let flags = format!("--tls-cert {} --tls-key {}", chain.display(), key.display());
    let server = Server::start(&flags);
    let connect = |authority: &str| {
        let tls = ClientTls::authorities(authority).expect("an authority");
        let url = server.url("/echo").replace("ws://", "wss://");
        telsiz::connect(url).tls(tls)
    };
    let mut before = Client(connect(&old).await.expect("a connection"));

    fs::write(&key, "no key").expect("written");
    server.signal("HUP");
    server.logged("stays as it is");
    connect(&old).await.expect("as before");

    let (new, ..) = certificate("renewed");
    server.signal("HUP");
    assert!(server.logged("anew").ends_with("anew: the certificate"));
    assert!(connect(&old).await.is_err(), "another certificate");
    let mut after = Client(connect(&new).await.expect("a connection"));
    assert_eq!(after.ask("x").await, "x");
    assert_eq!(before.ask("y").await, "y");
}

#[tokio::test]
async fn without_a_file_and_a_certificate_the_signal_ends_the_server_as_ever() {
    let mut server = Server::start("echo");
    server.signal("HUP");
    assert_eq!(server.ended().await.code(), None, "ended by the signal");
}

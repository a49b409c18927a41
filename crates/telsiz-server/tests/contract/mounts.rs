//! Which app is on which path, when a file says so.

use serde_json::json;

use crate::configuration::file;
use crate::harness::Server;

fn start(name: &str, text: &str) -> Server {
    let path = file(name, text);
    Server::start(&format!("--lang en --config {}", path.display()))
}

#[tokio::test]
async fn an_app_may_be_on_several_paths_each_with_its_own_people_and_options() {
    let server = start(
        "several.toml",
        r#"
        [[mount]]
        path = "/a"
        app = "relay"
        receipt = "echo: {}"
        others = ""

        [[mount]]
        path = "/b"
        app = "relay"
        max_message_size = 20

        [[mount]]
        path = "/c/{client_id}"
        app = "rooms"
        "#,
    );
    let (mut one, mut two) = (server.open("/a").await, server.open("/a").await);
    let (mut three, mut four) = (server.open("/b?lang=tr").await, server.open("/b").await);
    assert_eq!(one.ask("x").await, "echo: x");
    assert_eq!(three.ask("y").await, "Mesajınız: y");
    assert_eq!(four.text().await, "From another client: y");
    // Had "x" gone to them, that would come first.
    assert_eq!(two.ask("z").await, "echo: z");
    three.send("a".repeat(21)).await;
    assert_eq!(three.json().await["max_size"], 20);
    assert_eq!(three.closed().await.code().get(), 1009);
    assert_eq!(
        one.ask(&"a".repeat(21)).await,
        format!("echo: {}", "a".repeat(21))
    );
    for path in ["/c/ayse", "/c/"] {
        let mut guest = server.open(path).await;
        let answer = guest.ask_json(&json!({"type": "get_rooms"})).await;
        assert_eq!(answer["type"], "room_list");
    }
}

#[tokio::test]
async fn what_is_not_mounted_is_not_there() {
    let server = start("only.toml", "[[mount]]\npath = \"/e\"\napp = \"typed\"\n");
    for path in ["/echo", "/typed", "/ws"] {
        let frame = server.open(path).await.closed().await;
        assert_eq!(frame.to_string(), "1008 Unknown endpoint", "{path}");
    }
    assert_eq!(server.get("/e").status, 426);
    assert_eq!(server.get("/typed").status, 404);
    assert_eq!(
        server.http("PUT", "/e", &[], "").header("allow"),
        Some("GET,HEAD")
    );
    assert!(server.banner.contains("  /e  typed  "), "{}", server.banner);
    let page = server.http("GET", "/", &[("Accept", "text/html")], "").body;
    assert!(
        page.contains("<code>/e</code>") && !page.contains("/echo"),
        "{page}"
    );
    let document = server.get("/openapi.json").json();
    assert!(document["paths"]["/schemas/typed.json"].is_object());
    assert!(document["paths"]["/schemas/rooms.json"].is_null());
    let mounts = &document["x-mounts"];
    assert_eq!(mounts.as_array().map(Vec::len), Some(1));
    assert_eq!(
        (&mounts[0]["path"], &mounts[0]["app"]),
        (&json!("/e"), &json!("typed"))
    );
    assert_eq!(mounts[0]["schema"], "/schemas/typed.json");
    assert_eq!(server.get("/send/x").status, 500);
}

#[tokio::test]
async fn every_rate_limit_can_be_that_of_a_mount() {
    let server = start(
        "rates.toml",
        r#"
        rate_limit = "reject 2/60s"

        [[mount]]
        path = "/closing"
        app = "broadcast"
        rate_limit = "close 2/60s"

        [[mount]]
        path = "/echo"
        app = "echo"
        rate_limit = "reject 1/60s"

        [[mount]]
        path = "/free"
        app = "echo"

        [[mount]]
        path = "/slow"
        app = "typed"
        rate_limit = "throttle 50ms"

        [[mount]]
        path = "/all"
        app = "typed"
        "#,
    );
    let ping = r#"{"type":"ping"}"#;
    let mut closing = server.open("/closing").await;
    for _ in 0..3 {
        closing.send("x").await;
    }
    assert_eq!(
        closing.closed().await.to_string(),
        "1008 Rate limit exceeded"
    );
    let mut echo = server.open("/echo").await;
    assert_eq!(echo.ask("x").await, "x");
    assert!(echo.ask("x").await.contains("Rate limit exceeded"));
    let mut free = server.open("/free").await;
    for _ in 0..5 {
        assert_eq!(free.ask("x").await, "x");
    }
    let mut all = server.open("/all").await;
    for _ in 0..2 {
        assert!(all.ask(ping).await.contains("pong"));
    }
    assert!(all.ask(ping).await.contains("Rate limit exceeded"));
    let mut slow = server.open("/slow").await;
    let start = std::time::Instant::now();
    for _ in 0..4 {
        slow.send(ping).await;
    }
    for _ in 0..4 {
        assert!(slow.text().await.contains("pong"));
    }
    assert!(start.elapsed().as_millis() >= 150, "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_path_may_overlap_with_the_pages() {
    let server = start(
        "overlap.toml",
        r#"
        [[mount]]
        path = "/api/rooms/{room_id}"
        app = "room"

        [[mount]]
        path = "/rooms"
        app = "echo"

        [[mount]]
        path = "/{anything}/{*rest}"
        app = "echo"
        "#,
    );
    assert_eq!(server.get("/api/rooms/genel/members").status, 200);
    assert_eq!(server.get("/rooms").status, 200);
    assert_eq!(server.get("/api/rooms/genel").status, 426);
    let mut member = server.open("/api/rooms/genel?user_id=1&username=a").await;
    assert_eq!(member.json().await["room_id"], "genel");
    for path in ["/rooms", "/x/y/z"] {
        let mut echo = server.open(path).await;
        assert_eq!(echo.ask("x").await, "x");
    }
}

#[tokio::test]
async fn announcements_are_options_of_a_relay() {
    let server = start(
        "announced.toml",
        "[[mount]]\npath = \"/news\"\napp = \"relay\"\nannouncements = [\"Noon.\"]\n\
         announce_every = \"20ms\"\n",
    );
    let said = server.open("/news").await.text().await;
    assert!(said.starts_with("SERVER: Noon. ["), "{said}");
}

#[tokio::test]
async fn an_app_alone_goes_before_the_mounts_of_a_file() {
    let path = file("alone.toml", "[[mount]]\npath = \"/e\"\napp = \"typed\"\n");
    let server = Server::start(&format!("echo --config {}", path.display()));
    for path in ["/e", "/typed", "/"] {
        let mut client = server.open(path).await;
        assert_eq!(client.ask("x").await, "x");
    }
}

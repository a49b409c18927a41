//! The rooms over HTTP, which `room` and `rooms` share.

use serde_json::{Value, json};

use crate::harness::{Client, Reply, Server};

/// What `client` hears next of this type.
async fn heard(client: &mut Client, kind: &str) -> Value {
    loop {
        let text = client.text().await;
        let message: Value = serde_json::from_str(&text).expect("JSON");
        if message["type"] == kind {
            return message;
        }
    }
}

async fn join(client: &mut Client, room: &str) {
    let ask = json!({"type": "join_room", "room_id": room, "id": 1});
    client.send(ask.to_string()).await;
    heard(client, "ok").await;
}

fn say(server: &Server, room: &str, body: Value) -> Reply {
    let path = format!("/api/rooms/{room}/messages");
    server.http("POST", &path, &[], &body.to_string())
}

#[tokio::test]
async fn what_is_posted_reaches_every_dialect_and_is_in_every_history() {
    let server = Server::start("");
    let mut room = server.open("/ws/chat/genel?user_id=r&username=Rıza").await;
    heard(&mut room, "room_members").await;
    let mut rooms = server.open("/ws/s?username=Suna").await;
    join(&mut rooms, "genel").await;

    let reply = say(
        &server,
        "genel",
        json!({"message": "Günaydın 🎈", "username": "Ayşe"}),
    );
    assert_eq!(reply.status, 200);
    let stands = reply.json();
    assert_eq!(stands["seq"], 1);
    let epoch = stands["epoch"].as_str().expect("an epoch");

    let message = heard(&mut room, "message").await;
    let timestamp = &message["timestamp"];
    let expected = json!({
        "type": "message", "user_id": "http", "username": "Ayşe", "content": "Günaydın 🎈",
        "timestamp": timestamp, "room_id": "genel",
    });
    assert_eq!(message, expected);
    let chat = heard(&mut rooms, "chat").await;
    let expected = json!({
        "type": "chat", "room_id": "genel", "client_id": "http", "username": "Ayşe",
        "message": "Günaydın 🎈", "timestamp": timestamp, "seq": 1, "epoch": epoch,
    });
    assert_eq!(chat, expected);

    room.send(r#"{"content":"from room"}"#).await;
    let from_room = heard(&mut rooms, "chat").await;
    assert_eq!(from_room["message"], "from room");
    let ask = json!({"type": "get_history", "room_id": "genel"});
    rooms.send(ask.to_string()).await;
    let over_websocket = heard(&mut rooms, "message_history").await;
    assert_eq!(over_websocket["messages"], json!([chat, from_room]));
    let over_http = server.get("/api/rooms/genel/messages").json();
    assert_eq!(over_http, over_websocket);
}

#[tokio::test]
async fn who_is_where_is_listed_by_users_and_by_connections() {
    let server = Server::start("");
    let mut tabs = Vec::new();
    for _ in 0..2 {
        let mut tab = server.open("/ws/s?username=Suna").await;
        join(&mut tab, "b").await;
        tabs.push(tab);
    }
    join(&mut tabs[0], "a b/c").await;
    let mut room = server.open("/ws/chat/b?user_id=r&username=Rıza").await;
    heard(&mut room, "room_members").await;
    let suna = json!({"client_id": "s", "username": "Suna"});
    let riza = json!({"client_id": "r", "username": "Rıza"});

    let expected = json!({
        "rooms": [
            {"room_id": "a b/c", "member_count": 1, "members": [suna]},
            {"room_id": "b", "member_count": 2, "members": [riza, suna]},
        ],
        "page": 1, "total_pages": 1,
    });
    assert_eq!(server.get("/rooms").json(), expected);
    let expected = json!({
        "rooms": [{"room_id": "b", "member_count": 2, "members": [riza, suna]}],
        "page": 2, "total_pages": 2,
    });
    assert_eq!(server.get("/rooms?page=2&per_page=1").json(), expected);

    let listed = server.get("/api/rooms/b/members").json();
    assert_eq!(
        (&listed["room_id"], &listed["count"]),
        (&json!("b"), &json!(3))
    );
    let members = listed["members"].as_array().expect("members");
    let told = |name: &str| members.iter().map(|m| m[name].clone()).collect::<Vec<_>>();
    assert_eq!(told("user_id"), ["s", "s", "r"]);
    assert_eq!(told("username"), ["Suna", "Suna", "Rıza"]);
    assert_eq!(
        told("rooms"),
        [json!(["b", "a b/c"]), json!(["b"]), json!(["b"])]
    );
    for since in told("connected_at") {
        let since = since.as_str().expect("a text");
        assert!(since.len() == 24 && since.ends_with('Z'), "{since}");
    }
    let listed = server.get("/api/rooms/a%20b%2Fc/members").json();
    assert_eq!(
        (&listed["room_id"], &listed["count"]),
        (&json!("a b/c"), &json!(1))
    );
    let expected = json!({
        "total_connections": 3, "total_rooms": 2, "rooms": {"a b/c": 1, "b": 3},
    });
    assert_eq!(server.get("/api/stats").json(), expected);
}

#[tokio::test]
async fn an_unknown_room_is_empty() {
    let server = Server::start("");
    let members = server.get("/api/rooms/x/members");
    let expected = json!({"room_id": "x", "members": [], "count": 0});
    assert_eq!((members.status, members.json()), (200, expected));
    let history = server.get("/api/rooms/x/messages");
    let expected = json!({
        "type": "message_history", "room_id": "x", "page": 1, "total_pages": 1, "messages": [],
    });
    assert_eq!((history.status, history.json()), (200, expected));
    // A room in which something was said, but nobody is, is in no list.
    assert_eq!(say(&server, "x", json!({"message": "a"})).status, 200);
    let nobody = json!({"rooms": [], "page": 1, "total_pages": 1});
    assert_eq!(server.get("/rooms").json(), nobody);
    let nobody = json!({"total_connections": 0, "total_rooms": 0, "rooms": {}});
    assert_eq!(server.get("/api/stats").json(), nobody);
}

#[tokio::test]
async fn who_may_not_write_says_nothing_in_a_room() {
    let server = Server::start("");
    let path = "/api/rooms/genel/messages";
    for header in [
        ("Host", "example.com"),
        ("Origin", "https://example.com"),
        ("Sec-Fetch-Site", "cross-site"),
        ("X-Forwarded-For", "192.0.2.1"),
    ] {
        let reply = server.http("POST", path, &[header], r#"{"message":"bad"}"#);
        assert_eq!(reply.status, 403, "{header:?}");
        assert!(reply.detail().contains("TELSIZ_API_KEY"));
    }
    assert_eq!(server.get(path).json()["messages"], json!([]));

    let server = Server::with("", "0.0.0.0:0", &[("TELSIZ_API_KEY", "gizli")]);
    for (credentials, status) in [("Bearer gizli", 200), ("Bearer no", 403)] {
        let headers = [("Authorization", credentials)];
        let reply = server.http("POST", path, &headers, r#"{"message":"x"}"#);
        assert_eq!(reply.status, status, "{credentials}");
    }
    assert_eq!(say(&server, "genel", json!({"message": "x"})).status, 403);
    assert_eq!(server.get(path).json()["messages"][1], Value::Null);
}

#[tokio::test]
async fn an_oversized_message_is_413_and_the_largest_is_not() {
    let server = Server::start("--max-message-size 100");
    for (len, status) in [(100, 200), (101, 413), (10_000, 413)] {
        let reply = say(&server, "a", json!({"message": "x".repeat(len)}));
        assert_eq!(reply.status, status, "{len}");
    }
}

#[tokio::test]
async fn a_page_of_rooms_has_at_most_1000_and_so_have_the_figures() {
    let server = Server::start("--rate-limit off");
    let mut client = server.open("/ws/s").await;
    for number in 1..=1_001 {
        let ask = json!({"type": "join_room", "room_id": format!("{number:04}")});
        client.send(ask.to_string()).await;
        heard(&mut client, "system").await;
    }
    for (per_page, pages, count) in [(999, 2, 999), (1_000, 2, 1_000), (1_001, 2, 1_000)] {
        let page = server.get(&format!("/rooms?per_page={per_page}")).json();
        let rooms = page["rooms"].as_array().expect("rooms");
        assert_eq!((&page["total_pages"], rooms.len()), (&json!(pages), count));
    }
    let last = server.get("/rooms?per_page=1000&page=2").json();
    assert_eq!(last["rooms"][0]["room_id"], "1001");
    let usual = server.get("/rooms").json();
    assert_eq!(usual["rooms"].as_array().expect("rooms").len(), 100);
    let figures = server.get("/api/stats").json();
    assert_eq!(figures["total_rooms"], 1_001);
    assert_eq!(figures["rooms"].as_object().expect("rooms").len(), 1_000);
}

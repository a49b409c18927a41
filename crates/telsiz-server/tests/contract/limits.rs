//! What is limited of rooms when a server is told so: each limit one below, at, and one above.

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::{Client, Server};

async fn ask(client: &mut Client, mut message: Value) -> Value {
    message["id"] = json!(1);
    client.send_json(&message).await;
    loop {
        let answer = client.json().await;
        if answer["id"] == 1 {
            return answer;
        }
    }
}

fn limit(message: &str) -> Value {
    json!({"type": "error", "id": 1, "code": "limit", "message": message})
}

async fn join(client: &mut Client, room: &str) -> Value {
    ask(client, json!({"type": "join_room", "room_id": room})).await
}

#[tokio::test]
async fn rooms_of_a_connection() {
    let server = Server::start("--max-rooms-per-connection 2");
    for (lang, said) in [
        ("tr", "En çok 2 odada olabilirsiniz"),
        ("en", "You may be in at most 2 rooms"),
    ] {
        let mut client = server.open(&format!("/ws/ada?lang={lang}")).await;
        // The third time it is there already.
        for room in ["a", "b", "a"] {
            assert_eq!(join(&mut client, room).await["type"], "ok", "{room}");
        }
        assert_eq!(join(&mut client, "c").await, limit(said));
        ask(&mut client, json!({"type": "leave_room", "room_id": "a"})).await;
        assert_eq!(join(&mut client, "c").await["type"], "ok");
        assert_eq!(join(&mut client, "a").await, limit(said));
    }
    assert_eq!(server.limits_hit("rooms"), 4);
}

#[tokio::test]
async fn members_of_a_room() {
    let server = Server::start("--max-members-per-room 2 --workers 2");
    let room = "/ws/chat/r?user_id=u&username=u";
    let mut first = server.open("/ws/ada?lang=en").await;
    assert_eq!(join(&mut first, "r").await["type"], "ok");
    let mut second = server.open(room).await;
    second.text().await;
    let mut third = server.open("/ws/can?lang=tr").await;
    let full = "Oda dolu: en çok 2 bağlantı olabilir";
    assert_eq!(join(&mut third, "r").await, limit(full));
    for (language, said) in [
        ("tr", full),
        ("en", "The room is full: at most 2 connections may be in it"),
    ] {
        let reply = server.upgrade(room, &[("Accept-Language", language)]);
        assert_eq!((reply.status, reply.detail()), (503, said.to_owned()));
    }
    let ours = telsiz::connect(server.url(room)).subprotocols(["telsiz.v1"]);
    let frame = Client(ours.await.expect("accepted")).closed().await;
    assert_eq!(frame.to_string(), "1013 Room is full");
    // Whoever is there may join again, and another room has room.
    assert_eq!(join(&mut first, "r").await["type"], "ok");
    assert_eq!(join(&mut third, "s").await["type"], "ok");
    second.leave().await;
    while first.json().await["message"] != "u left the room" {}
    assert_eq!(join(&mut third, "r").await["type"], "ok");
    assert_eq!(server.limits_hit("members"), 4);
}

#[tokio::test]
async fn members_of_a_room_who_come_at_the_same_moment_to_several_workers() {
    let server = Server::start("--max-members-per-room 5 --workers 4");
    let mut coming = JoinSet::new();
    for _ in 0..40 {
        coming.spawn(telsiz::connect(server.url("/ws/chat/r?user_id=u&username=u")).into_future());
    }
    let came: Vec<_> = coming
        .join_all()
        .await
        .into_iter()
        .filter_map(Result::ok)
        .collect();
    assert_eq!(came.len(), 5);
    assert_eq!(server.limits_hit("members"), 35);
}

#[tokio::test]
async fn bytes_of_a_publication() {
    let server = Server::start("--max-publish-size 10");
    let large = |lang| match lang {
        "tr" => "Mesaj çok büyük: en çok 10 bayt",
        _ => "The message is too large: at most 10 bytes",
    };
    // Each in a room of its own: those of the first are still leaving.
    for lang in ["tr", "en"] {
        let mut client = server.open(&format!("/ws/ada?lang={lang}")).await;
        join(&mut client, lang).await;
        let mut other = server
            .open(&format!("/ws/chat/{lang}?user_id=u&username=u&lang={lang}"))
            .await;
        other.text().await;
        other.text().await;
        for text in ["123456789", "ğğğğğ", "ğğğğğ!"] {
            let message = json!({"type": "room_message", "room_id": lang, "message": text});
            let answer = ask(&mut client, message).await;
            other.send(json!({"content": text}).to_string()).await;
            match text.len() > 10 {
                true => {
                    assert_eq!(answer, limit(large(lang)));
                    let told = other.json().await;
                    assert_eq!(told, json!({"type": "error", "message": large(lang)}));
                }
                false => {
                    assert_eq!(answer["type"], "ok");
                    assert_eq!(other.json().await["content"], text);
                    assert_eq!(other.json().await["user_id"], "u");
                }
            }
        }
    }
    assert_eq!(server.limits_hit("publish_size"), 4);
}

#[tokio::test]
async fn reads_of_the_history() {
    let server = Server::start("--history-rate 2/60s");
    for (lang, start) in [
        ("tr", "Geçmişi çok sık istediniz; "),
        ("en", "You asked for the history too often; try again in "),
    ] {
        let mut client = server.open(&format!("/ws/ada?lang={lang}")).await;
        let read = json!({"type": "get_history", "room_id": "r"});
        // Who may not read it has not read it.
        assert_eq!(ask(&mut client, read.clone()).await["code"], "not_member");
        join(&mut client, "r").await;
        for _ in 0..2 {
            assert_eq!(
                ask(&mut client, read.clone()).await["type"],
                "message_history"
            );
        }
        let told = ask(&mut client, read).await;
        assert_eq!(
            (&told["type"], &told["code"]),
            (&json!("error"), &json!("limit"))
        );
        let retry_after = told["retry_after"].as_u64().expect("seconds");
        assert!((1..=60).contains(&retry_after), "{told}");
        let message = told["message"].as_str().expect("a text");
        assert!(
            message.starts_with(&format!("{start}{retry_after} ")) || lang == "tr",
            "{message}"
        );
        assert!(message.starts_with(start), "{message}");
        // Everything else is still done.
        assert_eq!(join(&mut client, "r").await["type"], "ok");
    }
    assert_eq!(server.limits_hit("history_rate"), 2);
}

#[tokio::test]
async fn names_of_rooms_and_users() {
    let server = Server::start("--max-name-length 4 --name-characters word");
    let expected = |language| match language {
        "tr" => "en çok 4 karakterlik, yalnızca harf, rakam, _, - ve . içeren bir ad bekleniyordu",
        _ => "expected a name of at most 4 characters, all of them letters, digits, _, - or .",
    };
    for language in ["tr", "en"] {
        for (path, field) in [
            ("/ws/chat/abcde?user_id=u&username=u", "room_id"),
            ("/ws/chat/r?user_id=a%20b&username=u", "user_id"),
            ("/ws/chat/r?user_id=u&username=%3Cb%3E", "username"),
            ("/ws/abcde", "client_id"),
            ("/ws/ada?username=abcde", "username"),
        ] {
            let reply = server.upgrade(path, &[("Accept-Language", language)]);
            let detail = format!("{field}: {}", expected(language));
            assert_eq!((reply.status, reply.detail()), (403, detail), "{path}");
        }
        for path in [
            "/ws/chat/abcd?user_id=%C4%9F%C4%9F%C4%9F%C4%9F&username=",
            "/ws/abc",
            "/ws/",
        ] {
            assert_eq!(server.upgrade(path, &[]).status, 101, "{path}");
        }
        let mut client = server.open(&format!("/ws/ada?lang={language}")).await;
        for (room, allowed) in [
            ("abc", true),
            ("abcd", true),
            ("abcde", false),
            ("a b", false),
        ] {
            let answer = join(&mut client, room).await;
            match allowed {
                true => assert_eq!(answer["type"], "ok", "{room}"),
                false => {
                    assert_eq!(answer["code"], "bad_request", "{room}");
                    let message = format!("room_id: {}", expected(language));
                    assert_eq!(answer["message"], message, "{room}");
                }
            }
        }
        let mut guest = server.open(&format!("/chat?lang={language}")).await;
        let told = guest
            .ask_json(&json!({"type": "join", "nick": "a b"}))
            .await;
        assert_eq!(told["text"], format!("nick: {}", expected(language)));
        assert_eq!(guest.closed().await.to_string(), "1008 Invalid nick");
    }
    assert_eq!(server.limits_hit("name"), 16);
}

#[tokio::test]
async fn connections_in_a_room_where_joining_is_announced() {
    let server = Server::start("--announce-limit 2 --lang en");
    let mut lobby = Vec::new();
    for nick in ["a", "b", "c"] {
        let mut guest = server.open("/chat").await;
        guest.ask_json(&json!({"type": "join", "nick": nick})).await;
        lobby.push(guest);
    }
    lobby[2]
        .send_json(&json!({"type": "chat", "text": "x"}))
        .await;
    assert_eq!(lobby[0].json().await["nick"], "b");
    assert_eq!(lobby[0].json().await["text"], "x", "c was not announced");
    let mut rooms = Vec::new();
    for id in ["a", "b", "c"] {
        let mut guest = server.open(&format!("/ws/{id}?username={id}")).await;
        join(&mut guest, "r").await;
        rooms.push(guest);
    }
    ask(
        &mut rooms[2],
        json!({"type": "room_message", "room_id": "r", "message": "x"}),
    )
    .await;
    assert_eq!(rooms[0].json().await["message"], "b joined the room");
    assert_eq!(rooms[0].json().await["message"], "x", "c was not announced");
}

#[tokio::test]
async fn a_page_of_the_history_larger_than_what_may_wait_is_no_reason_to_be_called_slow() {
    let server = Server::start("--rate-limit off --max-message-size 200000");
    let mut asker = server.open("/ws/ada").await;
    join(&mut asker, "r").await;
    // A page has more than the kernel takes as well.
    let text = "x".repeat(150_000);
    let mut others = server.open("/ws/bob").await;
    join(&mut others, "r").await;
    for _ in 0..100 {
        let message = json!({"type": "room_message", "room_id": "r", "message": text});
        assert_eq!(ask(&mut others, message).await["type"], "ok");
        while asker.json().await["type"] != "chat" {}
    }
    let history = json!({"type": "get_history", "room_id": "r", "per_page": 100, "id": 2});
    asker.send_json(&history).await;
    // While it reads nothing of that, others talk.
    for number in 0..50 {
        let message =
            json!({"type": "room_message", "room_id": "r", "message": number.to_string()});
        assert_eq!(ask(&mut others, message).await["type"], "ok");
    }
    let mut said = Vec::new();
    let mut pages = 0;
    while said.len() < 50 {
        let message = asker.json().await;
        match message["type"].as_str() {
            Some("message_history") => {
                pages += 1;
                assert_eq!(message["messages"].as_array().map(Vec::len), Some(100));
            }
            Some("chat") => said.push(message["message"].as_str().expect("a text").to_owned()),
            _ => {}
        }
    }
    let expected: Vec<_> = (0..50).map(|number| number.to_string()).collect();
    assert_eq!((pages, said), (1, expected));
}

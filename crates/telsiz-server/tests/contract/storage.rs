//! What is said in rooms outlives the server, in its directory.

use serde_json::{Value, json};

use crate::harness::{Client, Server, telsiz};

/// A directory for data, gone with the test.
pub(crate) struct Directory(pub(crate) std::path::PathBuf);

impl Directory {
    pub(crate) fn new(name: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("telsiz-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&directory);
        Self(directory)
    }

    fn serve(&self) -> Server {
        Server::start(&format!("rooms --data {}", self.0.display()))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Asks, and waits for the answer.
pub(crate) async fn ask(client: &mut Client, mut request: Value) -> Value {
    request["id"] = "asked".into();
    client.send_json(&request).await;
    loop {
        let answer = client.json().await;
        if answer["id"] == "asked" {
            return answer;
        }
    }
}

pub(crate) async fn join(client: &mut Client) -> Value {
    ask(client, json!({"type": "join_room", "room_id": "genel"})).await
}

pub(crate) async fn say(client: &mut Client, text: &str) -> Value {
    let message = json!({"type": "room_message", "room_id": "genel", "message": text});
    ask(client, message).await
}

async fn history(client: &mut Client) -> Vec<Value> {
    let page = ask(client, json!({"type": "get_history", "room_id": "genel"})).await;
    page["messages"].as_array().expect("messages").clone()
}

#[tokio::test]
async fn a_server_that_is_started_again_knows_what_was_said_and_goes_on_counting() {
    for (signal, code) in [("TERM", Some(0)), ("KILL", None)] {
        let directory = Directory::new(&format!("again-{signal}"));
        let mut server = directory.serve();
        let mut client = server.open("/ws/a").await;
        join(&mut client).await;
        let first = say(&mut client, "önce").await;
        assert_eq!(first["seq"], 1);
        client.leave().await;
        server.signal(signal);
        assert_eq!(server.ended().await.code(), code);

        let server = directory.serve();
        let mut client = server.open("/ws/b").await;
        let joined = join(&mut client).await;
        assert_eq!(
            (&joined["seq"], &joined["epoch"]),
            (&json!(1), &first["epoch"])
        );
        let known = history(&mut client).await;
        assert_eq!(known.len(), 1);
        assert_eq!(
            (&known[0]["message"], &known[0]["client_id"]),
            (&json!("önce"), &json!("a"))
        );
        let second = say(&mut client, "sonra").await;
        assert_eq!(
            (&second["seq"], &second["epoch"]),
            (&json!(2), &first["epoch"])
        );
    }
}

#[tokio::test]
async fn a_server_in_memory_knows_nothing_when_it_is_started_again_and_says_so_by_its_epoch() {
    let mut epochs = Vec::new();
    for _ in 0..2 {
        let server = Server::start("rooms");
        let mut client = server.open("/ws/a").await;
        let joined = join(&mut client).await;
        assert_eq!(joined["seq"], 0);
        epochs.push(say(&mut client, "x").await["epoch"].clone());
    }
    assert_ne!(epochs[0], epochs[1]);
}

#[test]
fn a_directory_that_another_server_has_is_told() {
    let directory = Directory::new("in-use");
    let _server = directory.serve();
    let output = telsiz()
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(&directory.0)
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).expect("text");
    assert!(said.contains("in use by another process"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}

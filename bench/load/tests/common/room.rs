//! A room for tests, which does as told with each delivery.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use super::ACCEPTED;

/// What becomes of a delivery: the connection, the number of the message among all of the room, and the
/// text it should get. What is returned is sent, each as a frame.
pub(crate) type Deliver = fn(usize, u64, &str) -> Vec<String>;

/// What becomes of a publisher's request to be told: its `id`.
pub(crate) type Acknowledge = fn(u64) -> Vec<String>;

/// As it should be.
pub(crate) fn faithfully(_: usize, _: u64, text: &str) -> Vec<String> {
    vec![text.into()]
}

/// As it should be.
pub(crate) fn truly(id: u64) -> Vec<String> {
    vec![format!(r#"{{"type":"ok","id":{id}}}"#)]
}

/// Rooms with their members and how many messages they had.
type Rooms = Arc<Mutex<Vec<(String, Vec<(usize, TcpStream)>, u64)>>>;

/// Serves any number of connections, each in a thread of its own.
pub(crate) fn serve(deliver: Deliver, acknowledge: Acknowledge) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let address = listener.local_addr().expect("its address");
    let rooms = Rooms::default();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.expect("a connection");
            stream.set_nodelay(true).expect("a socket");
            let rooms = rooms.clone();
            thread::spawn(move || connection(stream, &rooms, deliver, acknowledge));
        }
    });
    address
}

fn connection(mut stream: TcpStream, rooms: &Rooms, deliver: Deliver, acknowledge: Acknowledge) {
    let number = number(&mut stream);
    stream.write_all(ACCEPTED).expect("an answer");
    while let Some(text) = received(&mut stream) {
        let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let name = value["room_id"].as_str().expect("a room");
        let mut rooms = rooms.lock().expect("the rooms");
        let place = match rooms.iter().position(|(room, ..)| room == name) {
            Some(place) => place,
            None => {
                rooms.push((name.into(), Vec::new(), 0));
                rooms.len() - 1
            }
        };
        let (_, members, messages) = &mut rooms[place];
        if value["type"] == "join_room" {
            members.push((number, stream.try_clone().expect("a clone")));
            send(&mut stream, r#"{"type":"system","message":"welcome"}"#);
            send(&mut stream, r#"{"type":"ok","id":1}"#);
            continue;
        }
        let chat = text.replace("room_message", "chat");
        let id = value["id"].as_u64();
        for (member, stream) in members.iter_mut() {
            for text in deliver(*member, *messages, &chat) {
                send(stream, &text);
            }
        }
        for text in id.map(acknowledge).unwrap_or_default() {
            send(&mut stream, &text);
        }
        *messages += 1;
    }
}

/// Reads the request and returns the number in its path, which is `/ws/mN?…`.
fn number(stream: &mut TcpStream) -> usize {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("a request");
        request.extend(byte);
    }
    let request = String::from_utf8(request).expect("UTF-8");
    let (_, rest) = request.split_once("/ws/m").expect("a path");
    let (number, _) = rest.split_once('?').expect("a query");
    number.parse().expect("a number")
}

/// The next text of a client, if it is still there.
fn received(stream: &mut TcpStream) -> Option<String> {
    let mut header = [0; 2];
    stream.read_exact(&mut header).ok()?;
    let length = match header[1] & 0x7f {
        126 => {
            let mut length = [0; 2];
            stream.read_exact(&mut length).ok()?;
            usize::from(u16::from_be_bytes(length))
        }
        short => usize::from(short),
    };
    let mut key = [0; 4];
    stream.read_exact(&mut key).ok()?;
    let mut text = vec![0; length];
    stream.read_exact(&mut text).ok()?;
    for (byte, key) in text.iter_mut().zip(key.iter().cycle()) {
        *byte ^= key;
    }
    Some(String::from_utf8(text).expect("UTF-8"))
}

/// Sends a text frame; a client that has left is no matter.
fn send(stream: &mut TcpStream, text: &str) {
    let mut frame = vec![0x81, 126];
    frame.extend((text.len() as u16).to_be_bytes());
    frame.extend(text.as_bytes());
    let _ = stream.write_all(&frame);
}

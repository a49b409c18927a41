//! A client that sends what no client may send: handshakes, frames, JSON.

use serde_json::{Value, json};
use telsiz::CloseCode;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::raw::{self, End, frame};
use super::{Again, PATIENCE};
use crate::random::Random;
use crate::world::World;

/// A client that sends garbage.
#[derive(Debug)]
pub(super) struct Garbage;

/// Where frames that break a rule are sent.
const PATHS: [&str; 7] = [
    "/echo",
    "/broadcast",
    "/relay",
    "/ws/garbage",
    "/envelope",
    "/typed",
    "/numbered",
];

impl Again for Garbage {
    const KIND: &'static str = "garbage";
    const REST: u64 = 300;

    async fn once(&mut self, world: &World, random: &mut Random) -> Result<(), String> {
        match random.below(10) {
            0..3 => handshake(world, random).await,
            3..7 => frames(world, random).await,
            7..9 => messages(world, random).await,
            _ => noise(world, random).await,
        }
    }
}

async fn connect(world: &World) -> Result<TcpStream, String> {
    let connected = timeout(PATIENCE, TcpStream::connect(world.address)).await;
    let connected = connected.map_err(|_| "a connection takes too long".to_owned())?;
    connected.map_err(|error| format!("cannot connect though the server is up: {error}"))
}

/// Opens a connection by hand.
async fn open(world: &World, path: &str) -> Result<TcpStream, String> {
    let mut stream = connect(world).await?;
    let request = raw::upgrade(world.address, path);
    match raw::ask(&mut stream, request.as_bytes()).await {
        Ok(Some(101)) => Ok(stream),
        other => Err(format!("a right handshake is answered with {other:?}")),
    }
}

/// A handshake that is none.
async fn handshake(world: &World, random: &mut Random) -> Result<(), String> {
    world.tally.count("garbage/handshakes");
    let right = raw::upgrade(world.address, "/echo");
    let request = match random.below(9) {
        0 => random.bytes(300),
        1 => b"\r\n\r\n\r\n\r\n".to_vec(),
        2 => right.replace("Host", "Hast").into(),
        3 => right.replace("13", "12").into(),
        4 => right.replace("dGhl", "").into(),
        5 => right.replace("GET", "POST").into(),
        6 => right.replace("HTTP/1.1", "HTTP/1.0").into(),
        7 => right.replace("Host", &"x: y\r\n".repeat(3000)).into(),
        _ => {
            // It never ends.
            let mut stream = connect(world).await?;
            let half = random.below(right.len());
            let _ = stream.write_all(&right.as_bytes()[..half]).await;
            world.pause(random.millis(0, 3000)).await;
            if random.chance(50) {
                let _ = stream.set_zero_linger();
            }
            return Ok(());
        }
    };
    let mut stream = connect(world).await?;
    match raw::ask(&mut stream, &request).await {
        Ok(Some(status)) if (400..500).contains(&status) => Ok(()),
        Ok(None) => Ok(()),
        // It had not read all of it when it ended the connection.
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        // Garbage that has no end yet.
        Err(error) if error.kind() == std::io::ErrorKind::TimedOut => {
            Err("a wrong handshake is not answered".into())
        }
        other => Err(format!("a wrong handshake is answered with {other:?}")),
    }
}

/// A frame that breaks a rule: the connection has to end with the right code.
async fn frames(world: &World, random: &mut Random) -> Result<(), String> {
    world.tally.count("garbage/frames");
    let path = *random.pick(&PATHS).unwrap_or(&"/echo");
    let wrong = [
        ("a reserved opcode", frame(0x83, b"x"), 1002),
        ("a reserved control opcode", frame(0x8b, b"x"), 1002),
        ("a reserved bit", frame(0xc1, b"x"), 1002),
        ("no mask", vec![0x81, 1, b'x'], 1002),
        ("a continuation of nothing", frame(0x80, b"x"), 1002),
        (
            "a text amid a text",
            [frame(0x01, b"x"), frame(0x81, b"x")].concat(),
            1002,
        ),
        ("a fragmented ping", frame(0x09, b""), 1002),
        ("a long ping", frame(0x89, &[0; 126]), 1002),
        ("no UTF-8", frame(0x81, b"\xff"), 1007),
        (
            "half a character",
            [frame(0x01, b"\xc4"), frame(0x80, b"x")].concat(),
            1007,
        ),
        (
            "a code that is none",
            frame(0x88, &999_u16.to_be_bytes()),
            1002,
        ),
        (
            "a code that is for nobody to send",
            frame(0x88, &1005_u16.to_be_bytes()),
            1002,
        ),
        ("half a code", frame(0x88, b"\x03"), 1002),
        (
            "a reason that is no UTF-8",
            frame(0x88, b"\x03\xe8\xff"),
            1007,
        ),
        ("65,537 bytes", frame(0x81, &[b'x'; 65_537]), 1009),
        (
            "a length without end",
            [&[0x82, 0xff][..], &[0xff; 8], &[0; 4]].concat(),
            1002,
        ),
        (
            "a length beyond all limits",
            [&[0x82, 0xff][..], &(1_u64 << 40).to_be_bytes(), &[0; 4]].concat(),
            1009,
        ),
        (
            "too many fragments",
            [frame(0x01, b""), frame(0x00, b"").repeat(16_385)].concat(),
            1008,
        ),
    ];
    let Some((what, bytes, code)) = random.pick(&wrong) else {
        return Ok(());
    };
    let mut stream = open(world, path).await?;
    // The server may end it before it has read all of it.
    let _ = stream.write_all(bytes).await;
    let ended = raw::end(&mut stream).await;
    match ended {
        Ok(End::Closed(told)) if told == *code => Ok(()),
        // What it did not read makes the kernel throw away what it said.
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => Ok(()),
        Ok(End::Lost) if bytes.len() > 1000 => Ok(()),
        other => Err(format!("{path}: after {what}, not {code} but {other:?}")),
    }
}

/// Texts that are no message of the app: each is answered, and the connection stays.
async fn messages(world: &World, random: &mut Random) -> Result<(), String> {
    world.tally.count("garbage/messages");
    let path = ["/ws/garbage", "/typed", "/envelope"][random.below(3)];
    let wrong = [
        "{".to_owned(),
        String::new(),
        "[]".into(),
        "5".into(),
        "null".into(),
        r#"{"type":5}"#.into(),
        r#"{"type":"nothing"}"#.into(),
        r#"{"type":"room_message","room_id":5,"message":"x","id":1}"#.into(),
        r#"{"type":"room_message","room_id":"elsewhere","message":"x","id":[]}"#.into(),
        r#"{"type":"join_room","room_id":"\u0000"}"#.into(),
        r#"{"type":"sensor","payload":[]}"#.into(),
        "[".repeat(5000),
        format!(r#"{{"type":"{}"}}"#, "x".repeat(60_000)),
        "{\"type\":\"ping\"".into(),
    ];
    let mut ws = telsiz::connect(format!("ws://{}{path}", world.address))
        .await
        .map_err(|error| format!("cannot connect though the server is up: {error}"))?;
    let mut sent = 0;
    for text in &wrong {
        if random.chance(60) {
            sent += 1;
            ws.feed(text.as_str())
                .await
                .map_err(|error| error.to_string())?;
        }
    }
    let ping = json!({"type": "ping"}).to_string();
    ws.send(ping).await.map_err(|error| error.to_string())?;
    let mut answers = 0;
    loop {
        let told = timeout(PATIENCE, ws.recv()).await;
        let told = told.map_err(|_| format!("{path}: garbage in JSON is not answered"))?;
        let told = told.map_err(|error| format!("{path}: after garbage in JSON: {error}"))?;
        let Some(told) = told else {
            return Err(format!("{path}: garbage in JSON ended the connection"));
        };
        let told: Value = serde_json::from_str(told.as_text().unwrap_or_default())
            .map_err(|error| format!("{path}: garbage in JSON is answered with none: {error}"))?;
        match told["type"].as_str() {
            Some("pong") => break,
            Some("error" | "system") => answers += 1,
            _ => {}
        }
    }
    if answers != sent {
        return Err(format!(
            "{path}: {sent} wrong messages got {answers} answers"
        ));
    }
    let closed = timeout(PATIENCE, ws.close(CloseCode::NORMAL)).await;
    closed.map_err(|_| "a Close frame is not answered".to_owned())?;
    Ok(())
}

/// Anything, after a right handshake.
async fn noise(world: &World, random: &mut Random) -> Result<(), String> {
    world.tally.count("garbage/noise");
    let path = *random.pick(&PATHS).unwrap_or(&"/echo");
    let mut stream = open(world, path).await?;
    let length = random.below(4000);
    let bytes = random.bytes(length);
    let _ = stream.write_all(&bytes).await;
    world.pause(random.millis(0, 500)).await;
    if random.chance(50) {
        let _ = stream.set_zero_linger();
    }
    Ok(())
}

//! `telsiz connect`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Child, ChildStdin, Stdio};
use std::thread;

use telsiz::Message;

use crate::harness::{Server, ended, signal, telsiz};

/// A running `telsiz connect` with pipes.
struct Connect {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<std::process::ChildStdout>,
}

impl Connect {
    fn start(arguments: &[&str]) -> Self {
        let mut child = telsiz()
            .arg("connect")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        Self {
            stdin: child.stdin.take(),
            stdout: BufReader::new(child.stdout.take().expect("its output")),
            child,
        }
    }

    fn write(&mut self, text: &str) {
        let stdin = self.stdin.as_mut().expect("an open input");
        stdin.write_all(text.as_bytes()).expect("written");
    }

    fn end_input(&mut self) {
        self.stdin = None;
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("a line");
        line
    }

    /// The exit code, the rest of what it wrote, and what it said besides.
    async fn ended(mut self) -> (Option<i32>, String, String) {
        let (mut out, mut said) = (String::new(), String::new());
        self.stdout.read_to_string(&mut out).expect("text");
        let stderr = self.child.stderr.as_mut().expect("its errors");
        stderr.read_to_string(&mut said).expect("text");
        (ended(&mut self.child).await.code(), out, said)
    }
}

#[tokio::test]
async fn it_sends_the_lines_of_a_pipe_and_prints_the_answers_alone() {
    let server = Server::start("echo");
    let mut connect = Connect::start(&[&server.url("/")]);
    connect.write("bir\n\nüç\r\nno end");
    connect.end_input();
    let (code, out, said) = connect.ended().await;
    assert_eq!(out, "bir\n\nüç\nno end\n");
    assert_eq!(said, "connected\nclosed: 1000\n");
    assert_eq!(code, Some(0));
}

#[tokio::test]
async fn it_reads_while_it_sends_much() {
    const LINES: usize = 20_000;
    let server = Server::start("echo");
    let mut connect = Connect::start(&[&server.url("/")]);
    let mut stdin = connect.stdin.take().expect("an open input");
    let writing = thread::spawn(move || {
        for number in 0..LINES {
            let line = format!("{number:0>1000}\n");
            stdin.write_all(line.as_bytes()).expect("written");
        }
    });
    for number in 0..LINES {
        assert_eq!(connect.line(), format!("{number:0>1000}\n"));
    }
    writing.join().expect("written");
    assert_eq!(connect.ended().await.0, Some(0));
}

#[tokio::test]
async fn it_prints_binary_messages_in_hexadecimal() {
    let server = Server::start("broadcast");
    let mut connect = Connect::start(&[&server.url("/")]);
    let mut client = server.open("/").await;
    connect.write("ready\n");
    assert_eq!(client.text().await, "ready");
    client.send(Message::binary(vec![0, 0x7f, 0xff])).await;
    assert_eq!(connect.line(), "007fff\n");
}

#[tokio::test]
async fn it_tells_how_the_server_closed() {
    let server = Server::start("");
    let mut connect = Connect::start(&[&server.url("/nowhere")]);
    let stdin = connect.stdin.take();
    let (code, out, said) = connect.ended().await;
    drop(stdin);
    assert_eq!(said, "connected\nclosed: 1008 Unknown endpoint\n");
    assert_eq!((code, out.as_str()), (Some(0), ""));
}

#[tokio::test]
async fn a_server_that_vanishes_is_a_failure() {
    let server = Server::start("echo");
    let mut connect = Connect::start(&[&server.url("/")]);
    connect.write("there?\n");
    assert_eq!(connect.line(), "there?\n");
    server.signal("KILL");
    let stdin = connect.stdin.take();
    let (code, _, said) = connect.ended().await;
    drop(stdin);
    assert_eq!(code, Some(1));
    assert!(said.contains("error: the connection was lost"), "{said}");
}

#[tokio::test]
async fn an_interrupt_closes_with_1000() {
    let server = Server::start("numbered");
    let mut witness = server.open("/").await;
    assert_eq!(witness.text().await, "Welcome to chat! Your ID: 1");
    let mut connect = Connect::start(&[&server.url("/")]);
    assert_eq!(connect.line(), "Welcome to chat! Your ID: 2\n");
    signal(&connect.child, "INT");
    let stdin = connect.stdin.take();
    let (code, _, said) = connect.ended().await;
    drop(stdin);
    assert_eq!(
        (code, said.as_str()),
        (Some(0), "connected\nclosed: 1000\n")
    );
    assert_eq!(witness.text().await, "User 2 joined");
    assert_eq!(witness.text().await, "User 2 left");
}

#[tokio::test]
async fn it_sends_headers_and_shows_a_rejection_whole() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("its address");
    let answering = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("a request");
            request.push(byte[0]);
        }
        let answer = "HTTP/1.1 403 Forbidden\r\nX-Why: because\r\nContent-Length: 21\r\n\r\n{\"error\":\"not today\"}";
        stream.write_all(answer.as_bytes()).expect("sent");
        String::from_utf8(request).expect("text")
    });
    let url = format!("ws://{address}/");
    let connect = Connect::start(&[&url, "-H", "Authorization: Bearer a:b", "-H", "X-Two:2"]);
    let (code, out, said) = connect.ended().await;
    let request = answering.join().expect("answered").to_ascii_lowercase();
    assert!(
        request.contains("authorization: bearer a:b\r\n"),
        "{request}"
    );
    assert!(request.contains("x-two: 2\r\n"), "{request}");
    assert_eq!((code, out.as_str()), (Some(1), ""));
    for expected in [
        "HTTP/1.1 403 Forbidden\n",
        "x-why: because\n",
        "\n\n{\"error\":\"not today\"}\n",
        "error: the server answered 403 Forbidden\n",
    ] {
        assert!(said.contains(expected), "{expected:?} in {said}");
    }
}

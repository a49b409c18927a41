//! What opens connections, as client and as server, is given up after n polls, for
//! every n until it completes: no socket, no task and no place in a server is left.
#![allow(clippy::unwrap_used)]

mod common;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use common::certificates::Certificates;
use common::http::Answer;
use common::poll::at_most;
use common::raw::{Raw, request};
use common::server::{Running, echo};
use common::{client, soon};
use http::{HeaderName, HeaderValue, Request, Response};
use telsiz::{CloseCode, Upgrade};
use telsiz_proto::handshake::{RequestReader, encode_response, verify};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// More than a kernel takes from somebody whose peer does not read.
const TOO_MUCH: usize = 8 * 1024 * 1024;

/// The bytes of a Close frame of a client.
const CLOSE_LEN: u64 = 8;

/// A server that waits for a connection needs longer to stop.
const AT_ONCE: Duration = Duration::from_secs(5);

/// Does something with ever more polls, until it says that it completed.
async fn with_ever_more_polls(mut attempt: impl AsyncFnMut(usize) -> bool) -> usize {
    for polls in 0..10_000 {
        if attempt(polls).await {
            return polls;
        }
    }
    panic!("it never completes");
}

/// Waits until the runtime has no tasks but those that the test knows of.
async fn no_tasks_beside(known: usize) {
    soon(async {
        while Handle::current().metrics().num_alive_tasks() > known {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

/// Answers an upgrade, if all of it comes, and reads a Close frame or to the end.
async fn answer_up_to_the_end(mut io: impl AsyncRead + AsyncWrite + Unpin) -> Vec<u8> {
    let mut reader = RequestReader::default();
    let mut read = Vec::new();
    while let Ok(byte) = io.read_u8().await {
        read.push(byte);
        if let Some((request, _)) = reader.handle_input(&read).unwrap() {
            let (response, _) = verify(&request).unwrap().accept(None, None);
            let response = response.map(|()| Bytes::new());
            // Who gave up does not read it.
            let _ = io.write_all(&encode_response(&response)).await;
            read.clear();
            let _ = io.take(CLOSE_LEN).read_to_end(&mut read).await;
            break;
        }
    }
    read
}

#[tokio::test]
async fn connect_over() {
    for room in [1, 2, 7, 4096] {
        let most = with_ever_more_polls(async |polls| {
            let (ours, theirs) = tokio::io::duplex(room);
            let peer = tokio::spawn(answer_up_to_the_end(theirs));
            let opened = at_most(polls, client().over(ours)).await;
            let done = opened.map(|ws| drop(ws.unwrap())).is_some();
            let last = soon(peer).await.unwrap();
            if done {
                // Length, and the masked code.
                assert_eq!(last[..2], [0x88, 0x82]);
            }
            no_tasks_beside(0).await;
            done
        })
        .await;
        assert!(most > 200 / room, "{most}");
    }
}

#[tokio::test]
async fn connect() {
    let certificates = Certificates::new();
    for secure in [false, true] {
        let most = with_ever_more_polls(async |polls| {
            let server = Running::start(|serve| match secure {
                false => serve.fallback(echo),
                true => serve.fallback(echo).tls(certificates.server()),
            })
            .await;
            let scheme = if secure { "wss" } else { "ws" };
            let connect = telsiz::connect(format!("{scheme}://{}/", server.address));
            let opening = connect.tls(certificates.client()).into_future();
            let opened = at_most(polls, opening).await;
            let done = opened.map(|ws| drop(ws.unwrap())).is_some();
            let start = Instant::now();
            server.stop().await;
            assert!(start.elapsed() < AT_ONCE, "it waits for a connection");
            no_tasks_beside(0).await;
            done
        })
        .await;
        assert!(most > 1, "{most}");
    }
}

/// A server on which the handler gives up what it does with each upgrade, for
/// one more poll each time, and whether it completed at last.
async fn giving_up<F>(act: impl Fn(Upgrade) -> F + Clone + Send + Sync + 'static) -> Attempts
where
    F: Future<Output = ()> + Send + 'static,
{
    let (polls, done) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
    let shared = (polls.clone(), done.clone());
    let server = Running::start(|serve| {
        let handle = move |request: Upgrade| {
            let ((polls, done), act) = (shared.clone(), act.clone());
            async move {
                let polls = polls.fetch_add(1, Ordering::Relaxed);
                let acted = at_most(polls, act(request)).await;
                done.store(acted.is_some(), Ordering::Relaxed);
            }
        };
        serve.fallback(handle).http(hello)
    })
    .await;
    Attempts {
        server,
        done,
        polls,
    }
}

struct Attempts {
    server: Running,
    done: Arc<AtomicBool>,
    polls: Arc<AtomicUsize>,
}

impl Attempts {
    /// Asks for upgrades until one was not given up; all that came of each. If
    /// `after_http`, the connection carried another request before.
    async fn all(self, after_http: bool) -> Vec<Vec<u8>> {
        let mut answers = Vec::new();
        while !self.done.load(Ordering::Relaxed) {
            let mut tcp = self.server.tcp().await;
            if after_http {
                let plain = b"GET / HTTP/1.1\r\nHost: server.example.com\r\n\r\n";
                tcp.write_all(plain).await.unwrap();
                assert_eq!(soon(Answer::read(&mut tcp)).await.status, 200);
            }
            tcp.write_all(request("/", "").as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            let mut piece = vec![0; 512 * 1024];
            // A WebSocket is closed by us as soon as it is open.
            let mut closed = false;
            while let Ok(read @ 1..) = soon(tcp.read(&mut piece)).await {
                answer.extend(&piece[..read]);
                // Another request could follow.
                if after_http && answer.starts_with(b"HTTP/1.1 500") && has_whole_head(&answer) {
                    break;
                }
                if !closed && answer.starts_with(b"HTTP/1.1 101") && has_whole_head(&answer) {
                    closed = true;
                    let masked_close = [0x88, 0x82, 0, 0, 0, 0, 3, 0xe8];
                    let _ = tcp.write_all(&masked_close).await;
                }
            }
            answers.push(answer);
            assert_eq!(self.polls.load(Ordering::Relaxed), answers.len());
        }
        let start = Instant::now();
        self.server.stop().await;
        assert!(start.elapsed() < AT_ONCE, "it waits for a connection");
        // A client that was refused may read why for two seconds.
        no_tasks_beside(0).await;
        answers
    }
}

/// Whether a head without a body is whole, with a Close frame behind it or not.
fn has_whole_head(answer: &[u8]) -> bool {
    let end = &answer[answer.len().saturating_sub(8)..];
    end.windows(4).any(|window| window == b"\r\n\r\n")
}

async fn hello<B>(_: Request<B>) -> Result<Response<String>, std::convert::Infallible> {
    Ok(Response::new("hello".into()))
}

/// What a request is answered with whose future was never polled.
#[track_caller]
fn is_500(answer: &[u8]) {
    assert!(answer.starts_with(b"HTTP/1.1 500 "), "{answer:?}");
}

async fn accept_much(request: Upgrade) {
    let name = HeaderName::from_static("x-much");
    let value = HeaderValue::from_bytes(&vec![b'x'; TOO_MUCH]).unwrap();
    drop(request.header(name, value).accept().await.unwrap());
}

#[tokio::test]
async fn accept() {
    let answers = giving_up(accept_much).await.all(false).await;
    let [never, parts @ .., whole] = &answers[..] else {
        panic!("it never waits");
    };
    is_500(never);
    assert!(!parts.is_empty(), "it never waits");
    for part in parts {
        assert!(part.starts_with(b"HTTP/1.1 101 ") && !has_whole_head(part));
    }
    assert!(has_whole_head(whole) && whole.ends_with(&[0x88, 2, 3, 0xe8]));
}

#[tokio::test]
async fn accept_after_other_requests() {
    let accept = |request: Upgrade| async { drop(request.accept().await.unwrap()) };
    let answers = giving_up(accept).await.all(true).await;
    let [never, dropped @ .., whole] = &answers[..] else {
        panic!("it never waits");
    };
    is_500(never);
    assert!(!dropped.is_empty(), "it never waits");
    for answer in dropped {
        assert!(answer.starts_with(b"HTTP/1.1 101 ") && answer.ends_with(b"\r\n\r\n"));
    }
    assert!(whole.ends_with(&[0x88, 2, 3, 0xe8]));
}

#[tokio::test]
async fn accept_and_close() {
    for after_http in [false, true] {
        let act = |request: Upgrade| request.accept_and_close(CloseCode::POLICY);
        let answers = giving_up(act).await.all(after_http).await;
        let [never, others @ ..] = &answers[..] else {
            panic!("it never waits");
        };
        is_500(never);
        assert!(others.len() > 1, "it never waits");
        for answer in others {
            assert!(answer.starts_with(b"HTTP/1.1 101 "));
            let closed = answer.ends_with(&[0x88, 2, 3, 0xf0]);
            // Given up before the WebSocket was open.
            assert!(closed || after_http && answer.ends_with(b"\r\n\r\n"));
        }
    }
}

#[tokio::test]
async fn refuse() {
    let act = |request: Upgrade| async {
        let body = Response::builder().status(403).body(vec![b'x'; TOO_MUCH]);
        request.refuse(body.unwrap()).await;
    };
    let answers = giving_up(act).await.all(false).await;
    let [never, others @ ..] = &answers[..] else {
        panic!("it never waits");
    };
    is_500(never);
    assert!(others.len() > 1, "it never waits");
    for answer in others {
        assert!(answer.starts_with(b"HTTP/1.1 403 "));
    }
    assert!(others.first().unwrap().len() < TOO_MUCH);
    assert!(others.last().unwrap().len() > TOO_MUCH);
}

/// Whether nobody listens there any more.
async fn is_gone(address: SocketAddr) -> bool {
    TcpStream::connect(address).await.is_err()
}

#[tokio::test]
async fn serve() {
    for workers in [0, 2] {
        for polls in 0..6 {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let (ended, mut has_ended) = tokio::sync::oneshot::channel::<()>();
            let serve = telsiz::serve(listener)
                .workers(workers)
                .fallback(echo)
                .stop_on(async move {
                    std::future::pending::<()>().await;
                    drop(ended);
                });
            // One comes after the other, as long as there is a server.
            let clients = tokio::spawn(async move {
                let mut open = JoinSet::new();
                while let Ok(tcp) = TcpStream::connect(address).await
                    && let Ok(mut ws) = telsiz::connect("ws://a/").over(tcp).await
                {
                    open.spawn(async move {
                        let _ = ws.recv().await;
                        ws.close_code()
                    });
                }
                open.join_all().await
            });
            assert!(at_most(polls, serve.into_future()).await.is_none());
            assert!(is_gone(address).await, "after {polls} polls");
            for code in soon(clients).await.unwrap() {
                assert_eq!(code, Some(CloseCode::GOING_AWAY));
            }
            // What waited for the signal is gone, too.
            soon(&mut has_ended).await.unwrap_err();
            no_tasks_beside(0).await;
        }
    }
}

#[tokio::test]
async fn a_handler_that_is_dropped_with_its_worker_says_goodbye() {
    let server = Running::start(|serve| {
        let serve = serve.workers(2).drain_timeout(Duration::from_millis(20));
        serve.fallback(|request: Upgrade| async move {
            let _ws = request.accept().await.unwrap();
            std::future::pending::<()>().await;
        })
    })
    .await;
    let mut peer = Raw::open(&server, "/").await;
    server.stop().await;
    let close = soon(peer.frame()).await;
    assert_eq!(close.close_body().0, 1001);
    assert!(soon(peer.next()).await.is_none());
}

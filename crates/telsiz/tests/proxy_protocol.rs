//! Behind a proxy that speaks the PROXY protocol, connections come from where it says.
#![allow(clippy::unwrap_used)]

mod common;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Extension;
use axum::routing::get;
use common::certificates::Certificates;
use common::frozen::frozen;
use common::http::Answer;
use common::raw::Raw;
use common::server::Running;
use common::soon;
use telsiz::{Error, Serve, Upgrade};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::advance;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tower::ServiceExt;

/// Whose connection the proxy passes on.
const CLIENT: &str = "192.0.2.7:8080";

/// A header that says so, with more than addresses in it.
const HEADER: &[u8] =
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0f\xc0\0\x02\x07\x7f\0\0\x01\x1f\x90\0\x50\x04\0\0";

/// A server that tells each client where it comes from, and believes those that `is_proxy` names.
fn telling(serve: Serve, is_proxy: fn(IpAddr) -> bool) -> Serve {
    let address = |Extension(address): Extension<SocketAddr>| async move { address.to_string() };
    let router = Router::new().route("/address", get(address));
    serve
        .proxy_protocol(is_proxy)
        .fallback(|request: Upgrade| async move {
            let address = request.remote_addr().to_string();
            request.accept().await?.send(address.as_str()).await?;
            Ok::<_, Error>(())
        })
        .http(move |request| router.clone().oneshot(request))
}

/// What a client is told that comes with `header`.
async fn told(mut tcp: TcpStream, header: &[u8]) -> String {
    tcp.write_all(header).await.unwrap();
    let mut peer = Raw::open_with(tcp, "/", b"").await;
    String::from_utf8(soon(peer.frame()).await.payload).unwrap()
}

#[tokio::test]
async fn a_client_comes_from_where_its_proxy_says() {
    let server = Running::start(|serve| telling(serve, |ip| ip.is_loopback())).await;
    assert_eq!(told(server.tcp().await, HEADER).await, CLIENT);
    let mut tcp = server.tcp().await;
    tcp.write_all(HEADER).await.unwrap();
    for _ in 0..2 {
        let request = b"GET /address HTTP/1.1\r\nHost: a\r\n\r\n";
        tcp.write_all(request).await.unwrap();
        assert_eq!(soon(Answer::read(&mut tcp)).await.body, CLIENT);
    }
}

#[tokio::test]
async fn a_header_may_come_byte_by_byte() {
    let server = Running::start(|serve| telling(serve, |_| true).workers(2)).await;
    let mut tcp = server.tcp().await;
    tcp.set_nodelay(true).unwrap();
    for byte in HEADER {
        tcp.write_all(&[*byte]).await.unwrap();
        // Others do not wait for it.
        assert_eq!(told(server.tcp().await, HEADER).await, CLIENT);
    }
    assert_eq!(told(tcp, b"").await, CLIENT);
}

#[tokio::test]
async fn a_proxy_that_speaks_for_itself_comes_from_itself() {
    let server = Running::start(|serve| telling(serve, |_| true)).await;
    let tcp = server.tcp().await;
    let own = tcp.local_addr().unwrap().to_string();
    assert_eq!(told(tcp, b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0").await, own);
}

#[tokio::test]
async fn who_is_no_proxy_is_not_believed_and_is_served_without() {
    let server = Running::start(|serve| telling(serve, |ip| !ip.is_loopback())).await;
    let mut tcp = server.tcp().await;
    tcp.write_all(HEADER).await.unwrap();
    let answer = soon(Answer::read(&mut tcp)).await;
    assert_eq!(answer.status, 400, "{answer:?}");
    let tcp = server.tcp().await;
    let own = tcp.local_addr().unwrap().to_string();
    assert_eq!(told(tcp, b"").await, own);
}

#[tokio::test]
async fn a_proxy_that_says_nothing_of_the_kind_is_dropped_without_an_answer() {
    let server = Running::start(|serve| telling(serve, |_| true)).await;
    for garbage in [
        &b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..],
        b"PROXY TCP4 192.0.2.7 127.0.0.1 8080 80\r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff",
    ] {
        let mut tcp = server.tcp().await;
        tcp.write_all(garbage).await.unwrap();
        let mut said = Vec::new();
        // What was not read makes it a reset.
        let _ = soon(tcp.read_to_end(&mut said)).await;
        assert!(said.is_empty(), "{}", String::from_utf8_lossy(&said));
    }
    assert_eq!(told(server.tcp().await, HEADER).await, CLIENT);
}

#[test]
fn the_open_timeout_is_for_the_header_too() {
    frozen(|| async {
        let server = Running::start(|serve| telling(serve, |_| true)).await;
        let mut slow = server.tcp().await;
        slow.write_all(&HEADER[..20]).await.unwrap();
        // Another handshake shows that the server had its turn.
        assert_eq!(told(server.tcp().await, HEADER).await, CLIENT);
        advance(Duration::from_millis(9_900)).await;
        let mut byte = [0];
        assert!(slow.try_read(&mut byte).is_err(), "still waited for");
        advance(Duration::from_millis(200)).await;
        assert_eq!(slow.read(&mut byte).await.unwrap(), 0);
    });
}

#[tokio::test]
async fn the_header_comes_before_tls() {
    let certificates = Certificates::new();
    let tls = certificates.server();
    let server = Running::start(|serve| telling(serve, |_| true).tls(tls)).await;
    let mut authorities = RootCertStore::empty();
    let authority = CertificateDer::from_pem_slice(certificates.authority.as_bytes()).unwrap();
    authorities.add(authority).unwrap();
    let config = ClientConfig::builder()
        .with_root_certificates(authorities)
        .with_no_client_auth();
    let mut tcp = server.tcp().await;
    tcp.write_all(HEADER).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let connecting = TlsConnector::from(Arc::new(config)).connect(name, tcp);
    let mut peer = Raw::open_with(soon(connecting).await.unwrap(), "/", b"").await;
    assert_eq!(soon(peer.frame()).await.payload, CLIENT.as_bytes());
}

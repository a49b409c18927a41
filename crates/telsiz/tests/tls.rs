//! `wss:` in both roles.
#![allow(clippy::unwrap_used)]

mod common;

use common::certificates::Certificates;
use common::frame::Frame;
use common::raw::Raw;
use common::server::{Running, echo};
use common::{busy_halves, noise, soon};
use http::{Request, Response};
use telsiz::{ClientTls, CloseCode, Connect, ConnectError, Message, ServerTls, Upgrade, WebSocket};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::server::TlsStream;

/// An echo server, and the certificates it is known by.
async fn secure() -> (Running, Certificates) {
    let certificates = Certificates::new();
    let tls = certificates.server();
    let server = Running::start(|serve| serve.tls(tls).fallback(echo)).await;
    (server, certificates)
}

fn connect(server: &Running, certificates: &Certificates) -> Connect {
    let uri = server.uri("/").replace("ws:", "wss:");
    telsiz::connect(uri).tls(certificates.client())
}

#[tokio::test]
async fn a_custom_authority_is_trusted_by_address_and_by_name() {
    let (server, certificates) = secure().await;
    for host in ["127.0.0.1", "localhost"] {
        let uri = format!("wss://{host}:{}/", server.address.port());
        let mut ws = soon(telsiz::connect(uri).tls(certificates.client()))
            .await
            .unwrap();
        for message in [
            Message::from("merhaba"),
            Message::from(vec![0, 1]),
            Message::from(""),
        ] {
            soon(ws.send(message.clone())).await.unwrap();
            assert_eq!(soon(ws.recv()).await.unwrap(), Some(message));
        }
        let outcome = soon(ws.close(CloseCode::NORMAL)).await.unwrap();
        assert_eq!(outcome.code(), CloseCode::NORMAL);
    }
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_from_the_next_handshake_on() {
    let (old, new) = (Certificates::new(), Certificates::new());
    let tls = old.server();
    let shown = tls.clone();
    let server = Running::start(|serve| serve.tls(shown).fallback(echo)).await;
    let mut before = soon(connect(&server, &old)).await.unwrap();
    tls.replace_with(&new.server());
    assert!(soon(connect(&server, &old)).await.is_err());
    let mut after = soon(connect(&server, &new)).await.unwrap();
    for ws in [&mut before, &mut after] {
        soon(ws.send("merhaba")).await.unwrap();
        let echoed = soon(ws.recv()).await.unwrap();
        assert_eq!(echoed, Some(Message::from("merhaba")));
    }
}

#[tokio::test]
async fn an_unknown_authority_is_refused() {
    let (server, _) = secure().await;
    let opened = soon(connect(&server, &Certificates::new())).await;
    assert!(
        matches!(opened, Err(ConnectError::Transport(_))),
        "{opened:?}"
    );
    // The system's authorities do not know it either. Where there are none, that
    // is an error, too.
    let opened = soon(telsiz::connect(server.uri("/").replace("ws:", "wss:"))).await;
    assert!(
        matches!(
            opened,
            Err(ConnectError::Transport(_) | ConnectError::Tls(_))
        ),
        "{opened:?}"
    );
}

#[tokio::test]
async fn a_name_that_is_not_in_the_certificate_is_refused() {
    let (server, certificates) = secure().await;
    let uri = format!("wss://127.0.0.2:{}/", server.address.port());
    // 127.0.0.2 leads to a listener on 127.0.0.1 on no system: listen there too.
    let listener = tokio::net::TcpListener::bind("127.0.0.2:0").await.unwrap();
    let uri = uri.replace(
        &server.address.port().to_string(),
        &listener.local_addr().unwrap().port().to_string(),
    );
    let serving = tokio::spawn(
        telsiz::serve(listener)
            .tls(certificates.server())
            .fallback(echo)
            .into_future(),
    );
    let opened = soon(telsiz::connect(uri).tls(certificates.client())).await;
    assert!(
        matches!(opened, Err(ConnectError::Transport(_))),
        "{opened:?}"
    );
    serving.abort();
}

#[tokio::test]
async fn a_plain_client_at_a_tls_server_is_an_error_and_so_is_the_reverse() {
    let (server, certificates) = secure().await;
    assert!(soon(server.client("/")).await.is_err());
    let plain = Running::echo().await;
    assert!(soon(connect(&plain, &certificates)).await.is_err());
    // Neither harmed the server.
    soon(connect(&server, &certificates)).await.unwrap();
}

#[tokio::test]
async fn messages_of_1_mib_go_through_both_ways_of_answering() {
    let certificates = Certificates::new();
    let tls = certificates.server();
    let server = Running::start(|serve| {
        serve
            .tls(tls)
            .route("/recv", echo)
            .fallback(|request: Upgrade| async move {
                assert!(request.is_tls());
                let mut ws = request.accept().await?;
                ws.run(|message, replies| replies.echo(message)).await
            })
    })
    .await;
    for path in ["/recv", "/run"] {
        let uri = server.uri(path).replace("ws:", "wss:");
        let mut ws = soon(telsiz::connect(uri).tls(certificates.client()))
            .await
            .unwrap();
        for len in [1 << 20, 20_000, 5, 1 << 20] {
            let message = Message::from(noise(len, 5));
            soon(ws.send(message.clone())).await.unwrap();
            assert!(soon(ws.recv()).await.unwrap() == Some(message));
        }
    }
}

#[tokio::test]
async fn both_sides_end_with_a_close_notify() {
    // rustls reports an end without one as an error: then there would be no `None`.
    let (server, certificates) = secure().await;
    let mut ws = soon(connect(&server, &certificates)).await.unwrap();
    server.stopper.stop();
    assert!(soon(ws.recv()).await.unwrap().is_none());
    assert_eq!(ws.close_code(), Some(CloseCode::GOING_AWAY));
    drop(ws);
    server.ended().await;
}

mod by_hand {
    //! TLS at one end only, to see what the other end says underneath.

    use std::sync::Arc;

    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
    use rustls::{ClientConfig, RootCertStore, ServerConfig};
    use tokio::net::TcpStream;
    use tokio_rustls::{TlsAcceptor, TlsConnector, client, rustls, server};

    use super::Certificates;

    fn provider() -> Arc<rustls::crypto::CryptoProvider> {
        Arc::new(rustls::crypto::ring::default_provider())
    }

    pub(crate) async fn connect(
        certificates: &Certificates,
        tcp: TcpStream,
    ) -> client::TlsStream<TcpStream> {
        let mut roots = RootCertStore::empty();
        let authority = CertificateDer::from_pem_slice(certificates.authority.as_bytes());
        roots.add(authority.unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        let connector = TlsConnector::from(Arc::new(config));
        connector.connect(name, tcp).await.unwrap()
    }

    pub(crate) async fn accept(
        certificates: &Certificates,
        tcp: TcpStream,
    ) -> server::TlsStream<TcpStream> {
        let chain = CertificateDer::from_pem_slice(certificates.chain.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(certificates.key.as_bytes()).unwrap();
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![chain], key)
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
            .accept(tcp)
            .await
            .unwrap()
    }
}

#[tokio::test]
async fn our_server_ends_tls_before_tcp() {
    let (server, certificates) = secure().await;
    let tls = by_hand::connect(&certificates, server.tcp().await).await;
    let mut peer = soon(Raw::open_with(tls, "/", b"")).await;
    peer.send(Frame::close(1000, "")).await;
    assert_eq!(soon(peer.frame()).await, Frame::close(1000, ""));
    // An end of TCP without one is an error, `UnexpectedEof`.
    let end = soon(tokio::io::AsyncReadExt::read(&mut peer.io, &mut [0])).await;
    assert_eq!(end.unwrap(), 0);
}

/// Our client, and the server by hand that it is connected to.
async fn client_of_a_raw_server() -> (WebSocket, Raw<TlsStream<TcpStream>>) {
    let certificates = Certificates::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("wss://{}/", listener.local_addr().unwrap());
    let connecting = telsiz::connect(uri).tls(certificates.client());
    let connecting = tokio::spawn(connecting.into_future());
    let (tcp, _) = soon(listener.accept()).await.unwrap();
    let tls = soon(by_hand::accept(&certificates, tcp)).await;
    let peer = soon(Raw::accept(tls)).await;
    (soon(connecting).await.unwrap().unwrap(), peer)
}

#[tokio::test]
async fn our_client_ends_tls_before_tcp() {
    let (mut ws, mut peer) = client_of_a_raw_server().await;
    peer.say_goodbye(1000, "").await;
    assert!(soon(ws.recv()).await.unwrap().is_none());
    assert_eq!(soon(peer.frame()).await, Frame::close(1000, ""));
    let end = soon(tokio::io::AsyncReadExt::read(&mut peer.io, &mut [0])).await;
    assert_eq!(end.unwrap(), 0);
}

#[tokio::test]
async fn a_transport_that_ends_without_a_close_frame_is_lost() {
    let (mut ws, peer) = client_of_a_raw_server().await;
    drop(peer);
    assert!(matches!(soon(ws.recv()).await, Err(telsiz::Error::Lost(_))));
}

async fn halves_in_two_tasks() {
    let (server, certificates) = secure().await;
    let ws = soon(connect(&server, &certificates)).await.unwrap();
    busy_halves(ws).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn halves_in_two_tasks_are_busy_on_many_threads() {
    halves_in_two_tasks().await;
}

#[tokio::test]
async fn halves_in_two_tasks_are_busy_on_one_thread() {
    halves_in_two_tasks().await;
}

#[tokio::test]
async fn https_is_served_beside_wss_and_leads_to_it() {
    use tokio::io::AsyncWriteExt;
    let certificates = Certificates::new();
    let tls = certificates.server();
    let server = Running::start(|serve| {
        serve
            .tls(tls)
            .route("/ws", |request: Upgrade| async move {
                assert!(request.is_tls());
                echo(request).await
            })
            .http(|_: Request<_>| async {
                Ok::<_, std::convert::Infallible>(Response::new("hello".to_owned()))
            })
    })
    .await;
    let mut tls = by_hand::connect(&certificates, server.tcp().await).await;
    tls.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(
        soon(common::http::Answer::read(&mut tls)).await.body,
        "hello"
    );
    let mut peer = soon(Raw::open_with(tls, "/ws", b"")).await;
    peer.send(Frame::text("a")).await;
    assert_eq!(soon(peer.frame()).await, Frame::text("a"));
}

#[tokio::test]
async fn workers_serve_tls_too() {
    let certificates = Certificates::new();
    let tls = certificates.server();
    let server = Running::start(|serve| serve.tls(tls).workers(2).fallback(echo)).await;
    for _ in 0..4 {
        let mut ws = soon(connect(&server, &certificates)).await.unwrap();
        soon(ws.send("a")).await.unwrap();
        assert_eq!(soon(ws.recv()).await.unwrap(), Some("a".into()));
        soon(ws.close(CloseCode::NORMAL)).await;
    }
    server.stop().await;
}

#[test]
fn material_that_cannot_be_used_is_the_callers_fault() {
    let certificates = Certificates::new();
    let other = Certificates::new();
    assert!(ServerTls::new("", &certificates.key).is_err());
    assert!(ServerTls::new(&certificates.chain, "no key").is_err());
    assert!(ServerTls::new(&certificates.chain, &other.key).is_err());
    assert!(ClientTls::authorities("nobody").is_err());
}

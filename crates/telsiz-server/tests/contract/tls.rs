//! `wss:` and `https:`.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use telsiz::ClientTls;

use crate::harness::{Client, Server, telsiz};

/// A certificate that trusts itself, and its key, in files.
pub(crate) fn certificate(name: &str) -> (String, PathBuf, PathBuf) {
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(names).expect("a certificate");
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let (chain, key) = (
        folder.join(format!("{name}.pem")),
        folder.join(format!("{name}.key")),
    );
    fs::write(&chain, cert.pem()).expect("written");
    fs::write(&key, signing_key.serialize_pem()).expect("written");
    (cert.pem(), chain, key)
}

#[tokio::test]
async fn apps_are_served_over_tls() {
    let (pem, chain, key) = certificate("served");
    let flags = format!("--tls-cert {} --tls-key {}", chain.display(), key.display());
    let server = Server::start(&flags);
    assert!(server.banner.contains("https://") && server.banner.contains("wss://"));
    for path in ["/echo", "/ws"] {
        let tls = ClientTls::authorities(&pem).expect("an authority");
        let url = server.url(path).replace("ws://", "wss://");
        let connect = telsiz::connect(url).tls(tls);
        let mut client = Client(connect.await.expect("a connection"));
        assert!(client.ask("merhaba").await.ends_with("merhaba"));
    }

    let url = server.url("/echo").replace("ws://", "wss://");
    let connect = |ca: &[&str]| {
        let mut command = telsiz();
        command
            .args(["connect", &url])
            .args(ca)
            .stdin(Stdio::null());
        command.output().expect("it runs")
    };
    let chain = chain.display().to_string();
    assert!(connect(&["--ca", &chain]).status.success());
    assert_eq!(connect(&[]).status.code(), Some(1));
}

#[test]
fn a_key_of_another_certificate_is_told() {
    let (_, chain, _) = certificate("one");
    let (_, _, key) = certificate("other");
    let output = telsiz()
        .args(["serve", "--listen", "127.0.0.1:0", "--tls-cert"])
        .arg(chain)
        .arg("--tls-key")
        .arg(key)
        .output()
        .expect("it runs");
    let said = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said.starts_with("error: --tls-cert and --tls-key: "),
        "{said}"
    );
}

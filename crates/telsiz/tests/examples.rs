//! The examples build, and do what they are for.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::{Path, PathBuf};
use std::process::Stdio;

use common::soon;
use telsiz::{CloseCode, Error, Message, Upgrade};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tokio::sync::mpsc;

/// The executable of an example, up to date.
fn built(example: &str) -> PathBuf {
    let mut build = std::process::Command::new(env!("CARGO"));
    build
        .args(["build", "--quiet", "--offline", "--example", example])
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    // What cargo tells this test about its package; build scripts that look at it
    // would run again.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            build.env_remove(&*name);
        }
    }
    assert!(build.status().unwrap().success(), "{example} has to build");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let name = format!("debug/examples/{example}{}", std::env::consts::EXE_SUFFIX);
    target.join(name)
}

#[tokio::test]
async fn echo_echoes() {
    let mut process = Command::new(built("echo"))
        .arg("127.0.0.1:0")
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut output = BufReader::new(process.stdout.take().unwrap()).lines();
    let address = soon(output.next_line()).await.unwrap().unwrap();
    let mut ws = soon(telsiz::connect(format!("ws://{address}/any")))
        .await
        .unwrap();
    for message in [
        Message::from("merhaba"),
        Message::from(common::noise(1 << 20, 6)),
        Message::from(""),
    ] {
        soon(ws.send(message.clone())).await.unwrap();
        assert!(soon(ws.recv()).await.unwrap() == Some(message));
    }
    let outcome = soon(ws.close(CloseCode::NORMAL)).await.unwrap();
    assert_eq!(outcome.code(), CloseCode::NORMAL);
}

#[tokio::test]
async fn the_autobahn_client_runs_every_case_and_asks_for_the_report() {
    let (report, mut reports) = mpsc::unbounded_channel();
    let server = common::server::Running::start(|serve| {
        serve.fallback(move |request: Upgrade| {
            let report = report.clone();
            async move {
                let asked = request.uri().to_string();
                let mut ws = request.accept().await?;
                if asked == "/getCaseCount" {
                    ws.send("2").await?;
                } else if asked.starts_with("/runCase") {
                    ws.send("a case").await?;
                    assert_eq!(ws.recv().await?, Some("a case".into()));
                }
                report.send(asked).unwrap();
                ws.close(CloseCode::NORMAL).await;
                Ok::<_, Error>(())
            }
        })
    })
    .await;
    let mut process = Command::new(built("autobahn_client"))
        .arg(server.uri(""))
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    for asked in [
        "/getCaseCount",
        "/runCase?case=1&agent=telsiz",
        "/runCase?case=2&agent=telsiz",
        "/updateReports?agent=telsiz",
    ] {
        assert_eq!(soon(reports.recv()).await.unwrap(), asked);
    }
    assert!(soon(process.wait()).await.unwrap().success());
}

//! The client under test of the Autobahn test suite: runs every case against a
//! fuzzing server, echoing what comes.
//!
//! `cargo run --release -p telsiz --example autobahn_client -- ws://127.0.0.1:9001`

use std::error::Error;

const AGENT: &str = "telsiz";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = std::env::args().nth(1);
    let server = server.unwrap_or_else(|| "ws://127.0.0.1:9001".into());
    let server = server.trim_end_matches('/');
    let mut ws = connect(format!("{server}/getCaseCount")).await?;
    let count = ws.recv().await?.ok_or("no case count")?;
    let count: u32 = count.as_text().ok_or("no text")?.parse()?;
    for case in 1..=count {
        let mut ws = connect(format!("{server}/runCase?case={case}&agent={AGENT}")).await?;
        // Many cases end with a fault of the server's: that is their point.
        let _ = ws.run(|message, replies| replies.echo(message)).await;
        ws.close(telsiz::CloseCode::NORMAL).await;
    }
    let mut ws = connect(format!("{server}/updateReports?agent={AGENT}")).await?;
    while ws.recv().await?.is_some() {}
    Ok(())
}

async fn connect(uri: String) -> Result<telsiz::WebSocket, telsiz::ConnectError> {
    telsiz::connect(uri)
        .max_message_size(16 << 20)
        .max_fragments(65_536)
        .deflate(telsiz::Deflate::default())
        .await
}

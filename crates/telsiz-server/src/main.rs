//! The `telsiz` command: for now just enough to measure echo.
use telsiz::Upgrade;
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let args: Vec<String> = std::env::args().collect();
    let value = |name: &str| {
        args.iter()
            .position(|a| a == name)
            .and_then(|i| args.get(i + 1))
            .cloned()
    };
    let listen = value("--listen").unwrap_or("127.0.0.1:8000".into());
    let size = value("--max-message-size")
        .and_then(|v| v.parse().ok())
        .unwrap_or(65536);
    let fragments = value("--max-fragments")
        .and_then(|v| v.parse().ok())
        .unwrap_or(16384);
    let listener = TcpListener::bind(listen).await?;
    println!("listening on {}", listener.local_addr()?);
    telsiz::serve(listener)
        .max_message_size(size)
        .max_fragments(fragments)
        .workers(1)
        .fallback(|request: Upgrade| async move {
            let mut ws = request.accept().await?;
            ws.run(|message, replies| replies.echo(message)).await
        })
        .await
}

//! An echo server in ten lines, on the async `recv`.

use telsiz::{Error, Upgrade};
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1);
    let address = address.unwrap_or_else(|| "127.0.0.1:8000".into());
    let listener = TcpListener::bind(address).await?;
    println!("{}", listener.local_addr()?);
    telsiz::serve(listener)
        .fallback(|request: Upgrade| async move {
            let mut ws = request.accept().await?;
            while let Some(message) = ws.recv().await? {
                ws.feed(message).await?;
            }
            Ok::<_, Error>(())
        })
        .await
}

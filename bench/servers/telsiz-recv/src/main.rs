//! The ten-line echo on this project's library: `recv` and `feed`, as an application would write it.

use telsiz::Upgrade;
use tokio::net::TcpListener;

fn main() -> std::io::Result<()> {
    let address = std::env::args().next_back().unwrap_or_default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(&address).await?;
        println!("{}", listener.local_addr()?);
        telsiz::serve(listener).fallback(echo).await
    })
}

async fn echo(request: Upgrade) -> Result<(), telsiz::Error> {
    let mut ws = request.accept().await?;
    while let Some(message) = ws.recv().await? {
        ws.feed(message).await?;
    }
    Ok(())
}

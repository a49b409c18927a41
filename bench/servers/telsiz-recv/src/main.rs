//! The ten-line echo on this project's library: `recv` and `feed`, as an application would write it.
//!
//! `--deflate` and `--tls CERT KEY` behind the address are what they are for the other servers.

use telsiz::{Deflate, ServerTls, Upgrade};
use tokio::net::TcpListener;

fn main() -> common::Result {
    let address = std::env::args().nth(1).unwrap_or_default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(&address).await?;
        println!("{}", listener.local_addr()?);
        let mut serve = telsiz::serve(listener).fallback(echo);
        if common::has_flag("--deflate") {
            serve = serve.deflate(Deflate::default());
        }
        if let Some([chain, key]) = common::tls_files()? {
            serve = serve.tls(ServerTls::new(chain, key)?);
        }
        Ok(serve.await?)
    })
}

async fn echo(request: Upgrade) -> Result<(), telsiz::Error> {
    let mut ws = request.accept().await?;
    while let Some(message) = ws.recv().await? {
        ws.feed(message).await?;
    }
    Ok(())
}

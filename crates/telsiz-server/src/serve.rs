//! `telsiz serve`.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::{env, fs, process, thread};

use telsiz::{CloseCode, ServerTls, Stopper};
use tokio::net::TcpListener;
use tower::ServiceExt;

use crate::apps::{APPS, App, Mounting};
use crate::banner::Banner;
use crate::cli::{Serve, ServeFlags};
use crate::clock::system_clock;
use crate::connections::Connections;
use crate::engine;
use crate::failure::Failure;
use crate::http::{ApiKey, Http};
use crate::lang::Lang;
use crate::listen::is_loopback;
use crate::origin::Origins;
use crate::rooms::Rooms;
use crate::rules::{Site, no_error_fields, too_large};
use crate::signals::Signals;

/// Serves until it is stopped.
pub(crate) async fn run(asked: Serve) -> Result<(), Failure> {
    let flags = &asked.flags;
    let tls = tls(flags)?;
    let api_key = api_key()?;
    let signals = Signals::catch().map_err(|error| failed("cannot wait for signals", error))?;
    let listener = flags.listen.bind().await?;
    let address = listener
        .local_addr()
        .map_err(|error| failed("cannot tell the address", error))?;
    let storage = flags.storage();
    let engine = storage.open()?;
    let apps = asked.app.map_or(APPS.to_vec(), |app| vec![app]);
    let banner = Banner {
        address,
        tls: tls.is_some(),
        apps: &apps,
        alone: asked.app.is_some(),
        storage: &storage,
        lang: flags.lang,
    };
    let banner = banner.to_string();

    let connections = Connections::default();
    let rooms = Rooms::new(
        engine.clone(),
        system_clock(),
        workers(flags),
        connections.traffic().clone(),
    );
    let site = Arc::new(Site {
        lang: flags.lang,
        limits: flags.limits(),
        limits_rates: flags.rate_limit,
        origins: Arc::new(Origins {
            named: flags.allow_origin.clone(),
            bound_to_loopback: is_loopback(address.ip()),
            tls: tls.is_some(),
        }),
        connections,
        rooms,
    });
    let mut mounted = mount(listener, site, &apps, asked.app.is_some());
    if let Some(tls) = tls {
        mounted.serve = mounted.serve.tls(tls);
    }
    if let Some(relay) = mounted.relay.clone() {
        tokio::spawn(async move { relay.announce().await });
    }
    tokio::spawn(engine::tidy(engine.clone()));
    let http = Http::new(mounted.site, apps, mounted.relay, api_key);
    let router = http.router();
    let serve = mounted
        .serve
        .workers(workers(flags))
        .http(move |request| router.clone().oneshot(request));
    tokio::spawn(stop_on(signals, serve.stopper()));
    // It serves whether or not somebody reads this.
    let _ = std::io::stdout().write_all(banner.as_bytes());
    let served = serve.await.map_err(|error| failed("cannot serve", error));
    engine.close().await;
    served
}

/// A server with `apps`, each on its path or the only one on every path.
fn mount(listener: TcpListener, site: Arc<Site>, apps: &[&App], alone: bool) -> Mounting {
    let words = |max| too_large(max, Lang::En, no_error_fields);
    let mounting = Mounting {
        serve: telsiz::serve(listener).options(site.limits.options(words)),
        site,
        alone,
        relay: None,
    };
    let mounting = match alone {
        true => mounting,
        false => mounting.nothing_elsewhere(),
    };
    apps.iter()
        .fold(mounting, |mounting, app| mounting.mount(app))
}

/// The first signal stops the server as it should be, the second one now.
async fn stop_on(mut signals: Signals, stopper: Stopper) {
    signals.next().await;
    tracing::info!("stopping: closing all connections; a second signal stops at once");
    stopper.stop_with(CloseCode::RESTART);
    signals.next().await;
    process::exit(1);
}

fn workers(flags: &ServeFlags) -> usize {
    let cores = || thread::available_parallelism().ok();
    flags.workers.or_else(cores).map_or(1, Into::into)
}

fn tls(flags: &ServeFlags) -> Result<Option<ServerTls>, Failure> {
    match (&flags.tls_cert, &flags.tls_key) {
        (None, None) => Ok(None),
        (Some(chain), Some(key)) => {
            let (chain, key) = (read(chain, "--tls-cert")?, read(key, "--tls-key")?);
            let tls = ServerTls::new(chain, key);
            tls.map(Some)
                .map_err(|error| failed("--tls-cert and --tls-key", error))
        }
        (Some(_), None) => Err(Failure::Usage(
            "--tls-cert needs --tls-key FILE beside it".into(),
        )),
        (None, Some(_)) => Err(Failure::Usage(
            "--tls-key needs --tls-cert FILE beside it".into(),
        )),
    }
}

/// The key that the environment sets. One that cannot be read must not count as none.
fn api_key() -> Result<Option<ApiKey>, Failure> {
    match env::var("TELSIZ_API_KEY") {
        Ok(key) => Ok(ApiKey::new(&key)),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(error) => Err(Failure::Usage(format!("TELSIZ_API_KEY: {error}"))),
    }
}

fn read(path: &Path, flag: &str) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| failed(&format!("{flag} {}", path.display()), error))
}

fn failed(what: &str, error: impl std::fmt::Display) -> Failure {
    Failure::Failed(format!("{what}: {error}"))
}

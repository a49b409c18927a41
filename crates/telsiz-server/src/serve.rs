//! `telsiz serve`.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::{fs, thread};

use http::HeaderValue;
use telsiz::ServerTls;
use tower::ServiceExt;

use crate::admission::Admission;
use crate::apps::{Mounting, Relay, nothing_elsewhere};
use crate::banner::{Banner, Room};
use crate::cli::Serve;
use crate::client_address::TrustedProxies;
use crate::clock::system_clock;
use crate::config::{Config, Settings};
use crate::connections::Connections;
use crate::engine;
use crate::failure::Failure;
use crate::http::{HEADERS, Http};
use crate::listen::is_loopback;
use crate::live::Live;
use crate::log;
use crate::open_files;
use crate::origin::Origins;
use crate::rate_limit::MountRate;
use crate::ready::Readiness;
use crate::reload::Running;
use crate::rooms::Rooms;
use crate::rules::{Site, plain_too_large};
use crate::service;
use crate::signals::{Hangups, Signals};
use crate::stop::{Stopping, stop_on, tell_cut_off};

/// Serves until it is stopped.
pub(crate) async fn run(asked: Serve, config: Config) -> Result<(), Failure> {
    let settings = &config.settings;
    let tls = tls(&config)?;
    let open_files = open_files::raise_limit();
    let listener = match service::listener()? {
        Some(listener) => listener,
        None => settings.listen.bind().await?,
    };
    let address = listener
        .local_addr()
        .map_err(|error| failed("cannot tell the address", error))?;
    // Which may take long, and holds nothing that a signal could harm.
    let engine = config.storage.open(settings.announce_limit)?;
    let signals = Signals::catch().map_err(|error| failed("cannot wait for signals", error))?;
    let banner = Banner {
        address,
        tls: tls.is_some(),
        mounts: &config.mounts,
        alone: config.alone,
        storage: &config.storage,
        room: Room::of(open_files, settings),
        lang: settings.lang,
    };
    let banner = banner.to_string();

    let times = settings.stop_times();
    let serve = telsiz::serve(listener)
        .stop_window(times.window)
        .drain_timeout(times.drain());
    let stopper = serve.stopper();
    let connections = Connections::default();
    let rooms = Rooms::new(
        engine.clone(),
        system_clock(),
        workers(settings),
        &connections,
        settings.room_limits(),
    );
    let site = Arc::new(Site {
        lang: settings.lang.into(),
        limits: settings.limits(),
        rate: MountRate::new(None, settings.rate_limit).into(),
        origins: Arc::new(Origins {
            named: settings.allow_origin.clone().into(),
            bound_to_loopback: is_loopback(address.ip()),
            port: address.port(),
            tls: tls.is_some(),
        }),
        trusted_proxies: TrustedProxies(settings.trusted_proxies.clone().into()),
        admission: Admission::with(settings.bounds()),
        connections,
        rooms,
        announce_limit: settings.announce_limit,
        stopping: Stopping::of(stopper.clone(), times),
        readiness: Readiness::of(stopper.clone()),
    });
    let (mut serve, relays, rates) = mount(serve, &site, &config);
    if let Some(tls) = tls.clone() {
        serve = serve.tls(tls);
    }
    if settings.proxy_protocol {
        let proxies = site.trusted_proxies.clone();
        serve = serve.proxy_protocol(move |peer| proxies.have(peer));
    }
    for (name, value) in HEADERS {
        serve = serve.header(name, HeaderValue::from_static(value));
    }
    for relay in &relays {
        let relay = relay.clone();
        tokio::spawn(async move { relay.announce().await });
    }
    tokio::spawn(log::tell_what_was_held_back());
    tokio::spawn(engine::tidy(engine.clone()));
    let hub = site.rooms.hub().clone();
    tokio::spawn(site.readiness.clone().watch(hub));
    let api_key = Live::from(settings.api_key.clone());
    let http = Http::new(
        site.clone(),
        config.mounts.clone(),
        relays.first().cloned(),
        api_key.clone(),
    );
    let router = http.router();
    let serve = serve
        .workers(workers(settings))
        .http(move |request| router.clone().oneshot(request));
    tokio::spawn(stop_on(signals, stopper.clone(), times));
    let running = Running {
        asked,
        config,
        site,
        api_key,
        tls,
        rates,
    };
    if running.can_change() {
        let hangups = Hangups::catch().map_err(|error| failed("cannot wait for signals", error))?;
        tokio::spawn(running.reload_on(hangups));
    }
    // It serves whether or not somebody reads this.
    let _ = std::io::stdout().write_all(banner.as_bytes());
    service::tell_ready();
    let served = serve.await.map_err(|error| failed("cannot serve", error));
    engine.close().await;
    tell_cut_off(&stopper);
    served
}

/// What is served, and what of it is used beside it.
type Mounted = (telsiz::Serve, Vec<Arc<Relay>>, Vec<Live<MountRate>>);

/// A server with all mounts, their relays and their rates.
fn mount(serve: telsiz::Serve, site: &Arc<Site>, config: &Config) -> Mounted {
    let hit = site.connections.limits_hit();
    let options = site.limits.options(plain_too_large, hit);
    let options = site.connections.hear(options);
    let refused = site.connections.clone();
    let mut serve = serve
        .options(options)
        .on_unopened(move |why| refused.refused().count(why));
    if !config.alone {
        serve = nothing_elsewhere(serve, site);
    }
    let (mut relays, mut rates) = (Vec::new(), Vec::new());
    for (index, mount) in config.mounts.iter().enumerate() {
        let rate = MountRate::new(mount.keys.rate_limit, config.settings.rate_limit);
        let rate = Live::from(rate);
        rates.push(rate.clone());
        let site = Site {
            limits: mount.limits(site.limits),
            connections: site.connections.of(mount.app().name, index),
            rate,
            ..Site::clone(site)
        };
        let mounting = Mounting {
            serve,
            site: Arc::new(site),
            mount,
            alone: config.alone,
            relays,
        };
        let mounted = mounting.mount();
        (serve, relays) = (mounted.serve, mounted.relays);
    }
    (serve, relays, rates)
}

pub(crate) fn workers(settings: &Settings) -> usize {
    let cores = || thread::available_parallelism().ok();
    settings.workers.or_else(cores).map_or(1, Into::into)
}

/// What the server proves who it is with.
pub(crate) fn tls(config: &Config) -> Result<Option<ServerTls>, Failure> {
    let (Some(chain), Some(key)) = (&config.settings.tls_cert, &config.settings.tls_key) else {
        return Ok(None);
    };
    let [of_chain, of_key] = ["tls_cert", "tls_key"].map(|name| config.found.naming(name));
    let (chain, key) = (read(chain, &of_chain)?, read(key, &of_key)?);
    let tls = ServerTls::new(chain, key);
    tls.map(Some)
        .map_err(|error| failed(&format!("{of_chain} and {of_key}"), error))
}

fn read(path: &Path, named: &str) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| failed(&format!("{named} {}", path.display()), error))
}

fn failed(what: &str, error: impl std::fmt::Display) -> Failure {
    Failure::Failed(format!("{what}: {error}"))
}

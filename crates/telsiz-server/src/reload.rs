//! `SIGHUP`: the configuration is read anew, and the server is told what it can be told while it runs.

use std::sync::Arc;

use telsiz::ServerTls;

use crate::cli::Serve;
use crate::config::{Config, Mount};
use crate::failure::Failure;
use crate::http::ApiKey;
use crate::live::Live;
use crate::rate_limit::MountRate;
use crate::rules::Site;
use crate::serve;
use crate::service;
use crate::signals::Hangups;

/// A running server, as far as it can be told something.
#[derive(Debug)]
pub(crate) struct Running {
    /// Where its configuration is from.
    pub(crate) asked: Serve,
    /// What counts: what it was told at the start and since.
    pub(crate) config: Config,
    /// What its connections share.
    pub(crate) site: Arc<Site>,
    /// Who may write.
    pub(crate) api_key: Live<Option<ApiKey>>,
    /// What it proves itself with.
    pub(crate) tls: Option<ServerTls>,
    /// The rates of its mounts, in their order.
    pub(crate) rates: Vec<Live<MountRate>>,
}

impl Running {
    /// Whether there is anything that may have changed since the start: a process keeps its
    /// environment and its command line.
    pub(crate) fn can_change(&self) -> bool {
        self.config.file.is_some() || self.tls.is_some()
    }

    /// Reads the configuration anew at each signal.
    pub(crate) async fn reload_on(mut self, mut hangups: Hangups) {
        loop {
            hangups.next().await;
            service::tell_reloading();
            match self.reload() {
                Ok(said) => tracing::info!("{said}"),
                Err(failure) => tracing::error!("the configuration stays as it is: {failure}"),
            }
            service::tell_ready();
        }
    }

    /// Tells the server what is new, and says so. What is wrong changes nothing.
    fn reload(&mut self) -> Result<String, Failure> {
        let fresh = self.asked.read()?;
        let proof = serve::tls(&fresh)?;
        let mut told = Vec::new();
        let mut waiting = Vec::new();
        for key in self.config.found.changed(&fresh.found) {
            match key.live && !key.name.starts_with("tls_") {
                true => {
                    told.push(key.name.to_owned());
                    self.config.found.adopt(key, &fresh.found);
                }
                false => waiting.push(key.name.to_owned()),
            }
        }
        if let (Some(tls), Some(proof)) = (&self.tls, &proof) {
            tls.replace_with(proof);
            waiting.retain(|name| !name.starts_with("tls_"));
            told.push("the certificate".into());
        }
        self.tell(&fresh);
        match is_same(&self.config.mounts, &fresh.mounts) {
            true => {
                let pairs = self.config.mounts.iter().zip(fresh.mounts.iter());
                let changed =
                    pairs.filter(|(one, other)| one.keys.rate_limit != other.keys.rate_limit);
                told.extend(changed.map(|(mount, _)| format!("rate_limit of {}", mount.path())));
                self.config.mounts = fresh.mounts;
            }
            false => waiting.push("the mounts".into()),
        }
        for (rate, mount) in self.rates.iter().zip(self.config.mounts.iter()) {
            rate.set(MountRate::new(
                mount.keys.rate_limit,
                fresh.settings.rate_limit,
            ));
        }
        Ok(sentence(&told, &waiting))
    }

    fn tell(&self, fresh: &Config) {
        self.site.lang.set(fresh.settings.lang);
        self.site
            .origins
            .named
            .set(fresh.settings.allow_origin.clone());
        self.api_key.set(fresh.settings.api_key.clone());
        let proxies = fresh.settings.trusted_proxies.clone();
        self.site.trusted_proxies.0.set(proxies);
        self.site.admission.bounds.set(fresh.settings.bounds());
    }
}

/// Whether what differs between mounts can be told to those that are served.
fn is_same(served: &[Mount], fresh: &[Mount]) -> bool {
    let is_same = |(one, other): (&Mount, &Mount)| {
        let can_be_told = one.found.changed(&other.found).iter().all(|key| key.live);
        // Without a limit of its own `echo` asks for none.
        let is_limited = one.keys.rate_limit.is_some() == other.keys.rate_limit.is_some();
        can_be_told && (is_limited || one.app().name != "echo")
    };
    served.len() == fresh.len() && served.iter().zip(fresh).all(is_same)
}

/// Says in a line what was told, and what waits for a restart.
fn sentence(told: &[String], waiting: &[String]) -> String {
    let told = match told {
        [] => "nothing new".to_owned(),
        told => told.join(", "),
    };
    match waiting {
        [] => format!("read the configuration anew: {told}"),
        waiting => {
            let waiting = waiting.join(", ");
            format!("read the configuration anew: {told}; needs a restart: {waiting}")
        }
    }
}

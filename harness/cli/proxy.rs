//! `pgsquall proxy`: serves proxies with toxics until a signal stops it.

use std::fs;
use std::path::Path;

use pgsquall::model::seed::Seed;
use pgsquall::toxiproxy::{ProxyConfig, Service, ServiceError, Settings, TlsFiles};

use crate::args::ProxyArguments;
use crate::exit::Exit;
use crate::print::{complain, say};
use crate::signals::stop_requested;

pub async fn proxy(arguments: ProxyArguments) -> Exit {
    let settings = match settings(arguments) {
        Ok(settings) => settings,
        Err(error) => {
            complain!("error: {error}");
            return Exit::Usage;
        }
    };
    match serve(settings).await {
        Ok(()) => Exit::Pass,
        Err(error) => {
            complain!("error: {error}");
            (&error).into()
        }
    }
}

/// Prints the addresses, and serves until SIGINT or SIGTERM.
///
/// *Errors*: the service cannot start, or cannot write its tap's file.
async fn serve(settings: Settings) -> Result<(), ServiceError> {
    let seed = settings.seed;
    let stopped = stop_requested();
    let service = Service::start(settings).await?;
    for proxy in service.proxies().await {
        match proxy.enabled {
            true => say!("{} listens on {} and forwards to {}", proxy.name, proxy.listen, proxy.upstream),
            false => say!("{} is disabled; it would forward to {}", proxy.name, proxy.upstream),
        }
    }
    match service.api() {
        Some(api) => say!("the API is at http://{api}; seed {seed}"),
        None => say!("there is no API; seed {seed}"),
    }
    stopped.await;
    service.shutdown().await
}

/// Converts the arguments into settings.
///
/// *Errors*: the file of `--config` is bad, or there is nothing to serve.
fn settings(arguments: ProxyArguments) -> Result<Settings, String> {
    let api = Some(arguments.api).filter(|api| api != "off");
    let mut proxies = Vec::new();
    if let Some(upstream) = arguments.upstream {
        let listen = arguments.listen.unwrap_or_default();
        proxies.push(ProxyConfig { name: arguments.name, listen, upstream, enabled: true });
    }
    if let Some(file) = arguments.config {
        proxies.extend(read_proxies(&file)?);
    }
    if proxies.is_empty() && api.is_none() {
        return Err("cannot start: no API and no proxy; write --upstream HOST:PORT".into());
    }
    let seed = arguments.seed.unwrap_or_else(Seed::random);
    let tls = arguments.tls_certificate.zip(arguments.tls_key);
    let tls = tls.map(|(certificate, key)| TlsFiles { certificate, key, authority: arguments.tls_authority });
    Ok(Settings { api, seed, proxies, tap: arguments.tap, tls })
}

/// Reads the proxies of a `--config` file.
///
/// *Errors*: a message with the file, the proxy and the fix.
fn read_proxies(file: &Path) -> Result<Vec<ProxyConfig>, String> {
    let text = fs::read(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    ProxyConfig::read_list(&text).map_err(|error| format!("{}: {error}", file.display()))
}

//! One proxy: a gateway, whether it is enabled, and its toxics.

use std::io;
use std::sync::{Arc, Weak};
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value, json};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

use super::addr;
use super::api_error::ApiError;
use super::api_types::{ProxyChange, ProxyConfig, ProxyView, Toxic, ToxicView};
use super::journal::Journal;
use super::tap::Counters;
use super::tls::ProxyTls;
use super::toxic_types::{Effect, NewConnections};
use crate::gateway::port::Reservation;
use crate::gateway::tap::Tap;
use crate::gateway::{Cut, Gateway, Rule, Termination};
use crate::model::fault::Stream;
use crate::model::seed::Seed;

/// How often an upstream's name is resolved again, so that connections reach a replaced container within seconds.
const RESOLVE_INTERVAL: Duration = Duration::from_secs(2);

/// A proxy. Every change holds the lock of `state`, so changes are made one after the other.
pub(super) struct Proxy {
    pub name: String,
    seed: Seed,
    tls: Option<Arc<ProxyTls>>,
    tap: Arc<Counters>,
    state: Mutex<ProxyState>,
}

struct ProxyState {
    /// The `listen` address as requested.
    requested_listen: String,
    /// The actual `listen` address, resolved and with the assigned port, once there is a gateway.
    listen: String,
    upstream: String,
    enabled: bool,
    /// `None` if the proxy was never enabled or is closed. A disabled proxy keeps its gateway, so that no other process
    /// takes its port.
    gateway: Option<Gateway>,
    /// In the order of creation.
    toxics: Vec<InstalledToxic>,
    /// The task that resolves the upstream's name periodically; `None` if the upstream is an IP address.
    _name_follower: Option<AbortOnDropHandle<()>>,
}

/// A toxic with its rule on the gateway; there is no rule without a gateway, or if the toxic only affects how
/// connections are accepted.
struct InstalledToxic {
    toxic: Toxic,
    rule: Option<Arc<Rule>>,
    /// The sum of the counts of the rules that `rule` replaced.
    earlier: Tally,
}

/// The effects of a toxic.
#[derive(Clone, Copy, Default, Serialize)]
struct Tally {
    /// Bytes delayed, held or lost.
    bytes: u64,
    /// Connections affected; for a cut point, actions taken.
    strikes: u64,
}

impl Proxy {
    /// Creates a proxy, which listens if it is enabled.
    ///
    /// *Errors*: an address does not resolve, or the port cannot be opened.
    pub async fn create(
        config: ProxyConfig,
        seed: Seed,
        tls: Option<Arc<ProxyTls>>,
        journal: Option<Journal>,
    ) -> Result<Arc<Proxy>, ApiError> {
        let proxy = Arc::new(Proxy {
            seed: seed.fork(&config.name),
            tls,
            tap: Arc::new(Counters::new(&config.name, journal)),
            name: config.name,
            state: Mutex::new(ProxyState {
                requested_listen: config.listen.clone(),
                listen: config.listen,
                upstream: config.upstream,
                enabled: false,
                gateway: None,
                toxics: Vec::new(),
                _name_follower: None,
            }),
        });
        if config.enabled {
            proxy.enable(&mut *proxy.state().await).await?;
        }
        Ok(proxy)
    }

    async fn state(&self) -> MutexGuard<'_, ProxyState> {
        self.state.lock().await
    }

    pub async fn view(&self) -> ProxyView {
        let state = self.state().await;
        ProxyView {
            name: self.name.clone(),
            listen: state.listen.clone(),
            upstream: state.upstream.clone(),
            enabled: state.enabled,
            toxics: state.view(),
        }
    }

    /// Whether the proxy has these two addresses. As in Toxiproxy, `enabled` is not compared.
    pub async fn matches(&self, config: &ProxyConfig) -> bool {
        let state = self.state().await;
        state.upstream == config.upstream && state.listens_on(&config.listen).await
    }

    async fn enable(self: &Arc<Self>, state: &mut ProxyState) -> Result<(), ApiError> {
        if state.gateway.is_none() {
            let gateway = self.open(&state.requested_listen, &state.upstream).await?;
            state.set_gateway(gateway).await;
            state._name_follower = self.follow_name(&state.upstream);
        }
        state.enabled = true;
        state.apply_accept_policy().await
    }

    /// Returns the TLS settings of a gateway to `upstream`; `None` if TLS passes through.
    fn termination(&self, upstream: &str) -> Result<Option<Termination>, ApiError> {
        let termination = self.tls.as_ref().map(|tls| tls.termination(upstream)).transpose();
        termination.map_err(ApiError::bad_request)
    }

    /// Opens a gateway, which terminates TLS if the settings say so.
    async fn open(&self, listen: &str, upstream: &str) -> Result<Gateway, ApiError> {
        let address = addr::listen(listen).await?;
        let termination = self.termination(upstream)?;
        let upstream = addr::resolve("upstream", upstream).await?;
        let tap: Arc<dyn Tap> = self.tap.clone();
        let open = |port| Gateway::open_on(port, upstream, self.seed, tap);
        let gateway = Reservation::at(address).and_then(open).map_err(|error| cannot_listen(address, &error))?;
        if let Some(termination) = termination {
            gateway.terminate(termination);
        }
        Ok(gateway)
    }

    /// Starts the task that routes the gateway to the present address of the upstream's name.
    fn follow_name(self: &Arc<Self>, upstream: &str) -> Option<AbortOnDropHandle<()>> {
        if !addr::is_name(upstream) {
            return None;
        }
        let proxy: Weak<Proxy> = Arc::downgrade(self);
        let upstream = upstream.to_owned();
        Some(AbortOnDropHandle::new(tokio::spawn(async move {
            loop {
                sleep(RESOLVE_INTERVAL).await;
                // While the name does not resolve, the last address stays.
                let Ok(address) = addr::resolve("upstream", &upstream).await else { continue };
                let Some(proxy) = proxy.upgrade() else { return };
                let state = proxy.state().await;
                if let Some(gateway) = state.gateway.as_ref().filter(|_| state.upstream == upstream) {
                    gateway.route_to(address);
                }
            }
        })))
    }

    /// Changes the addresses, then enables or disables the proxy.
    ///
    /// *Errors*: the same as for [`Proxy::create`]; the old addresses then stay.
    pub async fn change(self: &Arc<Self>, change: ProxyChange) -> Result<(), ApiError> {
        let mut state = self.state().await;
        let enabled = change.enabled.unwrap_or(state.enabled);
        let listen = match change.listen {
            Some(listen) if !state.listens_on(&listen).await => Some(listen),
            _ => None,
        };
        let upstream = change.upstream.filter(|upstream| *upstream != state.upstream);
        if listen.is_some() || upstream.is_some() {
            let listen = listen.unwrap_or_else(|| state.listen.clone());
            let upstream = upstream.unwrap_or_else(|| state.upstream.clone());
            self.relocate(&mut state, listen, upstream).await?;
        }
        match enabled {
            true => self.enable(&mut state).await,
            false => state.disable().await,
        }
    }

    /// Changes the upstream, the listen address or both. Any of these closes the connections, as in Toxiproxy.
    async fn relocate(
        self: &Arc<Self>,
        state: &mut ProxyState,
        listen: String,
        upstream: String,
    ) -> Result<(), ApiError> {
        if let Some(old) = state.gateway.clone() {
            if state.listen == listen {
                // With an authority, the certificate must name the new host.
                let termination = self.termination(&upstream)?;
                old.route_to(addr::resolve("upstream", &upstream).await?);
                if let Some(termination) = termination {
                    old.terminate(termination);
                }
                old.cut(Cut::Close).await;
            } else {
                // Opens the new gateway first: if this fails, the old one stays.
                let new = self.open(&listen, &upstream).await?;
                state.set_gateway(new).await;
                close_gateway(old).await;
            }
            state._name_follower = self.follow_name(&upstream);
        }
        if state.gateway.is_none() {
            state.listen.clone_from(&listen);
        }
        (state.requested_listen, state.upstream) = (listen, upstream);
        Ok(())
    }

    /// Removes the toxics and enables the proxy.
    ///
    /// *Errors*: the same as for [`Proxy::create`].
    pub async fn reset(self: &Arc<Self>) -> Result<(), ApiError> {
        let mut state = self.state().await;
        while let Some(installed) = state.toxics.pop() {
            state.remove(installed).await;
        }
        self.enable(&mut state).await
    }

    /// Ends every open connection; returns how many there were.
    pub async fn cut(&self, cut: Cut) -> usize {
        match self.state().await.gateway.clone() {
            Some(gateway) => gateway.cut(cut).await,
            None => 0,
        }
    }

    /// Closes the proxy and every connection.
    pub async fn close(&self) {
        let gateway = {
            let mut state = self.state().await;
            (state.enabled, state._name_follower) = (false, None);
            state.toxics.clear();
            state.gateway.take()
        };
        if let Some(gateway) = gateway {
            close_gateway(gateway).await;
        }
    }

    pub async fn toxics(&self) -> Vec<ToxicView> {
        self.state().await.view()
    }

    pub async fn toxic(&self, name: &str) -> Result<ToxicView, ApiError> {
        let state = self.state().await;
        Ok(state.toxics[state.find(name)?].toxic.to_view())
    }

    /// Adds a toxic, in force when this returns.
    ///
    /// *Errors*: 409 if the name exists; the port cannot be opened again.
    pub async fn add(&self, toxic: Toxic) -> Result<ToxicView, ApiError> {
        let mut state = self.state().await;
        if state.find(&toxic.name).is_ok() {
            return Err(ApiError::toxic_exists());
        }
        let view = toxic.to_view();
        let mut installed = InstalledToxic { toxic, rule: None, earlier: Tally::default() };
        if let Some(gateway) = &state.gateway {
            installed.install(gateway).await;
        }
        state.toxics.push(installed);
        if let Err(error) = state.apply_accept_policy().await {
            state.toxics.pop();
            return Err(error);
        }
        Ok(view)
    }

    pub async fn update(&self, name: &str, body: &[u8]) -> Result<ToxicView, ApiError> {
        let mut state = self.state().await;
        let index = state.find(name)?;
        let toxic = state.toxics[index].toxic.changed(body)?;
        let gateway = state.gateway.clone();
        let installed = &mut state.toxics[index];
        if let (Some(gateway), Some(rule), Some(rule_kind)) = (gateway, &installed.rule, toxic.rule_kind()) {
            let new = gateway.replace(rule, rule_kind).await;
            installed.earlier = installed.tally();
            installed.rule = Some(new);
        }
        installed.toxic = toxic;
        Ok(installed.toxic.to_view())
    }

    pub async fn remove(&self, name: &str) -> Result<(), ApiError> {
        let mut state = self.state().await;
        let index = state.find(name)?;
        let installed = state.toxics.remove(index);
        state.remove(installed).await;
        state.apply_accept_policy().await
    }

    /// Returns the tap's counts, and the counts of each toxic, as JSON.
    pub async fn tap_report(&self) -> Value {
        let state = self.state().await;
        let toxics: Map<String, Value> =
            state.toxics.iter().map(|installed| (installed.toxic.name.clone(), json!(installed.tally()))).collect();
        let (open, dropped) = match &state.gateway {
            Some(gateway) => (gateway.connections(), gateway.syns_dropped().await),
            None => (0, 0),
        };
        let (counts, recent) = self.tap.read();
        json!({
            "connections": counts, "open": open, "connects": recent, "syns_dropped": dropped, "toxics": toxics,
        })
    }
}

impl ProxyState {
    fn find(&self, name: &str) -> Result<usize, ApiError> {
        self.toxics.iter().position(|installed| installed.toxic.name == name).ok_or_else(ApiError::no_toxic)
    }

    /// Whether the proxy listens on this address, as requested, as assigned, or in a notation that resolves to it.
    async fn listens_on(&self, listen: &str) -> bool {
        if listen == self.requested_listen || listen == self.listen {
            return true;
        }
        match (&self.gateway, addr::listen(listen).await) {
            (Some(gateway), Ok(address)) => gateway.address() == address,
            _ => false,
        }
    }

    /// Returns the toxics in Toxiproxy's order: upstream ones first.
    fn view(&self) -> Vec<ToxicView> {
        let mut toxics: Vec<_> = self.toxics.iter().map(|installed| &installed.toxic).collect();
        toxics.sort_by_key(|toxic| toxic.stream != Stream::Upstream);
        toxics.into_iter().map(Toxic::to_view).collect()
    }

    /// Installs a new gateway, with a rule for every toxic.
    async fn set_gateway(&mut self, gateway: Gateway) {
        for installed in &mut self.toxics {
            installed.earlier = installed.tally();
            installed.install(&gateway).await;
        }
        self.listen = gateway.address().to_string();
        self.gateway = Some(gateway);
    }

    async fn remove(&self, installed: InstalledToxic) {
        if let (Some(gateway), Some(rule)) = (&self.gateway, installed.rule) {
            gateway.remove(&rule).await;
        }
    }

    /// Makes the gateway refuse, hang or accept new connections, according to `enabled` and the toxics. If toxics
    /// disagree, refusing wins.
    async fn apply_accept_policy(&self) -> Result<(), ApiError> {
        let Some(gateway) = &self.gateway else { return Ok(()) };
        let policies = self.toxics.iter().filter_map(|installed| match installed.toxic.effect {
            Effect::NewConnections(policy) => Some(policy),
            _ => None,
        });
        let policy = if self.enabled { policies.max() } else { Some(NewConnections::Refuse) };
        let applied = match policy {
            Some(NewConnections::Refuse) => gateway.refuse().await,
            Some(NewConnections::Hang) => gateway.hang().await,
            None => gateway.accept().await,
        };
        applied.map_err(|error| cannot_listen(gateway.address(), &error))
    }

    async fn disable(&mut self) -> Result<(), ApiError> {
        self.enabled = false;
        let Some(gateway) = self.gateway.clone() else { return Ok(()) };
        self.apply_accept_policy().await?;
        gateway.cut(Cut::Close).await;
        Ok(())
    }
}

impl InstalledToxic {
    async fn install(&mut self, gateway: &Gateway) {
        self.rule = match self.toxic.rule_kind() {
            Some(rule_kind) => Some(gateway.install(&self.toxic.name, rule_kind).await),
            None => None,
        };
    }

    fn tally(&self) -> Tally {
        let now = self
            .rule
            .as_ref()
            .map_or(Tally::default(), |rule| Tally { bytes: rule.tally.bytes(), strikes: rule.tally.strikes() });
        Tally { bytes: self.earlier.bytes + now.bytes, strikes: self.earlier.strikes + now.strikes }
    }
}

fn cannot_listen(address: std::net::SocketAddr, error: &io::Error) -> ApiError {
    let hint = match error.kind() {
        io::ErrorKind::AddrInUse => ": choose another port, or port 0 for any that is free",
        io::ErrorKind::PermissionDenied => ": ports below 1024 need privileges",
        io::ErrorKind::AddrNotAvailable => ": this machine has no such address",
        _ => "",
    };
    ApiError::failed(format_args!("cannot listen on {address}: {error}{hint}"))
}

/// Closes a gateway after its connections. Drops it on a blocking thread, because dropping the last handle waits for
/// the gateway's threads.
async fn close_gateway(gateway: Gateway) {
    // Otherwise connections would arrive during the cut. A failure does not prevent the close.
    let _ = gateway.refuse().await;
    gateway.cut(Cut::Close).await;
    gateway.close().await;
    // Fails only if the drop panicked; the panic hook has printed that.
    let _ = tokio::task::spawn_blocking(move || drop(gateway)).await;
}

//! One proxy: a gateway, whether it is enabled, and the toxics that are in force on it.

use std::io;
use std::sync::{Arc, Weak};
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value, json};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

use super::addr;
use super::api_error::Complaint;
use super::api_types::{ProxyChange, ProxyConfig, ProxyShown, Toxic, ToxicShown};
use super::encryption::Encryption;
use super::journal::Journal;
use super::tap::Counters;
use super::toxic_types::{Door, Effect};
use crate::gateway::port::Reservation;
use crate::gateway::tap::Tap;
use crate::gateway::{Cut, Gateway, Rule};
use crate::model::fault::Stream;
use crate::model::seed::Seed;

/// How often the name of an upstream is looked up again: a container that was replaced is found within seconds.
const LOOK_UP: Duration = Duration::from_secs(2);

/// A proxy. Whatever changes it is done under its lock, one after the other.
pub(super) struct Proxy {
    pub name: String,
    seed: Seed,
    encryption: Option<Arc<Encryption>>,
    tap: Arc<Counters>,
    state: Mutex<State>,
}

struct State {
    /// As it was asked for.
    asked: String,
    /// As it came to be: with the port that port 0 stood for.
    listen: String,
    upstream: String,
    enabled: bool,
    /// `None` for one that was never enabled, or is gone. One that is disabled keeps its gateway, and so its port.
    gateway: Option<Gateway>,
    /// In the order in which they came.
    toxics: Vec<Placed>,
    /// Looks the upstream's name up again and again.
    _look_up: Option<AbortOnDropHandle<()>>,
}

/// A toxic, and its rule on the gateway, if there is a gateway and it needs one.
struct Placed {
    toxic: Toxic,
    rule: Option<Arc<Rule>>,
    /// What rules that this one replaced had counted.
    earlier: Tally,
}

#[derive(Clone, Copy, Default, Serialize)]
struct Tally {
    /// Bytes delayed, held or lost.
    bytes: u64,
    /// Connections struck.
    strikes: u64,
}

impl Proxy {
    /// Makes a proxy, listening if it is to be enabled.
    pub async fn create(
        config: ProxyConfig,
        seed: Seed,
        encryption: Option<Arc<Encryption>>,
        journal: Option<Journal>,
    ) -> Result<Arc<Proxy>, Complaint> {
        let proxy = Arc::new(Proxy {
            seed: seed.fork(&config.name),
            encryption,
            tap: Arc::new(Counters::new(&config.name, journal)),
            name: config.name,
            state: Mutex::new(State {
                asked: config.listen.clone(),
                listen: config.listen,
                upstream: config.upstream,
                enabled: false,
                gateway: None,
                toxics: Vec::new(),
                _look_up: None,
            }),
        });
        if config.enabled {
            proxy.enable(&mut *proxy.state().await).await?;
        }
        Ok(proxy)
    }

    async fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().await
    }

    pub async fn shown(&self) -> ProxyShown {
        let state = self.state().await;
        ProxyShown {
            name: self.name.clone(),
            listen: state.listen.clone(),
            upstream: state.upstream.clone(),
            enabled: state.enabled,
            toxics: state.shown(),
        }
    }

    /// Whether it is what somebody asks for.
    pub async fn is(&self, config: &ProxyConfig) -> bool {
        let state = self.state().await;
        state.upstream == config.upstream && state.listens_on(&config.listen).await
    }

    async fn enable(self: &Arc<Self>, state: &mut State) -> Result<(), Complaint> {
        if state.gateway.is_none() {
            let gateway = self.open(&state.asked, &state.upstream).await?;
            state.move_in(gateway).await;
            state._look_up = self.look_up(&state.upstream);
        }
        state.enabled = true;
        state.keep_door().await
    }

    /// Opens a gateway.
    async fn open(&self, listen: &str, upstream: &str) -> Result<Gateway, Complaint> {
        let address = addr::listen(listen).await?;
        let termination = self.encryption.as_ref().map(|encryption| encryption.termination(upstream)).transpose();
        let termination = termination.map_err(Complaint::body)?;
        let upstream = addr::resolve("upstream", upstream).await?;
        let tap: Arc<dyn Tap> = self.tap.clone();
        let open = |port| Gateway::open_on(port, upstream, self.seed, tap);
        let gateway = Reservation::at(address).and_then(open).map_err(|error| cannot_listen(address, &error))?;
        if let Some(termination) = termination {
            gateway.terminate(termination);
        }
        Ok(gateway)
    }

    /// Follows the name of an upstream to wherever it leads.
    fn look_up(self: &Arc<Self>, upstream: &str) -> Option<AbortOnDropHandle<()>> {
        if !addr::is_name(upstream) {
            return None;
        }
        let proxy: Weak<Proxy> = Arc::downgrade(self);
        let upstream = upstream.to_owned();
        Some(AbortOnDropHandle::new(tokio::spawn(async move {
            loop {
                sleep(LOOK_UP).await;
                // A name that cannot be resolved now leads where it led before.
                let Ok(address) = addr::resolve("upstream", &upstream).await else { continue };
                let Some(proxy) = proxy.upgrade() else { return };
                let state = proxy.state().await;
                if let Some(gateway) = state.gateway.as_ref().filter(|_| state.upstream == upstream) {
                    gateway.route_to(address);
                }
            }
        })))
    }

    pub async fn change(self: &Arc<Self>, change: ProxyChange) -> Result<(), Complaint> {
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

    /// Leads elsewhere, or listens elsewhere; either cuts the connections, as Toxiproxy does.
    async fn relocate(self: &Arc<Self>, state: &mut State, listen: String, upstream: String) -> Result<(), Complaint> {
        if let Some(old) = state.gateway.clone() {
            if state.listen == listen {
                old.route_to(addr::resolve("upstream", &upstream).await?);
                old.cut(Cut::Close).await;
            } else {
                // The new one first: where it cannot be opened, the old one stays.
                let new = self.open(&listen, &upstream).await?;
                state.move_in(new).await;
                end(old).await;
            }
            state._look_up = self.look_up(&upstream);
        }
        if state.gateway.is_none() {
            state.listen.clone_from(&listen);
        }
        (state.asked, state.upstream) = (listen, upstream);
        Ok(())
    }

    /// Enabled and without toxics.
    pub async fn reset(self: &Arc<Self>) -> Result<(), Complaint> {
        let mut state = self.state().await;
        while let Some(placed) = state.toxics.pop() {
            state.remove(placed).await;
        }
        self.enable(&mut state).await
    }

    /// Ends every connection that is open; returns how many were.
    pub async fn cut(&self, cut: Cut) -> usize {
        match self.state().await.gateway.clone() {
            Some(gateway) => gateway.cut(cut).await,
            None => 0,
        }
    }

    /// Ends the proxy and every connection.
    pub async fn end(&self) {
        let gateway = {
            let mut state = self.state().await;
            (state.enabled, state._look_up) = (false, None);
            state.toxics.clear();
            state.gateway.take()
        };
        if let Some(gateway) = gateway {
            end(gateway).await;
        }
    }

    pub async fn toxics(&self) -> Vec<ToxicShown> {
        self.state().await.shown()
    }

    pub async fn toxic(&self, name: &str) -> Result<ToxicShown, Complaint> {
        let state = self.state().await;
        Ok(state.toxics[state.find(name)?].toxic.shown())
    }

    pub async fn add(&self, toxic: Toxic) -> Result<ToxicShown, Complaint> {
        let mut state = self.state().await;
        if state.find(&toxic.name).is_ok() {
            return Err(Complaint::toxic_exists());
        }
        let shown = toxic.shown();
        let mut placed = Placed { toxic, rule: None, earlier: Tally::default() };
        if let Some(gateway) = &state.gateway {
            placed.install(gateway).await;
        }
        state.toxics.push(placed);
        if let Err(complaint) = state.keep_door().await {
            state.toxics.pop();
            return Err(complaint);
        }
        Ok(shown)
    }

    pub async fn update(&self, name: &str, body: &[u8]) -> Result<ToxicShown, Complaint> {
        let mut state = self.state().await;
        let index = state.find(name)?;
        let toxic = state.toxics[index].toxic.changed(body)?;
        let gateway = state.gateway.clone();
        let placed = &mut state.toxics[index];
        if let (Some(gateway), Some(rule), Some(what)) = (gateway, &placed.rule, toxic.what()) {
            let new = gateway.replace(rule, what).await;
            placed.earlier = placed.tally();
            placed.rule = Some(new);
        }
        placed.toxic = toxic;
        Ok(placed.toxic.shown())
    }

    pub async fn remove(&self, name: &str) -> Result<(), Complaint> {
        let mut state = self.state().await;
        let index = state.find(name)?;
        let placed = state.toxics.remove(index);
        state.remove(placed).await;
        state.keep_door().await
    }

    /// What it has seen, and what each toxic has done.
    pub async fn seen(&self) -> Value {
        let state = self.state().await;
        let toxics: Map<String, Value> =
            state.toxics.iter().map(|placed| (placed.toxic.name.clone(), json!(placed.tally()))).collect();
        let (open, dropped) = match &state.gateway {
            Some(gateway) => (gateway.connections(), gateway.syns_dropped().await),
            None => (0, 0),
        };
        let (counts, lately) = self.tap.read();
        json!({
            "connections": counts, "open": open, "connects": lately, "syns_dropped": dropped, "toxics": toxics,
        })
    }
}

impl State {
    fn find(&self, name: &str) -> Result<usize, Complaint> {
        self.toxics.iter().position(|placed| placed.toxic.name == name).ok_or_else(Complaint::no_toxic)
    }

    /// Whether this is where it listens, however that is written.
    async fn listens_on(&self, listen: &str) -> bool {
        if listen == self.asked || listen == self.listen {
            return true;
        }
        match (&self.gateway, addr::listen(listen).await) {
            (Some(gateway), Ok(address)) => gateway.address() == address,
            _ => false,
        }
    }

    /// As Toxiproxy lists them: those of clients' bytes first.
    fn shown(&self) -> Vec<ToxicShown> {
        let mut toxics: Vec<_> = self.toxics.iter().map(|placed| &placed.toxic).collect();
        toxics.sort_by_key(|toxic| toxic.stream != Stream::Upstream);
        toxics.into_iter().map(Toxic::shown).collect()
    }

    /// Takes a new gateway, with every toxic in force on it.
    async fn move_in(&mut self, gateway: Gateway) {
        for placed in &mut self.toxics {
            placed.earlier = placed.tally();
            placed.install(&gateway).await;
        }
        self.listen = gateway.address().to_string();
        self.gateway = Some(gateway);
    }

    async fn remove(&self, placed: Placed) {
        if let (Some(gateway), Some(rule)) = (&self.gateway, placed.rule) {
            gateway.remove(&rule).await;
        }
    }

    /// Refuses, hangs or accepts, as enabling and toxics will have it.
    async fn keep_door(&self) -> Result<(), Complaint> {
        let Some(gateway) = &self.gateway else { return Ok(()) };
        let doors = self.toxics.iter().filter_map(|placed| match placed.toxic.effect {
            Effect::Door(door) => Some(door),
            _ => None,
        });
        let door = if self.enabled { doors.max() } else { Some(Door::Refuse) };
        let kept = match door {
            Some(Door::Refuse) => gateway.refuse().await,
            Some(Door::Hang) => gateway.hang().await,
            None => gateway.accept().await,
        };
        kept.map_err(|error| cannot_listen(gateway.address(), &error))
    }

    async fn disable(&mut self) -> Result<(), Complaint> {
        self.enabled = false;
        let Some(gateway) = self.gateway.clone() else { return Ok(()) };
        self.keep_door().await?;
        gateway.cut(Cut::Close).await;
        Ok(())
    }
}

impl Placed {
    async fn install(&mut self, gateway: &Gateway) {
        self.rule = match self.toxic.what() {
            Some(what) => Some(gateway.install(&self.toxic.name, what).await),
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

fn cannot_listen(address: std::net::SocketAddr, error: &io::Error) -> Complaint {
    let hint = match error.kind() {
        io::ErrorKind::AddrInUse => ": choose another port, or port 0 for any that is free",
        io::ErrorKind::PermissionDenied => ": ports below 1024 need privileges",
        io::ErrorKind::AddrNotAvailable => ": it is no address of this machine",
        _ => "",
    };
    Complaint::failed(format_args!("cannot listen on {address}: {error}{hint}"))
}

/// Closes a gateway, its connections in order. Its last handle waits for threads, so it is dropped where waiting is
/// allowed.
async fn end(gateway: Gateway) {
    // Nobody new; where that cannot be had, the end does without.
    let _ = gateway.refuse().await;
    gateway.cut(Cut::Close).await;
    gateway.close().await;
    // It panicked if a thread of the gateway did, which has said so.
    let _ = tokio::task::spawn_blocking(move || drop(gateway)).await;
}

//! The servers of a simulated run, the gateways before them, and who is the primary.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

#[cfg(feature = "tls")]
use super::encryption::Encryption;
use crate::credentials::address::{Address, Rotating};
#[cfg(feature = "tls")]
use crate::credentials::origin::Origin;
use crate::credentials::wall_clock::WallClock;
use crate::error::Error;
use crate::gateway::transport::KeepaliveTimes;
use crate::gateway::{Cut, Gateway, Tap};
use crate::model::history::ServerFacts;
#[cfg(feature = "tls")]
use crate::model::topology::SslMode;
use crate::model::topology::{Host, Topology};
use crate::nemesis::{HasGateway, NemesisError};
use crate::plan::Plan;
use crate::server::ServerError;
use crate::server::bootstrap::{DATABASE, ROLE};
use crate::simnet::{Filter, Network, SERVERS, SimHost};
use crate::simpg::{Postgres, Settings};

/// Where the client's addresses are open, and where the first server listens behind them; the standby is next to it.
const PORT: u16 = 5432;

/// The password of the client's role. Nobody else is there to guess it.
const PASSWORD: &str = "squall";

/// Servers on a network, and a gateway before each of the client's addresses.
pub(super) struct World {
    /// The one that is the primary when the run begins, then its standby, where there is one.
    servers: Vec<Postgres<SimHost>>,
    /// Which of them is the primary now.
    primary: AtomicUsize,
    /// Whether the one that was the primary is gone for good.
    lost: AtomicBool,
    /// What the first of the client's addresses belongs to.
    pub gateway: Gateway,
    /// What the others belong to, in their order.
    others: Vec<Gateway>,
    pub filter: Filter,
    /// The client's machine.
    pub client: SimHost,
    pub layout: Topology,
    /// The certificates, where the server speaks TLS.
    #[cfg(feature = "tls")]
    encryption: Option<Encryption>,
    pub address: Address,
}

impl World {
    /// Brings everything up. `clock`: by which certificates are valid.
    #[cfg_attr(not(feature = "tls"), expect(unused_variables, reason = "there are no certificates"))]
    pub async fn create(network: &Network, plan: &Plan, tap: Arc<dyn Tap>, clock: WallClock) -> Result<World, Error> {
        let (seed, layout) = (plan.header.seed, plan.header.layout.clone());
        let settings = settings(&plan.settings).map_err(|why| Error::Simulation(std::io::Error::other(why)))?;
        let machine = network.servers();
        let behind = |index: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, PORT + index));
        let first = Postgres::start(machine, behind(0), settings, seed.fork("server"));
        let mut servers = vec![first.await.map_err(Error::Simulation)?];
        if layout.standby {
            let standby = Postgres::standby_of(&servers[0], machine, behind(1), seed.fork("standby"));
            servers.push(standby.await.map_err(Error::Simulation)?);
        }
        let host = match layout.keepalive {
            Some(times) => {
                let (idle, interval, probes) = (times.idle, times.interval, times.count);
                machine.keeping_alive(KeepaliveTimes { idle, interval, probes })
            }
            None => machine,
        };
        let leads_to = |host: Host| match host {
            Host::Standby => servers[servers.len() - 1].address(),
            Host::Primary | Host::Nobody | Host::Unresolvable => servers[0].address(),
        };
        let mut places = layout.hosts.iter().zip(SERVERS).map(|(host, ip)| (SocketAddr::from((ip, PORT)), *host));
        let (at, found) = places.next().unwrap_or(((SERVERS[0], PORT).into(), Host::Primary));
        let gateway = Gateway::open_on_host(host, at, leads_to(found), seed, tap).map_err(Error::Simulation)?;
        let others = places.map(|(at, found)| gateway.open_beside_on_host(host, at, leads_to(found)));
        let others = others.collect::<Result<Vec<_>, _>>().map_err(Error::Simulation)?;
        let mut address = Address::plain(gateway.address(), ROLE, PASSWORD, DATABASE);
        address.hosts.extend(others.iter().map(|other| other.address().into()));
        (address.target_session, address.sslmode) = (layout.target_session, layout.sslmode);
        address.password_kept = layout.password_file.then(|| Rotating::new(PASSWORD.to_owned()));
        #[cfg(feature = "tls")]
        let encryption = match layout.tls {
            Some(version) => {
                let (host, origin) = (address.hosts[0].host.clone(), Origin::Simulated(seed.fork("keys"), clock));
                let made = Encryption::create(&servers[0], (version, &layout), host, origin);
                Some(made.map_err(|why| Error::Simulation(std::io::Error::other(why)))?)
            }
            None => None,
        };
        #[cfg(feature = "tls")]
        if let (SslMode::VerifyFull, Some(encryption)) = (layout.sslmode, &encryption) {
            encryption.certificates.tell(&mut address);
        }
        let (primary, lost) = (AtomicUsize::new(0), AtomicBool::new(false));
        let (filter, client) = (network.filter(), network.client());
        Ok(World {
            servers,
            primary,
            lost,
            gateway,
            others,
            filter,
            client,
            layout,
            #[cfg(feature = "tls")]
            encryption,
            address,
        })
    }

    /// What is known of the servers.
    pub fn facts(&self) -> ServerFacts {
        let origin = format!("pgsquall {}", env!("CARGO_PKG_VERSION"));
        ServerFacts { kind: "simulated".into(), version: self.server().version().into(), origin }
    }

    /// The certificates of a server that speaks TLS.
    #[cfg(feature = "tls")]
    pub fn encryption(&self) -> Result<&Encryption, ServerError> {
        let none = || ServerError::Control { doing: "find a certificate of", reason: "it speaks no TLS".into() };
        self.encryption.as_ref().ok_or_else(none)
    }

    /// Takes everything down.
    pub async fn close(self) {
        for gateway in self.gateways() {
            gateway.close().await;
        }
    }

    /// The primary, as of now.
    pub fn server(&self) -> &Postgres<SimHost> {
        &self.servers[self.primary.load(Ordering::Acquire) % self.servers.len()]
    }

    /// Every server, the one that was the primary first when the run began.
    pub fn servers(&self) -> impl Iterator<Item = &Postgres<SimHost>> {
        self.servers.iter()
    }

    /// The server beside the primary, where there is one that runs.
    pub fn beside(&self) -> Option<&Postgres<SimHost>> {
        let primary = self.primary.load(Ordering::Acquire);
        let mut others = self.servers.iter().enumerate().filter(|(index, _)| *index != primary);
        others.next().filter(|_| !self.lost.load(Ordering::Acquire)).map(|(_, server)| server)
    }

    /// The gateway to which one of the client's addresses belongs; `None` where it has no such address.
    pub fn door(&self, host: Host) -> Option<&Gateway> {
        let index = self.layout.hosts.iter().position(|found| *found == host)?;
        self.gateways().nth(index)
    }

    /// What the address of the primary, as of now, belongs to.
    fn door_of_primary(&self) -> &Gateway {
        let host = if self.primary.load(Ordering::Acquire) == 0 { Host::Primary } else { Host::Standby };
        self.door(host).filter(|_| !self.others.is_empty()).unwrap_or(&self.gateway)
    }

    /// Everything that clients come through.
    fn gateways(&self) -> impl Iterator<Item = &Gateway> {
        std::iter::once(&self.gateway).chain(&self.others)
    }

    /// Has the primary's address refuse, as a host does on which no server listens.
    pub async fn without_server(&self) -> Result<(), NemesisError> {
        Ok(self.door_of_primary().refuse().await?)
    }

    /// Starts the primary again, and lets clients through as soon as it answers, if only to say that it is starting.
    pub async fn start_server(&self) -> Result<(), NemesisError> {
        self.server().launch()?;
        self.admit().await
    }

    /// Lets clients through to the primary; returns once it runs queries.
    pub async fn admit(&self) -> Result<(), NemesisError> {
        let door = self.door_of_primary();
        door.route_to(self.server().address());
        door.accept().await?;
        Ok(self.server().ready().await?)
    }

    /// Kills the primary for good, and has its address refuse.
    pub async fn lose_primary(&self) -> Result<(), NemesisError> {
        self.server().kill().await?;
        self.without_server().await?;
        self.lost.store(true, Ordering::Release);
        Ok(())
    }

    /// Promotes the standby, which is the primary from then on. Addresses lead where they led.
    pub fn promote_standby(&self) -> Result<(), NemesisError> {
        let old = self.primary.load(Ordering::Acquire);
        let Some(index) = (0..self.servers.len()).find(|index| *index != old) else {
            return Err(NemesisError::NotInForce("there is no standby".into()));
        };
        self.servers[index].promote();
        self.primary.store(index, Ordering::Release);
        Ok(())
    }

    /// Leads the client's one address to the primary, and lets it in. Where it has several, each stays with its server.
    pub async fn follow_primary(&self) -> Result<(), NemesisError> {
        if self.layout.hosts.len() == 1 {
            self.gateway.route_to(self.server().address());
            self.gateway.accept().await?;
        }
        Ok(())
    }

    /// How often the client was told this code, by whichever server.
    pub fn refused(&self, sqlstate: &str) -> usize {
        self.servers().map(|server| server.told(&self.address.user, sqlstate)).sum()
    }

    /// How many lines of the servers' logs hold this text, whomever they are about.
    pub fn said(&self, text: &str) -> usize {
        let said = |server: &Postgres<SimHost>| server.log(0).iter().filter(|line| line.text.contains(text)).count();
        self.servers().map(said).sum()
    }

    /// Ends the connections that the client has given up without being heard.
    pub async fn end_vanished(&self) -> Result<(), ServerError> {
        let failed = |error: std::io::Error| ServerError::Control {
            doing: "end what the client has given up at",
            reason: error.to_string(),
        };
        let open_sockets = self.client.open_sockets().map_err(failed)?;
        for gateway in self.gateways() {
            gateway.cut_all_but(&open_sockets, Cut::Reset).await;
        }
        Ok(())
    }
}

impl HasGateway for World {
    fn gateway(&self) -> &Gateway {
        &self.gateway
    }
}

/// What a server is made with.
///
/// *Errors*: a setting that the simulated server does not go by.
pub(super) fn settings(asked: &[(String, String)]) -> Result<Settings, String> {
    let mut settings = Settings { password: PASSWORD.into(), ..Settings::default() };
    for (name, value) in asked {
        let number = || value.parse().map_err(|_| format!("{name} is to be a number, not {value:?}"));
        match name.as_str() {
            "max_connections" => settings.max_connections = number()?,
            "superuser_reserved_connections" => settings.superuser_reserved_connections = number()?,
            // There is no disk that could lose anything.
            "fsync" | "full_page_writes" => {}
            _ => return Err(format!("the simulated server does not know the setting {name}")),
        }
    }
    Ok(settings)
}

/// Whether servers and addresses can be had as they are asked for.
///
/// *Errors*: why not, in words that can stand in a report.
pub(super) fn check_topology(layout: &Topology) -> Result<(), String> {
    if layout.tls.is_some() && cfg!(not(feature = "tls")) {
        return Err("this build speaks no TLS; build it with the feature \"tls\"".into());
    }
    if layout.by_name || layout.hosts.contains(&Host::Unresolvable) {
        return Err("nothing resolves names in a simulation".into());
    }
    if layout.hosts.len() > SERVERS.len() {
        return Err(format!("a simulated client has {} addresses at most", SERVERS.len()));
    }
    Ok(())
}

//! The environment of a simulated run: servers, a gateway for each of the client's addresses, and the wire between
//! them.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use super::server::{PASSWORD, SimulatedServer};
use crate::credentials::address::{Address, Rotating};
#[cfg(feature = "tls")]
use crate::credentials::origin::Origin;
use crate::credentials::wall_clock::WallClock;
#[cfg(feature = "tls")]
use crate::environment::certificates::Certificates;
use crate::environment::{DropCount, Environment, SimulatedPath};
use crate::error::Error;
use crate::gateway::transport::KeepaliveTimes;
use crate::gateway::{Gateway, Tap};
#[cfg(feature = "tls")]
use crate::model::topology::SslMode;
use crate::model::topology::{Host, Topology};
use crate::plan::Plan;
use crate::server::bootstrap::{DATABASE, ROLE};
use crate::server::control::ServerControl;
use crate::simnet::{Filter, FilterRule, Network, SERVERS, SimHost};
use crate::simpg::{Postgres, Settings};

/// The port of the client's addresses and of the first server; the standby has the next port.
const PORT: u16 = 5432;

/// Creates servers, gateways and certificates. `clock`: the clock for the validity of certificates.
///
/// *Errors*: an unknown setting, a server or gateway that cannot start, certificates that cannot be made.
#[cfg_attr(not(feature = "tls"), expect(unused_variables, reason = "there are no certificates"))]
pub(super) async fn create(
    network: &Network,
    plan: &Plan,
    tap: Arc<dyn Tap>,
    clock: WallClock,
) -> Result<Environment, Error> {
    let failed = |why: String| Error::Simulation(io::Error::other(why));
    let (seed, layout) = (plan.header.setup.seed, plan.header.layout.clone());
    let settings = settings(&plan.settings).map_err(failed)?;
    let machine = network.servers();
    let behind = |index: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, PORT + index));
    let first = Postgres::start(machine, behind(0), settings, seed.fork("server"));
    let mut servers = vec![first.await.map_err(Error::Simulation)?];
    if layout.standby {
        let standby = Postgres::standby_of(&servers[0], machine, behind(1), seed.fork("standby"));
        servers.push(standby.await.map_err(Error::Simulation)?);
    }
    let gateways = open_gateways(machine, &servers, plan, tap).map_err(Error::Simulation)?;
    let mut address = Address::plain(gateways[0].address(), ROLE, PASSWORD, DATABASE);
    address.hosts = gateways.iter().map(|gateway| gateway.address().into()).collect();
    (address.target_session, address.sslmode) = (layout.target_session, layout.sslmode);
    address.password_kept = layout.password_file.then(|| Rotating::new(PASSWORD.to_owned()));
    let servers: Vec<_> = servers.into_iter().map(SimulatedServer::new).collect();
    #[cfg(feature = "tls")]
    let certificates = match layout.tls {
        Some(version) => {
            let (host, origin) = (address.hosts[0].host.clone(), Origin::Simulated(seed.fork("keys"), clock));
            let made = Certificates::in_memory(origin, host, layout.client_certificate).and_then(|certificates| {
                servers[0].set_up_tls(certificates.setup(version, layout.sslmode)?, clock)?;
                Ok(certificates)
            });
            Some(made.map_err(|error| failed(error.to_string()))?)
        }
        None => None,
    };
    #[cfg(feature = "tls")]
    if let (SslMode::VerifyFull, Some(certificates)) = (layout.sslmode, &certificates) {
        certificates.tell(&mut address);
    }
    Ok(Environment::simulated(
        servers.into_iter().map(|server| Arc::new(server) as Arc<dyn ServerControl>).collect(),
        gateways,
        Box::new(Wire { filter: network.filter(), client: network.client() }),
        layout,
        #[cfg(feature = "tls")]
        certificates,
        address,
    ))
}

/// Opens one gateway for each of the client's addresses. All number their connections from one counter.
fn open_gateways(
    machine: SimHost,
    servers: &[Postgres<SimHost>],
    plan: &Plan,
    tap: Arc<dyn Tap>,
) -> io::Result<Vec<Gateway>> {
    let layout = &plan.header.layout;
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
    let mut gateways = vec![Gateway::open_on_host(host, at, leads_to(found), plan.header.setup.seed, tap)?];
    for (at, found) in places {
        let beside = gateways[0].open_beside_on_host(host, at, leads_to(found))?;
        gateways.push(beside);
    }
    Ok(gateways)
}

/// The wire between the client's machine and the servers', with its packet filter.
struct Wire {
    filter: Filter,
    client: SimHost,
}

impl SimulatedPath for Wire {
    fn open_sockets(&self) -> io::Result<BTreeSet<SocketAddr>> {
        self.client.open_sockets()
    }

    fn drop_syns(&self, server: IpAddr) -> io::Result<DropCount> {
        let filter = self.filter;
        let IpAddr::V4(server) = server else { return Err(io::Error::other("the simulated network has no IPv6")) };
        let dropping = filter.install(FilterRule::DropSyns, Some(server))?;
        Ok(Box::new(move || Ok(filter.count(dropping)?.into_iter().map(|(_, count)| count).sum())))
    }
}

/// Converts a scenario's settings to those of a simulated server.
///
/// *Errors*: a setting that the simulated server does not support, or a value that is not a number.
pub(super) fn settings(wanted: &[(String, String)]) -> Result<Settings, String> {
    let mut settings = Settings { password: PASSWORD.into(), ..Settings::default() };
    for (name, value) in wanted {
        let number = || value.parse().map_err(|_| format!("{name} is to be a number, not {value:?}"));
        match name.as_str() {
            "max_connections" => settings.max_connections = number()?,
            "superuser_reserved_connections" => settings.superuser_reserved_connections = number()?,
            // No effect here: the simulated server has no disk, and loses nothing that is durable.
            "fsync" | "full_page_writes" => {}
            _ => return Err(format!("the simulated server does not know the setting {name}")),
        }
    }
    Ok(settings)
}

/// Checks that the servers and addresses of a topology can be simulated.
///
/// *Errors*: the reason, worded for a report.
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

//! Sets up an environment: kernel plane, servers, gateways, credentials and certificates; at last the middlebox, which
//! is then put between gateway and server.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;

#[cfg(feature = "simulation")]
use super::SimulatedPath;
#[cfg(feature = "tls")]
use super::certificates::Certificates;
use super::choice::ServerSource;
use super::middlebox::MiddleboxProcess;
use super::roles::Roles;
use super::{Environment, EnvironmentError, resolution};
use crate::credentials;
use crate::credentials::address::{Address, Place};
use crate::gateway::port::Reservation;
use crate::gateway::{Gateway, Tap};
use crate::model::middlebox::Middlebox;
use crate::model::seed::Seed;
#[cfg(feature = "tls")]
use crate::model::topology::SslMode;
use crate::model::topology::{Host, SmallDisk, Topology};
use crate::netns::Kernel;
use crate::netns::{ClientNetns, NAME};
use crate::run_folder::RunFolder;
#[cfg(feature = "docker")]
use crate::server::DockerServer;
use crate::server::bootstrap;
use crate::server::control::{ProcessControl, RealServer, ServerControl, follow};
use crate::server::{ExternalServer, LocalServer, Readiness, START_PATIENCE, Server, ServerError};

/// The specification of an environment.
pub(crate) struct EnvironmentSpec<'a> {
    /// Settings of every server, as names and values of `postgresql.conf`.
    pub settings: &'a [(String, String)],
    pub layout: &'a Topology,
    pub middlebox: Option<&'a Middlebox>,
    pub seed: Seed,
    /// The client's place on the kernel plane; `None`: the proxy plane.
    pub kernel: Option<ClientNetns>,
}

impl Environment {
    /// Sets up an environment; returns once the client can connect.
    ///
    /// *Errors*: what could not be set up; the parts that exist are removed.
    pub async fn create(
        source: &ServerSource,
        blueprint: EnvironmentSpec<'_>,
        tap: Arc<dyn Tap>,
    ) -> Result<Environment, EnvironmentError> {
        let EnvironmentSpec { settings, layout, middlebox, seed, kernel } = blueprint;
        let folder = RunFolder::create().map_err(EnvironmentError::Folder)?;
        let mut kernel = match kernel {
            Some(side) => Some(Kernel::create(side).await?),
            None => None,
        };
        let (servers, external) = bring_up(source, settings, layout, &folder).await?;
        let mut gateways =
            open_gateways(&servers, layout, kernel.as_ref(), seed, tap).map_err(EnvironmentError::Gateway)?;
        let mut address = match external {
            Some(server) => server.client_address(gateways[0].address()),
            None => own_address(source, servers[0].as_ref(), gateways[0].address()).await?,
        };
        let spare =
            spare(&gateways[0], servers[0].as_ref(), layout, kernel.as_ref()).map_err(EnvironmentError::Gateway)?;
        if layout.by_name {
            let kernel = kernel.as_mut().ok_or(EnvironmentError::NoNames)?;
            kernel.give_name(gateways.iter().map(|gateway| gateway.address().ip()).collect(), folder.path())?;
        }
        if let [primary, standby] = servers.as_slice() {
            // The roles have their passwords by now, so the standby gets them too.
            follow(primary.as_ref(), standby.as_ref()).await?;
        }
        if layout.small_disk == Some(SmallDisk::Heap)
            && let Some(disk) = servers[0].small_disk()
        {
            bootstrap::move_ledger(&servers[0].superuser(), &disk).await?;
        }
        found_at(&mut address, layout, &gateways, &folder).map_err(EnvironmentError::Folder)?;
        let servers: Vec<_> = servers.into_iter().map(|server| RealServer::new(server, &address)).collect();
        #[cfg(feature = "tls")]
        let certificates = match layout.tls {
            Some(version) => {
                let host = address.hosts[0].host.clone();
                let certificates = Certificates::in_folder(folder.path(), host, layout.client_certificate)?;
                servers[0].set_up_tls(&certificates.setup(version, layout.sslmode)?).await?;
                Some(certificates)
            }
            None => None,
        };
        #[cfg(feature = "tls")]
        if let (SslMode::VerifyFull, Some(certificates)) = (layout.sslmode, &certificates) {
            certificates.tell(&mut address);
        }
        let (gateway, behind) = (gateways.remove(0), servers[0].address());
        let middlebox =
            middlebox.map(|found| MiddleboxProcess::create(found, &folder, behind, &address)).transpose()?;
        if let Some(middlebox) = &middlebox {
            middlebox.start().await?;
            gateway.route_to(middlebox.address());
        }
        Ok(Environment {
            servers: servers.into_iter().map(|server| Arc::new(server) as Arc<dyn ServerControl>).collect(),
            roles: Mutex::new(Roles::AT_FIRST),
            middlebox,
            gateway,
            others: gateways,
            spare,
            kernel,
            simulated: None,
            layout: layout.clone(),
            #[cfg(feature = "tls")]
            certificates,
            address,
            folder: Some(folder),
        })
    }

    /// Returns an environment of simulated servers. `gateways`: one for each of the client's addresses, never empty.
    #[cfg(feature = "simulation")]
    pub fn simulated(
        servers: Vec<Arc<dyn ServerControl>>,
        mut gateways: Vec<Gateway>,
        path: Box<dyn SimulatedPath>,
        layout: Topology,
        #[cfg(feature = "tls")] certificates: Option<Certificates>,
        address: Address,
    ) -> Environment {
        let gateway = gateways.remove(0);
        Environment {
            servers,
            roles: Mutex::new(Roles::AT_FIRST),
            middlebox: None,
            gateway,
            others: gateways,
            spare: None,
            kernel: None,
            simulated: Some(path),
            layout,
            #[cfg(feature = "tls")]
            certificates,
            address,
            folder: None,
        }
    }
}

/// Running servers, the primary first; and the same primary as its own type if it is external.
type Servers = (Vec<Arc<dyn Server>>, Option<Arc<ExternalServer>>);

/// Starts the servers of a layout; returns once the primary runs queries.
async fn bring_up(
    source: &ServerSource,
    settings: &[(String, String)],
    layout: &Topology,
    folder: &RunFolder,
) -> Result<Servers, EnvironmentError> {
    let mut external: Option<Arc<ExternalServer>> = None;
    let mut standby: Option<Arc<dyn Server>> = None;
    let server: Arc<dyn Server> = match source {
        ServerSource::Local(binaries) => {
            let mut server = LocalServer::create(binaries, folder, settings).await?;
            if let Some(keeps) = layout.small_disk {
                server.add_small_disk(folder, keeps).await?;
            }
            server.start().await?;
            if layout.standby {
                let follower = server.create_standby(folder, settings).await?;
                server.wait(Readiness::AcceptingQueries, START_PATIENCE).await?;
                follower.start().await?;
                standby = Some(Arc::new(follower));
            }
            Arc::new(server)
        }
        #[cfg(feature = "docker")]
        ServerSource::Docker(image) => {
            let run = folder.path().display().to_string();
            let small_disk = layout.small_disk.is_some();
            let mut server = DockerServer::create(image.as_deref(), &run, settings, small_disk).await?;
            if layout.standby {
                standby = Some(Arc::new(server.create_standby(&run, settings).await?));
            }
            Arc::new(server)
        }
        #[cfg(not(feature = "docker"))]
        ServerSource::Docker(_) => {
            return Err(ServerError::Control { doing: "provide", reason: "no Docker support".into() }.into());
        }
        ServerSource::External(url) => {
            let server = Arc::new(ExternalServer::create(url).await?);
            external = Some(Arc::clone(&server));
            server as Arc<dyn Server>
        }
    };
    server.wait(Readiness::AcceptingQueries, START_PATIENCE).await?;
    Ok((std::iter::once(server).chain(standby).collect(), external))
}

/// Prepares a server that the run started, if its template did not; sets a new password for the client's and the
/// occupants' role; returns the client's address with it.
async fn own_address(source: &ServerSource, server: &dyn Server, gateway: SocketAddr) -> Result<Address, ServerError> {
    let superuser = server.superuser();
    if !matches!(source, ServerSource::Local(_)) {
        bootstrap::prepare(&superuser).await?;
    }
    let address = Address::plain(gateway, bootstrap::ROLE, &credentials::password(), bootstrap::DATABASE);
    let session = superuser.connect().await?;
    for role in [bootstrap::ROLE, bootstrap::OCCUPANT] {
        bootstrap::set_password(&session, role, &address.password).await?;
    }
    Ok(address)
}

/// Opens a gateway for each of the client's addresses. No two of their connections have the same number.
fn open_gateways(
    servers: &[Arc<dyn Server>],
    layout: &Topology,
    kernel: Option<&Kernel>,
    seed: Seed,
    tap: Arc<dyn Tap>,
) -> io::Result<Vec<Gateway>> {
    let port = |index| {
        let port = match kernel {
            Some(kernel) => kernel.reservation(index),
            None => Reservation::new(),
        };
        port.map(|port| port.keeping_alive(layout.keepalive))
    };
    let behind = |host: &Host| match host {
        Host::Standby => servers[servers.len() - 1].address(),
        Host::Primary | Host::Nobody | Host::Unresolvable => servers[0].address(),
    };
    let mut hosts = layout.hosts.iter();
    let first = hosts.next().map_or_else(|| servers[0].address(), behind);
    let mut gateways = vec![Gateway::open_on(port(0)?, first, seed, tap)?];
    for (index, host) in hosts.enumerate() {
        let beside = gateways[0].open_beside(port(index + 1)?, behind(host))?;
        gateways.push(beside);
    }
    Ok(gateways)
}

/// Opens a gateway at a spare address, to which a client's host name can be moved; `None` if the client has no host
/// name or several addresses.
fn spare(
    first: &Gateway,
    server: &dyn Server,
    layout: &Topology,
    kernel: Option<&Kernel>,
) -> io::Result<Option<Gateway>> {
    match kernel {
        Some(kernel) if layout.by_name && layout.hosts.len() == 1 => {
            Ok(Some(first.open_beside(kernel.reservation(1)?, server.address())?))
        }
        _ => Ok(None),
    }
}

/// Sets the hosts and the settings of the client's address, and writes the password file if the layout has one.
fn found_at(address: &mut Address, layout: &Topology, gateways: &[Gateway], folder: &RunFolder) -> io::Result<()> {
    let place = |(host, gateway): (&Host, &Gateway)| match host {
        Host::Unresolvable => Place { host: resolution::NOBODYS_NAME.into(), port: gateway.address().port() },
        _ => gateway.address().into(),
    };
    address.hosts = layout.hosts.iter().zip(gateways).map(place).collect();
    if layout.by_name {
        // One host is enough, because all gateways of a namespace listen on the same port.
        address.hosts.truncate(1);
        address.hosts.iter_mut().for_each(|place| place.host = NAME.into());
    }
    address.target_session = layout.target_session;
    address.sslmode = layout.sslmode;
    if layout.password_file {
        let file = folder.path().join("password");
        credentials::write_password_file(&file, &address.user, &address.password)?;
        address.password_file = Some(file);
    }
    Ok(())
}

//! What the client is put into: servers, gateways in front of them, and the credentials to use them.
//!
//! Knows no scenario, no judge and no report.

pub mod address;
pub mod choice;
#[cfg(feature = "tls")]
pub(crate) mod encryption;
pub mod expressible;
pub(crate) mod folder;
pub(crate) mod identity;
pub mod leftovers;
pub(crate) mod network;
pub mod preparation;
mod replication;
pub(crate) mod resolution;
mod roles;
pub mod server;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use self::address::{Address, Place};
use self::choice::ServerSource;
#[cfg(feature = "tls")]
use self::encryption::Encryption;
use self::folder::RunFolder;
use self::network::{Gateway, MiddleboxError, MiddleboxProcess};
#[cfg(feature = "docker")]
use self::server::DockerServer;
use self::server::{ExternalServer, LocalServer, LogLine, Readiness, Server, ServerError};
#[cfg(feature = "tls")]
use crate::layout::SslMode;
use crate::layout::{Host, Layout, SmallDisk};
use crate::middlebox::Middlebox;
use crate::recorder::Recorder;
use crate::seed::Seed;

pub use self::folder::storage;

/// What Docker has to offer here, in words; or why it has nothing.
pub async fn docker_availability() -> Result<String, String> {
    #[cfg(feature = "docker")]
    return server::docker_availability().await;
    #[cfg(not(feature = "docker"))]
    return Err("this build has no Docker support".into());
}

/// Longest wait for a new server: crash recovery and a cold disk included.
pub(crate) const START_PATIENCE: Duration = Duration::from_secs(60);

/// Why an environment could not be made.
#[derive(Debug, thiserror::Error)]
pub enum EnvironmentError {
    #[error(transparent)]
    Server(#[from] ServerError),
    #[error(transparent)]
    Middlebox(#[from] MiddleboxError),
    #[error("the gateway cannot listen on a loopback port: {0}")]
    Gateway(io::Error),
    #[error("cannot make a run folder: {0}")]
    Folder(io::Error),
}

/// Servers that are ready, and gateways that lead to them.
pub(crate) struct Environment {
    /// The one that is the primary when the run begins, then its standby, where there is one.
    servers: Vec<Arc<dyn Server>>,
    /// Which of them is the primary now.
    primary: AtomicUsize,
    /// Whether the one that was the primary is gone for good.
    lost: AtomicBool,
    /// What stands between the gateway and the server, where something does.
    pub middlebox: Option<MiddleboxProcess>,
    /// What the first of the client's addresses belongs to.
    pub gateway: Gateway,
    /// What the others belong to, in their order.
    others: Vec<Gateway>,
    pub layout: Layout,
    /// The certificates, where the server speaks TLS.
    #[cfg(feature = "tls")]
    encryption: Option<Encryption>,
    /// What the client is given.
    pub address: Address,
    /// Dropped last: the servers' files are in it.
    pub folder: RunFolder,
}

/// What an environment is made of.
pub(crate) struct Blueprint<'a> {
    /// Settings of every server.
    pub settings: &'a [(String, String)],
    pub layout: &'a Layout,
    pub middlebox: Option<&'a Middlebox>,
    pub seed: Seed,
}

impl Environment {
    /// Brings up the servers, what is to stand before them, and the gateways before that.
    pub async fn create(
        source: &ServerSource,
        blueprint: Blueprint<'_>,
        recorder: Recorder,
    ) -> Result<Environment, EnvironmentError> {
        let Blueprint { settings, layout, middlebox, seed } = blueprint;
        let folder = RunFolder::create().map_err(EnvironmentError::Folder)?;
        let mut external: Option<Arc<ExternalServer>> = None;
        let mut standby: Option<Arc<dyn Server>> = None;
        let server: Arc<dyn Server> = match source {
            ServerSource::Local(binaries) => {
                let mut server = LocalServer::create(binaries, &folder, settings).await?;
                if let Some(keeps) = layout.small_disk {
                    server.add_small_disk(&folder, keeps).await?;
                }
                server.start().await?;
                if layout.standby {
                    let follower = server.create_standby(&folder, settings).await?;
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
        let servers: Vec<_> = std::iter::once(server).chain(standby).collect();
        let mut gateways = open_gateways(&servers, layout, seed, recorder).map_err(EnvironmentError::Gateway)?;
        let mut address = match external {
            Some(server) => server.client_address(gateways[0].address()),
            None => own_address(source, servers[0].as_ref(), gateways[0].address()).await?,
        };
        if let [primary, standby] = servers.as_slice() {
            // After the roles have their passwords, so that the standby has them too.
            replication::follow(primary.as_ref(), standby.as_ref()).await?;
        }
        if layout.small_disk == Some(SmallDisk::Heap)
            && let Some(disk) = servers[0].small_disk()
        {
            preparation::move_ledger(&servers[0].superuser(), &disk).await?;
        }
        found_at(&mut address, layout, &gateways, &folder).map_err(EnvironmentError::Folder)?;
        #[cfg(feature = "tls")]
        let encryption = match layout.tls {
            Some(version) => {
                let asked = (version, layout);
                Some(Encryption::create(servers[0].as_ref(), asked, folder.path(), &address.password).await?)
            }
            None => None,
        };
        #[cfg(feature = "tls")]
        if layout.sslmode == SslMode::VerifyFull {
            address.tls = encryption.as_ref().map(Encryption::files);
        }
        let gateway = gateways.remove(0);
        let middlebox = middlebox
            .map(|found| MiddleboxProcess::create(found, &folder, servers[0].address(), &address))
            .transpose()?;
        if let Some(middlebox) = &middlebox {
            middlebox.start().await?;
            gateway.lead_to(middlebox.address());
        }
        let (primary, lost) = (AtomicUsize::new(0), AtomicBool::new(false));
        let (others, layout) = (gateways, layout.clone());
        Ok(Environment {
            servers,
            primary,
            lost,
            middlebox,
            gateway,
            others,
            layout,
            #[cfg(feature = "tls")]
            encryption,
            address,
            folder,
        })
    }

    /// The primary, as of now.
    pub fn server(&self) -> &dyn Server {
        self.servers[self.primary.load(Ordering::Acquire) % self.servers.len()].as_ref()
    }

    /// Every server, the one that was the primary first when the run began.
    pub fn servers(&self) -> impl Iterator<Item = &dyn Server> {
        self.servers.iter().map(Arc::as_ref)
    }

    /// What the address of the primary, as of now, belongs to.
    fn door_of_primary(&self) -> &Gateway {
        let host = if self.primary.load(Ordering::Acquire) == 0 { Host::Primary } else { Host::Standby };
        self.door(host).filter(|_| !self.others.is_empty()).unwrap_or(&self.gateway)
    }

    /// The gateway to which one of the client's addresses belongs; `None` where it has no such address.
    pub fn door(&self, host: Host) -> Option<&Gateway> {
        let index = self.layout.hosts.iter().position(|found| *found == host)?;
        std::iter::once(&self.gateway).chain(&self.others).nth(index)
    }

    /// The certificates of a server that speaks TLS.
    #[cfg(feature = "tls")]
    pub fn encryption(&self) -> Result<&Encryption, ServerError> {
        let none = || ServerError::Control { doing: "find a certificate of", reason: "it speaks no TLS".into() };
        self.encryption.as_ref().ok_or_else(none)
    }

    /// Starts the stopped server again, and lets clients through as soon as it answers.
    pub async fn start_server(&self) -> Result<(), EnvironmentError> {
        self.server().start().await?;
        self.admit().await
    }

    /// Lets clients through as soon as the server answers; returns once it runs queries.
    pub async fn admit(&self) -> Result<(), EnvironmentError> {
        self.server().wait(Readiness::Answering, START_PATIENCE).await?;
        match &self.middlebox {
            Some(middlebox) => middlebox.lead_to(self.server().address()).await?,
            None => {
                let door = self.door_of_primary();
                door.lead_to(self.server().address());
                door.accept().await.map_err(EnvironmentError::Gateway)?;
            }
        }
        self.server().wait(Readiness::AcceptingQueries, START_PATIENCE).await?;
        if let Some(middlebox) = &self.middlebox {
            middlebox.wait().await?;
        }
        Ok(())
    }

    /// Has the gateway refuse, as a host does on which no server listens; a middlebox stays, and speaks for itself.
    pub async fn without_server(&self) -> Result<(), EnvironmentError> {
        match self.middlebox {
            Some(_) => Ok(()),
            None => self.door_of_primary().refuse().await.map_err(EnvironmentError::Gateway),
        }
    }

    /// Where the gateway leads: the server, or what stands before it.
    pub fn behind_gateway(&self) -> SocketAddr {
        self.middlebox.as_ref().map_or_else(|| self.server().address(), MiddleboxProcess::address)
    }

    /// Ends what stands before the server, with every session that it holds there.
    pub async fn clear_path(&self) -> Result<(), EnvironmentError> {
        if let Some(middlebox) = &self.middlebox {
            middlebox.stop().await?;
        }
        Ok(())
    }

    /// What the servers have logged of the client's role.
    pub async fn log_of_client(&self) -> Result<Vec<LogLine>, ServerError> {
        let mut lines = Vec::new();
        for server in self.servers() {
            lines.extend(server.log().await?);
        }
        lines.retain(|line| line.role == self.address.user);
        Ok(lines)
    }

    /// Takes everything down, in reverse order.
    pub async fn close(self) -> Result<(), EnvironmentError> {
        for gateway in std::iter::once(&self.gateway).chain(&self.others) {
            gateway.close().await;
        }
        let cleared = self.clear_path().await;
        // All of them, also where one cannot be removed.
        let mut removed = Ok(());
        for server in self.servers.iter().rev() {
            removed = removed.and(server.remove().await);
        }
        removed?;
        cleared
    }
}

/// Credentials on a server of ours: a password that lives as long as the run.
async fn own_address(source: &ServerSource, server: &dyn Server, gateway: SocketAddr) -> Result<Address, ServerError> {
    let superuser = server.superuser();
    if !matches!(source, ServerSource::Local(_)) {
        preparation::prepare(&superuser).await?;
    }
    let address = Address::plain(gateway, preparation::ROLE, &identity::password(), preparation::DATABASE);
    let session = superuser.connect().await?;
    for role in [preparation::ROLE, preparation::OCCUPANT] {
        preparation::set_password(&session, role, &address.password).await?;
    }
    Ok(address)
}

/// One gateway for each of the client's addresses. They share the numbers of connections.
fn open_gateways(
    servers: &[Arc<dyn Server>],
    layout: &Layout,
    seed: Seed,
    recorder: Recorder,
) -> io::Result<Vec<Gateway>> {
    let behind = |host: &Host| match host {
        Host::Standby => servers[servers.len() - 1].address(),
        Host::Primary | Host::Nobody | Host::Unresolvable => servers[0].address(),
    };
    let mut hosts = layout.hosts.iter();
    let first = hosts.next().map_or_else(|| servers[0].address(), behind);
    let mut gateways = vec![Gateway::open(first, seed, Arc::new(recorder))?];
    for host in hosts {
        let beside = gateways[0].open_beside(behind(host))?;
        gateways.push(beside);
    }
    Ok(gateways)
}

/// Says where and how the client is to find its servers.
fn found_at(address: &mut Address, layout: &Layout, gateways: &[Gateway], folder: &RunFolder) -> io::Result<()> {
    let place = |(host, gateway): (&Host, &Gateway)| match host {
        Host::Unresolvable => Place { host: resolution::NOBODYS_NAME.into(), port: gateway.address().port() },
        _ => gateway.address().into(),
    };
    address.hosts = layout.hosts.iter().zip(gateways).map(place).collect();
    address.target_session = layout.target_session;
    address.sslmode = layout.sslmode;
    if layout.password_file {
        let file = folder.path().join("password");
        identity::write_password_file(&file, &address.user, &address.password)?;
        address.password_file = Some(file);
    }
    Ok(())
}

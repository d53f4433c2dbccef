//! [`Postgres`], the handle that controls a simulated server and reads its ledger and log.

mod crash;
mod denial;
mod evidence;
mod life;
mod resources;
mod sessions;
mod standby;
mod state;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::MutexGuard;
use tokio::time::timeout;

use super::scram::Secret;
use super::settings::Settings;
use super::store::Store;
use super::world::{Admission, Database, Phase, Role, Server, Taken, World};
use crate::gateway::transport::Host;
use crate::model::seed::Seed;
use crate::server::ServerError;
use crate::server::bootstrap::{DATABASE, OCCUPANT, ROLE};

/// Deadline, in virtual time, for actions that take milliseconds. A frozen server exceeds it.
const PATIENCE: Duration = Duration::from_secs(30);

/// A handle on a simulated server. Clones refer to the same server, which ends when the last of them is dropped.
pub(crate) struct Postgres<H: Host> {
    world: Arc<World>,
    index: usize,
    host: H,
    address: SocketAddr,
    _life: Arc<Life>,
}

impl<H: Host> Clone for Postgres<H> {
    fn clone(&self) -> Postgres<H> {
        let Postgres { world, index, host, address, _life } = self;
        Postgres { world: world.clone(), index: *index, host: host.clone(), address: *address, _life: _life.clone() }
    }
}

/// Guard that ends every task of a server.
struct Life {
    world: Arc<World>,
    index: usize,
}

impl Drop for Life {
    fn drop(&mut self) {
        let servers = self.world.lock();
        let server = &servers[self.index];
        server.task.iter().for_each(|task| task.abort());
        server.backends.values().filter_map(|backend| backend.task.as_ref()).for_each(|task| task.abort());
    }
}

fn ordinary(secret: Option<Secret>) -> Role {
    Role { secret, may_log_in: true, is_superuser: false, present: true, limit: None, settings: BTreeMap::new() }
}

impl Server {
    fn new(settings: Settings, seed: Seed) -> Server {
        let mut rng = seed.fork("postgres").rng();
        let secret = Secret::new(&settings.password, &mut rng);
        let superuser = Role { is_superuser: true, ..ordinary(None) };
        let roles = [
            ("postgres".to_owned(), superuser),
            (ROLE.to_owned(), ordinary(Some(secret.clone()))),
            (OCCUPANT.to_owned(), ordinary(Some(secret))),
        ];
        let databases = ["postgres", DATABASE]
            .map(|name| (name.to_owned(), Database { present: true, accepts: true, may_connect: true }));
        Server {
            settings,
            phase: Phase::Down,
            frozen: false,
            needs_recovery: false,
            roles: roles.into(),
            databases: databases.into(),
            admission: Admission::Everybody,
            acceptor: None,
            taken: Taken::None,
            memory_short: false,
            disk_full: false,
            wal_full: false,
            ledger_locked: false,
            read_only: false,
            in_recovery: false,
            standby: None,
            primary: None,
            confirmed: 0,
            store: Store::default(),
            backends: BTreeMap::new(),
            log: Vec::new(),
            next_pid: 100,
            next_xid: 0,
            rng,
            postmaster: Arc::default(),
            gate: Arc::default(),
            task: None,
        }
    }
}

impl<H: Host> Postgres<H> {
    /// Starts a server with the client's role, database and ledger; returns once it accepts sign-ins.
    ///
    /// *Errors*: the host cannot listen at the address.
    pub async fn start(host: H, address: SocketAddr, settings: Settings, seed: Seed) -> io::Result<Postgres<H>> {
        let started = Postgres::create(Arc::default(), host, address, Server::new(settings, seed));
        started.launch()?;
        started.ready().await.map_err(io::Error::other)?;
        Ok(started)
    }

    fn create(world: Arc<World>, host: H, address: SocketAddr, server: Server) -> Postgres<H> {
        let index = {
            let mut servers = world.lock();
            servers.push(server);
            servers.len() - 1
        };
        let _life = Arc::new(Life { world: world.clone(), index });
        Postgres { world, index, host, address, _life }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    fn servers(&self) -> MutexGuard<'_, Vec<Server>> {
        self.world.lock()
    }

    /// Changes the server, and wakes every task that waits for a change.
    fn change<T>(&self, how: impl FnOnce(&mut Server) -> T) -> T {
        let changed = how(&mut self.servers()[self.index]);
        self.world.changed();
        changed
    }

    /// Waits until `is_so` holds for the server. `doing`: the action, for the error.
    ///
    /// *Errors*: it does not hold after `within`.
    async fn until(
        &self,
        doing: &'static str,
        within: Duration,
        is_so: impl Fn(&Server) -> bool,
    ) -> Result<(), ServerError> {
        let index = self.index;
        let work = self.world.until(|servers| is_so(&servers[index]).then_some(()));
        timeout(within, work).await.map_err(|_| {
            let phase = self.servers()[index].phase;
            let reason = format!("not done after {}; it is {phase:?}", crate::model::time::show(within));
            ServerError::Control { doing, reason }
        })
    }
}

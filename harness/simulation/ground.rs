//! What a simulated run happens on: a network, the gateways and servers on it, and what the client is given of them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, sleep, sleep_until};

use super::nemesis;
use super::network::{Filter, Network, SERVERS, SimHost};
use super::postgres::{Postgres, Settings};
use crate::environment::address::Address;
use crate::environment::network::{Cut, Gateway, Tap};
use crate::environment::preparation::{CHANNEL, DATABASE, ROLE};
use crate::environment::server::ServerError;
use crate::error::Error;
use crate::experiment::ground::{Ground, Ledger};
use crate::fault::Fault;
use crate::history::{ServerFacts, Sessions};
use crate::layout::{Host, Layout};
use crate::nemesis::{Behind, Injection, NemesisError};
use crate::plan::Plan;
use crate::subscription::Messenger;

/// Where Postgres listens.
const PORT: u16 = 5432;

/// The password of the client's role. Nobody else is there to guess it.
const PASSWORD: &str = "squall";

/// Between two looks at something that settles.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How long before the first fault the client's sessions are counted.
const BEFORE: Duration = Duration::from_millis(200);

/// A network with one server on it, and a gateway before that.
pub(super) struct World {
    pub gateway: Gateway,
    pub server: Postgres<SimHost>,
    pub filter: Filter,
    /// The client's machine.
    client: SimHost,
    pub address: Address,
}

impl World {
    /// Brings everything up.
    pub async fn create(network: &Network, plan: &Plan, tap: Arc<dyn Tap>) -> Result<World, Error> {
        let host = network.servers();
        let behind = SocketAddr::from(([127, 0, 0, 1], PORT));
        let seed = plan.header.seed;
        let settings = Settings { password: PASSWORD.into(), ..Settings::default() };
        let server = Postgres::start(host, behind, settings, seed.fork("server")).await.map_err(Error::Simulation)?;
        let at = SocketAddr::from((SERVERS[0], PORT));
        let gateway = Gateway::open_on_host(host, at, behind, seed, tap).map_err(Error::Simulation)?;
        let address = Address::plain(at, ROLE, PASSWORD, DATABASE);
        Ok(World { gateway, server, filter: network.filter(), client: network.client(), address })
    }

    /// What is known of the server.
    pub fn facts(&self) -> ServerFacts {
        let origin = format!("pgsquall {}", env!("CARGO_PKG_VERSION"));
        ServerFacts { kind: "simulated".into(), version: self.server.version().into(), origin }
    }

    /// How often the client was told this code.
    pub fn refused(&self, sqlstate: &str) -> usize {
        self.server.told(&self.address.user, sqlstate)
    }

    /// Takes everything down.
    pub async fn close(self) {
        self.gateway.close().await;
    }
}

impl Behind for World {
    fn gateway(&self) -> &Gateway {
        &self.gateway
    }
}

/// Whether servers and addresses can be had as they are asked for.
///
/// *Errors*: why not, in words that can stand in a report.
pub(super) fn arrangeable(layout: &Layout) -> Result<(), String> {
    if layout.tls.is_some() {
        return Err("the simulated server speaks no TLS".into());
    }
    if layout.by_name || layout.hosts.contains(&Host::Unresolvable) {
        return Err("nothing resolves names in a simulation".into());
    }
    if layout.standby || layout.hosts != [Host::Primary] {
        return Err("a standby, and several addresses, are not simulated yet".into());
    }
    Ok(())
}

#[async_trait]
impl Ground for World {
    fn address(&self) -> &Address {
        &self.address
    }

    fn injection(&self, fault: &Fault) -> Box<dyn Injection<Self>> {
        nemesis::injection(fault).unwrap_or_else(|reason| Box::new(Impossible(reason)))
    }

    /// Nothing takes any time here but what is said to.
    async fn calibrate(&self) -> Result<Option<(Duration, Duration)>, ServerError> {
        Ok(None)
    }

    async fn steady_sessions(&self, _idle: Duration, onset: Instant) -> Result<Sessions, ServerError> {
        sleep_until(onset - BEFORE).await;
        Ok(self.server.sessions(&self.address.user))
    }

    async fn settled_sessions(
        &self,
        enough: &(dyn Fn(Sessions) -> bool + Send + Sync),
        patience: Duration,
        _idle: Duration,
    ) -> Result<Sessions, ServerError> {
        let deadline = Instant::now() + patience;
        loop {
            self.end_vanished().await?;
            let found = self.server.sessions(&self.address.user);
            if enough(found) || Instant::now() >= deadline {
                return Ok(found);
            }
            sleep(LOOK_EVERY).await;
        }
    }

    async fn desert(&self, patience: Duration) -> Result<(), Error> {
        self.settled_sessions(&|sessions| sessions.open == 0, patience, Duration::ZERO).await?;
        Ok(())
    }

    async fn ledgers(&self) -> Result<(Option<Ledger>, Ledger), ServerError> {
        Ok((None, self.server.ledger()))
    }

    async fn errors(&self) -> Result<BTreeMap<String, u64>, ServerError> {
        Ok(self.server.errors(&self.address.user))
    }

    fn messenger(&self) -> Box<dyn Messenger + '_> {
        Box::new(Herald(&self.server))
    }
}

impl World {
    /// Ends the connections that the client has given up without being heard.
    async fn end_vanished(&self) -> Result<(), ServerError> {
        let failed = |error: std::io::Error| ServerError::Control {
            doing: "end what the client has given up at",
            reason: error.to_string(),
        };
        let held = self.client.held().map_err(failed)?;
        self.gateway.cut_all_but(&held, Cut::Reset).await;
        Ok(())
    }
}

/// Sends notifications by the server's own hand.
struct Herald<'a>(&'a Postgres<SimHost>);

#[async_trait]
impl Messenger for Herald<'_> {
    async fn send(&mut self, number: u64) -> Result<(), ServerError> {
        match self.0.is_answering() {
            true => {
                self.0.notify(CHANNEL, &number.to_string());
                Ok(())
            }
            false => Err(ServerError::Sql { doing: "notify".into(), reason: "the server is away".into() }),
        }
    }

    fn begin_anew(&mut self) {}
}

/// A fault that cannot be carried out; `simulable` keeps it from being asked for.
struct Impossible(String);

#[async_trait]
impl Injection<World> for Impossible {
    async fn inject(&mut self, _world: &World) -> Result<(), NemesisError> {
        Err(NemesisError::NotInForce(self.0.clone()))
    }

    async fn evidence(&mut self, _world: &World) -> Result<Vec<crate::history::Evidence>, NemesisError> {
        Ok(Vec::new())
    }
}

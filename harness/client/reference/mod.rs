//! The built-in clients: one pool on tokio-postgres that recovers well, and the same pool with one defect planted.

mod backoff;
mod behaviour;
mod connection;
mod encryption;
mod lookup;
#[cfg(not(feature = "tls"))]
mod plaintext;
mod pool;
mod serve;
mod transport;

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::time::Instant;

use self::behaviour::{ALL, Behaviour};
use self::pool::Pool;
pub use self::serve::serve;
use self::transport::Transport;
use super::{Adapter, Call, ClientError, ClientFactory, DynClient, LaunchContext, Notifications};
use crate::credentials::address::Address;
use crate::environment::support::Placements;
#[cfg(feature = "simulation")]
use crate::gateway::transport::Dial;
use crate::model::history::{Capability, ClientFacts, Ended, OpError};
use crate::model::seed::Seed;

/// Operations that a built-in client carries at once, and connections that it holds.
const CONCURRENCY: u32 = 4;

/// A built-in client, by name.
pub(crate) struct Reference {
    name: &'static str,
    behaviour: Behaviour,
    /// The program that is this client when it is called as an adapter.
    program: Option<PathBuf>,
}

impl Reference {
    /// The built-in client of that name.
    pub fn named(name: &str) -> Option<Reference> {
        let found = ALL.iter().find(|built_in| built_in.name == name)?;
        Some(Reference { name: found.name, behaviour: (found.behaviour)(), program: None })
    }

    /// The same, which can also be a process: `program adapter NAME` speaks the adapter protocol for it.
    pub fn in_program(self, program: PathBuf) -> Reference {
        Reference { program: Some(program), ..self }
    }

    /// Sets it to work in this process.
    fn start(&self, address: &Address) -> Running {
        self.start_on(address, Transport::Machine, Seed::random())
    }

    /// Sets it to work on another network; `seed`: of its jitter.
    #[cfg(feature = "simulation")]
    pub fn start_simulated(&self, address: &Address, dial: Arc<dyn Dial>, seed: Seed) -> Arc<dyn DynClient> {
        Arc::new(self.start_on(address, Transport::Other(dial), seed))
    }

    fn start_on(&self, address: &Address, way: Transport, seed: Seed) -> Running {
        // Connections are opened when they are first needed, as lazy pools do: a server that is away at the start is
        // no different from one that goes away later.
        let pool = Pool::new(address.clone(), self.behaviour.clone(), CONCURRENCY, way, seed);
        Running { name: self.name, pool }
    }
}

/// The names of all built-in clients.
pub(super) fn names() -> Vec<&'static str> {
    built_in().map(|(name, _)| name).collect()
}

/// Name and description of every built-in client, the good one first.
pub fn built_in() -> impl Iterator<Item = (&'static str, &'static str)> {
    ALL.iter().map(|built_in| (built_in.name, built_in.about))
}

#[async_trait]
impl ClientFactory for Reference {
    fn name(&self) -> String {
        self.name.to_owned()
    }

    fn abodes(&self) -> Placements {
        Placements { in_process: true, process: self.program.is_some() }
    }

    async fn launch(&self, address: &Address, home: LaunchContext) -> Result<Arc<dyn DynClient>, ClientError> {
        if let Some(program) = self.program.as_ref().filter(|_| home.space.is_some() || !home.in_process) {
            return Adapter::of_program(program, &["adapter", self.name]).launch(address, home).await;
        }
        Ok(Arc::new(self.start(address)))
    }
}

struct Running {
    name: &'static str,
    pool: Pool,
}

#[async_trait]
impl DynClient for Running {
    fn facts(&self) -> ClientFacts {
        ClientFacts {
            name: self.name.into(),
            version: env!("CARGO_PKG_VERSION").into(),
            concurrency: CONCURRENCY,
            capabilities: Capability::ALL.map(|(word, _)| word.to_owned()).to_vec(),
            timeout: self.pool.operation_deadline(),
        }
    }

    async fn perform(&self, call: Call) -> Result<Option<bool>, OpError> {
        match self.pool.cancels_late() {
            true => late(call, self.pool.perform(call.kind, call.key)).await,
            false => call.or_cancel(self.pool.perform(call.kind, call.key)).await,
        }
    }

    async fn listen(&self, news: Notifications) -> Result<(), OpError> {
        self.pool.listen(news).await
    }

    fn ended(&self) -> Option<Ended> {
        None
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}

/// Lets a call end by itself, however long after its deadline that is: a planted defect.
async fn late<T>(call: Call, work: impl Future<Output = Result<T, OpError>>) -> Result<T, OpError> {
    let began = Instant::now();
    let done = work.await;
    let is_late = call.deadline.is_some_and(|deadline| began.elapsed() > deadline);
    if is_late { Err(call.cancelled()) } else { done }
}

//! The built-in clients: one pool on tokio-postgres that recovers well, and the same pool with one defect planted.

mod backoff;
mod behaviour;
mod connection;
mod encryption;
mod pool;

use std::sync::Arc;

use async_trait::async_trait;

use self::behaviour::{ALL, Behaviour};
use self::pool::Pool;
use super::{ClientError, DynClient, Home, Launch};
use crate::environment::address::Address;
use crate::history::{ClientFacts, Ended, OpError, OpKind};

/// Operations that a built-in client carries at once, and connections that it holds.
const CONCURRENCY: u32 = 4;

/// A built-in client, by name.
pub(crate) struct Reference {
    name: &'static str,
    behaviour: Behaviour,
}

impl Reference {
    /// The built-in client of that name.
    pub fn named(name: &str) -> Option<Reference> {
        let found = ALL.iter().find(|built_in| built_in.name == name)?;
        Some(Reference { name: found.name, behaviour: (found.behaviour)() })
    }
}

/// Name and description of every built-in client, the good one first.
pub fn built_in() -> impl Iterator<Item = (&'static str, &'static str)> {
    ALL.iter().map(|built_in| (built_in.name, built_in.about))
}

#[async_trait]
impl Launch for Reference {
    fn name(&self) -> String {
        self.name.to_owned()
    }

    async fn launch(&self, address: &Address, _home: Home<'_>) -> Result<Arc<dyn DynClient>, ClientError> {
        // Connections are opened when they are first needed, as lazy pools do: a server that is away at the start is
        // no different from one that goes away later.
        let pool = Pool::new(address.clone(), self.behaviour.clone(), CONCURRENCY);
        Ok(Arc::new(Running { name: self.name, pool }))
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
            capabilities: vec!["transaction".into()],
            timeout: self.pool.operation_deadline(),
        }
    }

    async fn perform(&self, _id: u64, kind: OpKind, key: i64) -> Result<Option<bool>, OpError> {
        self.pool.perform(kind, key).await
    }

    fn ended(&self) -> Option<Ended> {
        None
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}

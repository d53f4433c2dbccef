//! Adapts a [`Client`] in this process to the interface that the workload drives.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Call, Client, ClientError, ClientFactory, DynClient, LaunchContext, Notifications};
use crate::credentials::address::Address;
use crate::model::history::{Capability, ClientFacts, Ended, OpError, OpKind};
use crate::model::plane::Placements;

/// Makes clients from a closure.
pub(crate) struct InProcess<F> {
    pub name: String,
    pub connect: F,
}

#[async_trait]
impl<F, Connecting, C> ClientFactory for InProcess<F>
where
    F: Fn(Address) -> Connecting + Send + Sync + 'static,
    Connecting: Future<Output = Result<C, OpError>> + Send + 'static,
    C: Client,
{
    fn name(&self) -> String {
        self.name.clone()
    }

    fn placements(&self) -> Placements {
        Placements { in_process: true, process: false }
    }

    async fn launch(&self, address: &Address, _home: LaunchContext) -> Result<Arc<dyn DynClient>, ClientError> {
        match (self.connect)(address.clone()).await {
            Ok(client) => Ok(Arc::new(Resident(client))),
            Err(error) => Err(ClientError::SetUp(error.to_string())),
        }
    }
}

struct Resident<C>(C);

#[async_trait]
impl<C: Client> DynClient for Resident<C> {
    fn facts(&self) -> ClientFacts {
        let mut facts = self.0.facts();
        if !facts.can(Capability::Deadline) {
            // Every in-process client can be cancelled by dropping its future.
            facts.capabilities.push(Capability::Deadline.word().to_owned());
        }
        facts
    }

    async fn perform(&self, call: Call) -> Result<Option<bool>, OpError> {
        call.or_cancel(async {
            match call.kind {
                OpKind::Write => self.0.write(call.key).await.map(|()| None),
                OpKind::Read => self.0.read(call.key).await.map(Some),
                OpKind::Transaction => self.0.transaction(call.key).await.map(|()| None),
            }
        })
        .await
    }

    async fn listen(&self, news: Notifications) -> Result<(), OpError> {
        self.0.listen(news).await
    }

    fn ended(&self) -> Option<Ended> {
        None
    }

    async fn close(&self) {
        self.0.close().await;
    }
}

//! All proxies of one service, by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::join_all;
use tokio::sync::RwLock;

use super::api_error::Complaint;
use super::api_types::{ProxyConfig, ProxyShown};
use super::encryption::Encryption;
use super::journal::Journal;
use super::proxy::Proxy;
use crate::model::seed::Seed;

pub(super) struct Proxies {
    seed: Seed,
    encryption: Option<Arc<Encryption>>,
    /// Locked for writing while proxies come and go, one at a time.
    open: RwLock<Option<Open>>,
}

/// What there is until the service ends.
struct Open {
    named: BTreeMap<String, Arc<Proxy>>,
    /// Its writer ends when the last of these is gone.
    journal: Option<Journal>,
}

impl Proxies {
    pub fn new(seed: Seed, encryption: Option<Arc<Encryption>>, journal: Option<Journal>) -> Proxies {
        Proxies { seed, encryption, open: RwLock::new(Some(Open { named: BTreeMap::new(), journal })) }
    }

    pub async fn find(&self, name: &str) -> Result<Arc<Proxy>, Complaint> {
        let open = self.open.read().await;
        open.as_ref().and_then(|open| open.named.get(name)).cloned().ok_or_else(Complaint::no_proxy)
    }

    /// Every proxy, in the order of names.
    pub async fn all(&self) -> Vec<Arc<Proxy>> {
        self.open.read().await.iter().flat_map(|open| open.named.values()).cloned().collect()
    }

    pub async fn shown(&self) -> BTreeMap<String, ProxyShown> {
        let mut shown = BTreeMap::new();
        for proxy in self.all().await {
            shown.insert(proxy.name.clone(), proxy.shown().await);
        }
        shown
    }

    pub async fn create(&self, config: ProxyConfig) -> Result<Arc<Proxy>, Complaint> {
        let mut open = self.open.write().await;
        let open = open.as_mut().ok_or_else(|| Complaint::new(503, "the service ends"))?;
        if open.named.contains_key(&config.name) {
            return Err(Complaint::proxy_exists());
        }
        let proxy = Proxy::create(config, self.seed, self.encryption.clone(), open.journal.clone()).await?;
        open.named.insert(proxy.name.clone(), Arc::clone(&proxy));
        Ok(proxy)
    }

    /// Has these proxies: one that is there already as it is asked for stays as it is; one of the same name that is
    /// otherwise is replaced. Where one cannot be had, those before it stay; they come back beside the complaint.
    pub async fn populate(&self, configs: Vec<ProxyConfig>) -> (Vec<Arc<Proxy>>, Result<(), Complaint>) {
        let mut had = Vec::new();
        for config in configs {
            match self.have(config).await {
                Ok(proxy) => had.push(proxy),
                Err(complaint) => return (had, Err(complaint)),
            }
        }
        (had, Ok(()))
    }

    async fn have(&self, config: ProxyConfig) -> Result<Arc<Proxy>, Complaint> {
        if let Ok(proxy) = self.find(&config.name).await {
            if proxy.is(&config).await {
                return Ok(proxy);
            }
            self.remove(&config.name).await?;
        }
        self.create(config).await
    }

    pub async fn remove(&self, name: &str) -> Result<(), Complaint> {
        let mut open = self.open.write().await;
        let proxy = open.as_mut().and_then(|open| open.named.remove(name)).ok_or_else(Complaint::no_proxy)?;
        // Under the lock, so that its port is free when its name is.
        proxy.end().await;
        Ok(())
    }

    pub async fn reset(&self) -> Result<(), Complaint> {
        for proxy in self.all().await {
            proxy.reset().await?;
        }
        Ok(())
    }

    /// Ends every proxy; none can be made any more.
    pub async fn end(&self) {
        let open = self.open.write().await.take();
        join_all(open.iter().flat_map(|open| open.named.values()).map(|proxy| proxy.end())).await;
    }
}

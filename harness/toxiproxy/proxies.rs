//! All proxies of one service, by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::join_all;
use tokio::sync::RwLock;

use super::api_error::ApiError;
use super::api_types::{ProxyConfig, ProxyView};
use super::journal::Journal;
use super::proxy::Proxy;
use super::tls::ProxyTls;
use crate::model::seed::Seed;

pub(super) struct Proxies {
    seed: Seed,
    tls: Option<Arc<ProxyTls>>,
    /// Locked for writing while a proxy is created or removed, so that this happens one at a time. `None` once closed.
    open: RwLock<Option<OpenProxies>>,
}

/// The proxies, and the journal for new ones, until the service ends.
struct OpenProxies {
    by_name: BTreeMap<String, Arc<Proxy>>,
    /// Dropped with the proxies, because the journal's writer ends when the last clone is dropped.
    journal: Option<Journal>,
}

impl Proxies {
    pub fn new(seed: Seed, tls: Option<Arc<ProxyTls>>, journal: Option<Journal>) -> Proxies {
        Proxies { seed, tls, open: RwLock::new(Some(OpenProxies { by_name: BTreeMap::new(), journal })) }
    }

    pub async fn find(&self, name: &str) -> Result<Arc<Proxy>, ApiError> {
        let open = self.open.read().await;
        open.as_ref().and_then(|open| open.by_name.get(name)).cloned().ok_or_else(ApiError::no_proxy)
    }

    /// Returns every proxy, sorted by name.
    pub async fn all(&self) -> Vec<Arc<Proxy>> {
        self.open.read().await.iter().flat_map(|open| open.by_name.values()).cloned().collect()
    }

    pub async fn views(&self) -> BTreeMap<String, ProxyView> {
        let mut views = BTreeMap::new();
        for proxy in self.all().await {
            views.insert(proxy.name.clone(), proxy.view().await);
        }
        views
    }

    /// Creates a proxy.
    ///
    /// *Errors*: 409 if the name exists, 503 after `close`, or the error of [`Proxy::create`].
    pub async fn create(&self, config: ProxyConfig) -> Result<Arc<Proxy>, ApiError> {
        let mut open = self.open.write().await;
        let open = open.as_mut().ok_or_else(|| ApiError::new(503, "the service is shutting down"))?;
        if open.by_name.contains_key(&config.name) {
            return Err(ApiError::proxy_exists());
        }
        let proxy = Proxy::create(config, self.seed, self.tls.clone(), open.journal.clone()).await?;
        open.by_name.insert(proxy.name.clone(), Arc::clone(&proxy));
        Ok(proxy)
    }

    /// Ensures that these proxies exist. As in Toxiproxy, a proxy of the same name stays, enabled or not, if its two
    /// addresses are the same; otherwise it is replaced. On an error, returns the proxies before it, which stay.
    pub async fn populate(&self, configs: Vec<ProxyConfig>) -> (Vec<Arc<Proxy>>, Result<(), ApiError>) {
        let mut made = Vec::new();
        for config in configs {
            match self.ensure(config).await {
                Ok(proxy) => made.push(proxy),
                Err(error) => return (made, Err(error)),
            }
        }
        (made, Ok(()))
    }

    async fn ensure(&self, config: ProxyConfig) -> Result<Arc<Proxy>, ApiError> {
        if let Ok(proxy) = self.find(&config.name).await {
            if proxy.matches(&config).await {
                return Ok(proxy);
            }
            self.remove(&config.name).await?;
        }
        self.create(config).await
    }

    pub async fn remove(&self, name: &str) -> Result<(), ApiError> {
        let mut open = self.open.write().await;
        let proxy = open.as_mut().and_then(|open| open.by_name.remove(name)).ok_or_else(ApiError::no_proxy)?;
        // Under the lock: once the name is free, so is the port.
        proxy.close().await;
        Ok(())
    }

    /// Enables every proxy and removes its toxics; ends at the first error.
    pub async fn reset(&self) -> Result<(), ApiError> {
        for proxy in self.all().await {
            proxy.reset().await?;
        }
        Ok(())
    }

    /// Closes every proxy; later calls of `create` fail.
    pub async fn close(&self) {
        let open = self.open.write().await.take();
        join_all(open.iter().flat_map(|open| open.by_name.values()).map(|proxy| proxy.close())).await;
    }
}

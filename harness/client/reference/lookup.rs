//! Resolves the names of a built-in client's servers: again for every connection, except with the defect
//! *caches-address*.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::net::lookup_host;

use super::deadline::within;
use crate::credentials::address::{Address, Place};
use crate::model::history::OpError;

/// A host as configured, and one of its IP addresses.
pub(super) type ResolvedHost = (Place, IpAddr);

/// Resolves host names.
pub(super) struct Lookup {
    /// The first result, if names are resolved only once; `None` if they are resolved for every connection.
    cache: Option<Mutex<Option<Vec<ResolvedHost>>>>,
    /// The maximum number of addresses that are tried.
    max_addresses: usize,
}

impl Lookup {
    pub fn new(caches: bool, first_alone: bool) -> Lookup {
        Lookup { cache: caches.then(Mutex::default), max_addresses: if first_alone { 1 } else { usize::MAX } }
    }

    /// The addresses to try, in order. Resolved again each time, because a name may have moved, unless cached. `limit`:
    /// per name.
    ///
    /// *Errors*: a name does not resolve within the limit, even if the names of other hosts do.
    pub async fn resolve(&self, address: &Address, limit: Option<Duration>) -> Result<Vec<ResolvedHost>, OpError> {
        let Some(cache) = &self.cache else { return self.query(address, limit).await };
        let cached = || cache.lock();
        if let Some(found) = cached().clone() {
            return Ok(found);
        }
        let found = self.query(address, limit).await?;
        *cached() = Some(found.clone());
        Ok(found)
    }

    async fn query(&self, address: &Address, limit: Option<Duration>) -> Result<Vec<ResolvedHost>, OpError> {
        let mut found = Vec::new();
        for place in &address.hosts {
            if let Ok(ip) = place.host.parse() {
                found.push((place.clone(), ip));
                continue;
            }
            let lookup = async { Ok(lookup_host((place.host.as_str(), place.port)).await?) };
            let addresses = within(limit, "looking up the host's name", lookup).await?;
            found.extend(addresses.map(|address: SocketAddr| (place.clone(), address.ip())));
        }
        found.truncate(self.max_addresses);
        Ok(found)
    }
}

//! Resolves the names of a built-in client's servers, for every connection anew.

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
    /// The first result, if names are resolved only once.
    cache: Option<Mutex<Option<Vec<ResolvedHost>>>>,
    /// The maximum number of addresses that are tried.
    max_addresses: usize,
}

impl Lookup {
    pub fn new(caches: bool, first_alone: bool) -> Lookup {
        Lookup { cache: caches.then(Mutex::default), max_addresses: if first_alone { 1 } else { usize::MAX } }
    }

    /// Every address, in the order in which they are tried. Resolved again each time, because a name may have moved.
    /// `limit`: per name.
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

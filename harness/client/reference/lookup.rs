//! Where a built-in client's servers are, asked anew for each connection.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::net::lookup_host;

use super::connection::within;
use crate::credentials::address::{Address, Place};
use crate::model::history::OpError;

/// A host as it was given, and one of the addresses at which it is.
pub(super) type Found = (Place, IpAddr);

/// How names become addresses.
pub(super) struct Lookup {
    /// What was found first, and is never asked for again.
    cache: Option<Mutex<Option<Vec<Found>>>>,
    /// How many of the addresses are tried.
    most: usize,
}

impl Lookup {
    pub fn new(caches: bool, first_alone: bool) -> Lookup {
        Lookup { cache: caches.then(Mutex::default), most: if first_alone { 1 } else { usize::MAX } }
    }

    /// Every address, in the order in which they are to be tried: whoever moves a name tells nobody. `limit`: for each
    /// name.
    pub async fn places(&self, address: &Address, limit: Option<Duration>) -> Result<Vec<Found>, OpError> {
        let Some(cache) = &self.cache else { return self.ask(address, limit).await };
        let kept = || cache.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = kept().clone() {
            return Ok(found);
        }
        let found = self.ask(address, limit).await?;
        *kept() = Some(found.clone());
        Ok(found)
    }

    async fn ask(&self, address: &Address, limit: Option<Duration>) -> Result<Vec<Found>, OpError> {
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
        found.truncate(self.most);
        Ok(found)
    }
}

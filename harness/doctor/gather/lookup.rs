//! DNS: resolves the host's name with this machine's resolver.

use std::net::IpAddr;
use std::time::Duration;

use tokio::time::timeout;

/// Returns every address of a name, each once, in the resolver's order.
///
/// *Errors*: the resolver's message, no answer in time, or no address.
pub(super) async fn lookup(host: &str, port: u16, time_limit: Duration) -> Result<Vec<IpAddr>, String> {
    let found = timeout(time_limit, tokio::net::lookup_host((host, port)))
        .await
        .map_err(|_| format!("no answer from the resolver within {}", crate::model::time::show(time_limit)))?
        .map_err(|error| error.to_string())?;
    let mut addresses: Vec<IpAddr> = Vec::new();
    for address in found {
        if !addresses.contains(&address.ip()) {
            addresses.push(address.ip());
        }
    }
    if addresses.is_empty() { Err("the name has no address".into()) } else { Ok(addresses) }
}

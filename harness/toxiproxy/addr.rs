//! `host:port`, as people write it, and the addresses that it stands for.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::time::timeout;

use super::api_error::Complaint;

/// Longest that a name may take to resolve; resolvers ask again after five seconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where a proxy is to listen. Nothing at all stands for any loopback port, and nothing before the colon, as in Go, for
/// every interface.
pub(super) async fn listen(text: &str) -> Result<SocketAddr, Complaint> {
    let place = match text {
        "" => "127.0.0.1:0".to_owned(),
        _ if text.starts_with(':') => format!("0.0.0.0{text}"),
        _ => text.to_owned(),
    };
    resolve("listen", &place).await
}

/// The address behind `host:port`; of several, the first of IPv4, which every machine has.
pub(super) async fn resolve(field: &str, text: &str) -> Result<SocketAddr, Complaint> {
    let wrong = |why: &dyn std::fmt::Display| {
        Complaint::body(format_args!("{field} {text:?} {why}; write host:port, like 127.0.0.1:5432"))
    };
    let port = text.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
    if port.is_none() {
        return Err(wrong(&"has no port"));
    }
    match timeout(PATIENCE, lookup_host(text)).await {
        Ok(Ok(found)) => {
            let found: Vec<_> = found.collect();
            let first = found.iter().find(|address| address.is_ipv4()).or(found.first());
            first.copied().ok_or_else(|| wrong(&"stands for no address"))
        }
        Ok(Err(error)) => Err(wrong(&format_args!("cannot be resolved: {error}"))),
        Err(_) => Err(wrong(&format_args!("cannot be resolved within {}", crate::model::time::show(PATIENCE)))),
    }
}

/// Whether it holds a name, whose address may change.
pub(super) fn is_name(text: &str) -> bool {
    text.parse::<SocketAddr>().is_err()
}

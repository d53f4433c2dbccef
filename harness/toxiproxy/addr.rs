//! Parses and resolves `host:port`.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::time::timeout;

use super::api_error::ApiError;

/// Time limit for resolving a name: resolvers retry after five seconds, so this allows one retry.
const RESOLVE_WITHIN: Duration = Duration::from_secs(10);

/// Resolves the address on which a proxy listens. An empty text means a free port on 127.0.0.1; an empty host, as in
/// `:5432`, means every IPv4 interface.
///
/// *Errors*: the same as for [`resolve`].
pub(super) async fn listen(text: &str) -> Result<SocketAddr, ApiError> {
    let text = match text {
        "" => "127.0.0.1:0".to_owned(),
        _ if text.starts_with(':') => format!("0.0.0.0{text}"),
        _ => text.to_owned(),
    };
    resolve("listen", &text).await
}

/// Resolves `host:port`. Prefers the first IPv4 address, because every machine has IPv4.
///
/// *Errors*: the port is missing, or the name does not resolve; the message begins with `field`.
pub(super) async fn resolve(field: &str, text: &str) -> Result<SocketAddr, ApiError> {
    let wrong = |why: &dyn std::fmt::Display| {
        ApiError::bad_request(format_args!("{field} {text:?} {why}; write host:port, like 127.0.0.1:5432"))
    };
    match text.rsplit_once(':') {
        None => return Err(wrong(&"has no port")),
        Some((_, port)) if port.parse::<u16>().is_err() => {
            return Err(wrong(&format_args!("has the port {port:?}, which is no number from 0 to 65535")));
        }
        Some(_) => {}
    }
    match timeout(RESOLVE_WITHIN, lookup_host(text)).await {
        Ok(Ok(found)) => {
            let found: Vec<_> = found.collect();
            let first = found.iter().find(|address| address.is_ipv4()).or(found.first());
            first.copied().ok_or_else(|| wrong(&"resolves to no address"))
        }
        Ok(Err(error)) => Err(wrong(&format_args!("cannot be resolved: {error}"))),
        Err(_) => Err(wrong(&format_args!("cannot be resolved within {}", crate::model::time::show(RESOLVE_WITHIN)))),
    }
}

/// Whether `host:port` contains a name, not an IP address: the address of a name may change.
pub(super) fn is_name(text: &str) -> bool {
    text.parse::<SocketAddr>().is_err()
}

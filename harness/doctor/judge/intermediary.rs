//! Judges whether a pooler, proxy or NAT is on the path: the server then sees another client address than the local
//! one.

use super::is_loopback;
use crate::doctor::facts::{Facts, Identity};
use crate::doctor::finding::{Finding, Topic};

const SOURCE: &str = "PostgreSQL manual, \"Session Information Functions\": inet_client_addr, inet_client_port";

pub(super) fn judge(facts: &Facts, identity: &Identity) -> Option<Finding> {
    let local = facts.local?;
    let (Some(address), Some(port)) = (identity.client_addr, identity.client_port) else {
        return Some(intermediary(format!(
            "the client's address is {local}, and the server is reached through a socket file"
        )));
    };
    let same_address = address.to_canonical() == local.ip().to_canonical();
    if same_address && port == local.port() {
        return Some(Finding::ok(Topic::Path, "direct: the server sees the client's own address and port", SOURCE));
    }
    let seen =
        format!("the client's address is {local}, and the server sees {}", std::net::SocketAddr::new(address, port));
    // NAT keeps the port if it can; on loopback there is no NAT.
    match port == local.port() && !is_loopback(address) {
        true => Some(Finding::ok(Topic::Path, format!("probably through NAT: {seen}"), SOURCE)),
        false => Some(intermediary(seen)),
    }
}

fn intermediary(seen: String) -> Finding {
    Finding::notice(
        Topic::Path,
        format!("an intermediary is on the path: {seen}"),
        "a pooler, a proxy or NAT: its own idle timeout and limits apply too; if it is a pooler or proxy, the findings \
         below on the server's sessions and keepalive are about its connections, not this client's",
        SOURCE,
    )
}

//! Is there something in between? The server sees another client's end than the one that left here.

use super::is_loopback;
use crate::doctor::facts::{Facts, Identity};
use crate::doctor::finding::{Finding, Topic};

const SOURCE: &str = "PostgreSQL manual, \"Session Information Functions\": inet_client_addr, inet_client_port";

pub(super) fn judge(facts: &Facts, identity: &Identity) -> Option<Finding> {
    let local = facts.local?;
    let (Some(address), Some(port)) = (identity.client_addr, identity.client_port) else {
        return Some(between(format!("this side is {local}, and the server is asked through a socket file")));
    };
    let same_address = address.to_canonical() == local.ip().to_canonical();
    if same_address && port == local.port() {
        return Some(Finding::ok(Topic::Path, "direct: the server sees this side's own address and port", SOURCE));
    }
    let seen = format!("this side is {local}, and the server sees {}", std::net::SocketAddr::new(address, port));
    // A port that survives a change of address is what a NAT does if it can; on loopback there is no NAT.
    match port == local.port() && !is_loopback(address) {
        true => Some(Finding::ok(Topic::Path, format!("through NAT, it seems: {seen}"), SOURCE)),
        false => Some(between(seen)),
    }
}

fn between(seen: String) -> Finding {
    Finding::notice(
        Topic::Path,
        format!("something stands in between: {seen}"),
        "a pooler, a proxy or NAT: its own idle timeout and limits count too, and where it is a pooler or proxy, what is \
         said below of the server's sessions and keepalive is about its connections, not about this client's",
        SOURCE,
    )
}

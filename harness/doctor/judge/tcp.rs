//! TCP: which addresses accept a connection, and what it means that one does not.

use crate::doctor::facts::{Facts, Failure, FailureKind};
use crate::doctor::finding::{Finding, Topic};

const SOURCE: &str = "Azure, \"Troubleshoot connection issues\": firewall, maintenance, failover; man 2 connect";

pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    let last = facts.dials.len().saturating_sub(1);
    let judged = facts.dials.iter().enumerate().map(|(number, (address, dial))| {
        let finding = match &dial.result {
            Ok(()) => Finding::ok(Topic::Tcp, format!("{address} accepts connections"), SOURCE),
            Err(failure) if number < last => Finding::notice(
                Topic::Tcp,
                format!("{address}: {}", failure.text),
                "clients try this address first, and wait for it each time: take it out of DNS or repair it",
                SOURCE,
            ),
            Err(failure) => {
                Finding::problem(Topic::Tcp, format!("{address}: {}", failure.text), advice(failure), SOURCE)
            }
        };
        finding.timed(dial.took)
    });
    judged.collect()
}

fn advice(failure: &Failure) -> &'static str {
    match failure.kind {
        FailureKind::Refused => {
            "the host is there, and nobody listens on this port, or a firewall rejects: is the server started, is the \
             port right, does listen_addresses hold this address? during a restart or failover try again for a minute; \
             then ask the provider"
        }
        FailureKind::Silence => {
            "packets vanish: a firewall or security group that drops (is the address that this machine leaves with \
             allowed, and port 5432 outbound?), a host that is down, or a server too busy to accept"
        }
        FailureKind::Unreachable => {
            "there is no route, or a firewall says so: is the VPN up, does this network have IPv6 if the address is one, \
             is the peering or private endpoint in place?"
        }
        _ => "see the error",
    }
}

//! Judges TCP: which addresses accept a connection, and likely causes if one does not.

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
                "clients try this address first, and wait for it each time: remove it from DNS or repair it",
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
            "the host answers but no process listens on this port, or a firewall rejects: is the server started, is the \
             port right, does listen_addresses include this address? during a restart or failover try again for a \
             minute; then ask the provider"
        }
        FailureKind::NoReply => {
            "packets are lost: a firewall or security group that drops (are this machine's public address and outbound \
             port 5432 allowed?), a host that is down, or a server too busy to accept"
        }
        FailureKind::Unreachable => {
            "there is no route, or a firewall reports none: is the VPN up, does this network have IPv6 if the address is one, \
             is the peering or private endpoint in place?"
        }
        _ => "see the error",
    }
}

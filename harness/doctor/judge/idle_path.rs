//! Judges the idle path: whether a device on the path drops idle connections before either side's keepalive probes.

use std::time::Duration;

use super::keepalive::Sockets;
use super::{is_local, settings};
use crate::doctor::facts::Facts;
use crate::doctor::finding::{Finding, Topic};
use crate::doctor::provider::{self, PathDevice, Provider};
use crate::model::time::exact;

const USER_SOURCE: &str = "the option --idle-timeout";
const UNKNOWN: &str = "none: no verified figure for this path";

pub(super) fn judge(facts: &Facts, idle_timeout: Option<Duration>) -> Vec<Finding> {
    let provider = provider::by_host(&facts.host);
    if let Some(idle) = idle_timeout {
        let given = PathDevice {
            device: "the device of --idle-timeout",
            idle: Some(idle),
            expiry: "expiry behaviour unknown",
            always: true,
            keepalive_counts: true,
            source: USER_SOURCE,
        };
        return vec![judge_device(facts, "", &given, idle)];
    }
    match provider {
        None if is_local(facts) => vec![Finding::ok(Topic::IdlePath, "none: the server is on this machine", UNKNOWN)],
        None => vec![unknown("the host's name matches no known provider")],
        Some(provider) => judge_provider(facts, provider),
    }
}

fn judge_provider(facts: &Facts, provider: &Provider) -> Vec<Finding> {
    let prefix = format!("{}: ", provider.name);
    let mut findings = Vec::new();
    for found in provider.devices {
        match found.idle {
            Some(idle) => findings.push(judge_device(facts, &prefix, found, idle)),
            None => {
                let value = format!("{prefix}{}, idle timeout not verified; at expiry {}", found.device, found.expiry);
                findings.push(Finding::ok(Topic::IdlePath, value, found.source));
            }
        }
    }
    if findings.is_empty() {
        findings.push(unknown(&format!("{prefix}its idle timeouts are not verified")));
    }
    findings
}

fn unknown(why: &str) -> Finding {
    Finding::notice(
        Topic::IdlePath,
        format!("unknown: {why}"),
        "find the idle timeouts of the firewalls, NAT and load balancers between this machine and the server, and pass \
         the shortest as --idle-timeout",
        UNKNOWN,
    )
}

fn judge_device(facts: &Facts, prefix: &str, device: &PathDevice, idle: Duration) -> Finding {
    let client = Sockets::for_client(facts);
    let server = settings(facts).map_or(Sockets::Unknown, Sockets::for_server);
    let certainly = if device.always { "" } else { ", if one is on the path," };
    let described = format!(
        "{prefix}{}{certainly} drops connections after {} idle ({})",
        device.device,
        exact(idle),
        device.expiry
    );
    if !device.keepalive_counts {
        let advice = format!(
            "keepalive does not help: make the pool close connections before they are idle for {}",
            exact(idle)
        );
        return Finding::notice(Topic::IdlePath, described, advice, device.source);
    }
    let value = format!("{described}; first probe of client {}, of server {}", probe(&client), probe(&server));
    // A probe from either side counts as activity.
    match (fits(&client, idle), fits(&server, idle)) {
        (true, true) => Finding::ok(Topic::IdlePath, value, device.source),
        (true, false) => Finding::notice(
            Topic::IdlePath,
            value,
            format!(
                "only this client keeps the path open: set tcp_keepalives_idle below {} at the server",
                exact(idle)
            ),
            device.source,
        ),
        (false, true) => Finding::notice(
            Topic::IdlePath,
            value,
            format!("only the server keeps the path open: set keepalives_idle below {} in the URL too", exact(idle)),
            device.source,
        ),
        (false, false) => {
            let advice = format!(
                "idle connections break silently: set keepalives_idle (client) and tcp_keepalives_idle (server) \
                 below {}, for example 60 s, or make the pool close idle connections before that",
                exact(idle)
            );
            match device.always {
                true => Finding::problem(Topic::IdlePath, value, advice, device.source),
                false => Finding::notice(Topic::IdlePath, value, advice, device.source),
            }
        }
    }
}

fn fits(sockets: &Sockets, idle: Duration) -> bool {
    matches!(sockets, Sockets::On(keepalive) if keepalive.idle < idle)
}

fn probe(sockets: &Sockets) -> String {
    match sockets {
        Sockets::On(keepalive) => format!("after {}", exact(keepalive.idle)),
        Sockets::Off => "never".into(),
        Sockets::Unknown => "unknown".into(),
    }
}

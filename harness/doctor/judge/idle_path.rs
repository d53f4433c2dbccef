//! Does a device on the way forget idle connections before either side's keepalive speaks?

use std::time::Duration;

use super::keepalive::Sockets;
use super::{is_here, settings};
use crate::doctor::facts::Facts;
use crate::doctor::finding::{Finding, Topic};
use crate::doctor::provider::{self, Passage, Provider};
use crate::model::time::exact;

const YOURS: &str = "--idle-timeout, as you gave it";
const UNKNOWN: &str = "none: nothing verified is known of this way";

pub(super) fn judge(facts: &Facts, idle_timeout: Option<Duration>) -> Vec<Finding> {
    let provider = provider::of_host(&facts.host);
    if let Some(idle) = idle_timeout {
        let yours = Passage {
            device: "the device that you named",
            idle: Some(idle),
            expiry: "how, is not known",
            always: true,
            keepalive_counts: true,
            source: YOURS,
        };
        return vec![passage(facts, "", &yours, idle)];
    }
    match provider {
        None if is_here(facts) => vec![Finding::ok(Topic::IdlePath, "none: the server is on this machine", UNKNOWN)],
        None => vec![unknown("the host's name belongs to no provider that is known here")],
        Some(provider) => of_provider(facts, provider),
    }
}

fn of_provider(facts: &Facts, provider: &Provider) -> Vec<Finding> {
    let whose = format!("{}: ", provider.name);
    let mut findings = Vec::new();
    for found in provider.passages {
        match found.idle {
            Some(idle) => findings.push(passage(facts, &whose, found, idle)),
            None => {
                let value = format!("{whose}{}, idle timeout not verified; at expiry {}", found.device, found.expiry);
                findings.push(Finding::ok(Topic::IdlePath, value, found.source));
            }
        }
    }
    if findings.is_empty() {
        findings.push(unknown(&format!("{whose}its idle timeouts are not verified")));
    }
    findings
}

fn unknown(why: &str) -> Finding {
    Finding::notice(
        Topic::IdlePath,
        format!("not known: {why}"),
        "ask for the idle timeouts of the firewalls, NAT and load balancers between here and the server, and give the \
         shortest as --idle-timeout",
        UNKNOWN,
    )
}

fn passage(facts: &Facts, whose: &str, passage: &Passage, idle: Duration) -> Finding {
    let client = Sockets::of_client(facts);
    let server = settings(facts).map_or(Sockets::Unknown, Sockets::of_server);
    let certainly = if passage.always { "" } else { ", where one stands in the way," };
    let device =
        format!("{whose}{}{certainly} forgets after {} idle ({})", passage.device, exact(idle), passage.expiry);
    if !passage.keepalive_counts {
        let advice = format!("keepalive does not help: have the pool close what is idle for less than {}", exact(idle));
        return Finding::notice(Topic::IdlePath, device, advice, passage.source);
    }
    let value = format!("{device}; first probe of client {}, of server {}", probe(&client), probe(&server));
    // A probe from either side counts as activity.
    match (fits(&client, idle), fits(&server, idle)) {
        (true, true) => Finding::ok(Topic::IdlePath, value, passage.source),
        (true, false) => Finding::notice(
            Topic::IdlePath,
            value,
            format!("only this client keeps the way open: set tcp_keepalives_idle below {} at the server", exact(idle)),
            passage.source,
        ),
        (false, true) => Finding::notice(
            Topic::IdlePath,
            value,
            format!("only the server keeps the way open: set keepalives_idle below {} in the URL too", exact(idle)),
            passage.source,
        ),
        (false, false) => {
            let advice = format!(
                "idle connections break without a word: set keepalives_idle (client) and tcp_keepalives_idle (server) \
                 below {}, 60 s for one, or have the pool close what is idle for less than that",
                exact(idle)
            );
            match passage.always {
                true => Finding::problem(Topic::IdlePath, value, advice, passage.source),
                false => Finding::notice(Topic::IdlePath, value, advice, passage.source),
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
        Sockets::Unknown => "not known".into(),
    }
}

//! Judging: facts in, findings out; one file per topic. Pure: no clock, no socket, no async.

mod certificate;
mod dns;
mod idle_path;
mod intermediary;
mod keepalive;
mod replication;
mod server;
mod sessions;
mod sign_in;
mod tcp;
mod timeouts;
mod tls;

use std::net::IpAddr;

use super::Circumstances;
use super::diagnosis::Diagnosis;
use super::facts::{Facts, Negotiated, Trust};
use super::finding::{Finding, Stage, Topic};

/// The documentation of libpq's parameters.
const LIBPQ: &str = "PostgreSQL manual, libpq, \"Parameter Key Words\"";

/// Returns the findings in the order of the stages, then by topic.
pub(super) fn judge(facts: &Facts, circumstances: &Circumstances) -> Diagnosis {
    let mut findings = Vec::new();
    findings.extend(dns::judge(facts));
    findings.extend(tcp::judge(facts));
    findings.extend(tls::judge(facts));
    findings.extend(certificate::judge(facts, circumstances.now));
    findings.extend(sign_in::judge(facts));
    if let Some(server_facts) = &facts.server_facts {
        match &server_facts.identity {
            Err(failure) => findings.push(server::no_database(failure, server_facts.console.as_deref())),
            Ok(identity) => {
                findings.push(server::judge(identity));
                findings.extend(intermediary::judge(facts, identity));
                findings.extend(sessions::judge(server_facts, identity));
            }
        }
    }
    findings.extend(keepalive::for_client(facts));
    if let Some(settings) = settings(facts) {
        findings.extend(keepalive::for_server(facts, settings));
    }
    findings.extend(idle_path::judge(facts, circumstances.idle_timeout));
    if let Some(server_facts) = facts.server_facts.as_ref().filter(|server_facts| server_facts.identity.is_ok()) {
        match &server_facts.settings {
            Ok(settings) => findings.extend(timeouts::judge(settings)),
            Err(failure) => findings.push(Finding::unreadable(
                Topic::Server,
                "settings",
                &failure.text,
                "pg_read_all_settings",
                timeouts::SOURCE,
            )),
        }
        findings.extend(replication::judge(server_facts));
    }
    findings.extend(parameters(facts));
    Diagnosis::new(facts.redacted.clone(), failed(facts), findings)
}

/// The stage that failed; `None` if none did.
fn failed(facts: &Facts) -> Option<Stage> {
    if facts.lookup.as_ref().is_some_and(|lookup| lookup.result.is_err()) {
        return Some(Stage::Dns);
    }
    if !facts.dials.iter().any(|(_, dial)| dial.result.is_ok()) {
        return Some(Stage::Tcp);
    }
    let Some(sign_in) = &facts.sign_in else { return Some(Stage::Tls) };
    if sign_in.result.is_err() {
        return Some(Stage::SignIn);
    }
    facts.server_facts.as_ref().is_some_and(|server_facts| server_facts.identity.is_err()).then_some(Stage::Queries)
}

/// The finding for ignored URL parameters.
fn parameters(facts: &Facts) -> Option<Finding> {
    if facts.unused.is_empty() {
        return None;
    }
    let value = format!("ignored: {}", facts.unused.join(", "));
    Some(Finding::ok(Topic::Parameters, value, LIBPQ))
}

type Settings = std::collections::BTreeMap<String, super::facts::Setting>;

fn settings(facts: &Facts) -> Option<&Settings> {
    facts.server_facts.as_ref()?.settings.as_ref().ok()
}

/// Whether the server is on this machine, so no device can drop a connection. If the address is that of an
/// intermediary on this machine (a tunnel, a pooler), the server may be elsewhere; then it sees a client address that
/// is not loopback.
fn is_local(facts: &Facts) -> bool {
    let identity = facts.server_facts.as_ref().and_then(|server_facts| server_facts.identity.as_ref().ok());
    let seen = identity.and_then(|identity| identity.client_addr);
    facts.dials.last().is_some_and(|(address, _)| is_loopback(address.ip())) && seen.is_none_or(is_loopback)
}

fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

/// The result of the last negotiation, if it succeeded.
fn negotiated(facts: &Facts) -> Option<&Negotiated> {
    facts.negotiations.last()?.result.as_ref().ok()
}

/// The reasons for refusing the server's certificate; empty if it was accepted or not verified.
fn refusal_reasons(facts: &Facts) -> &[String] {
    match negotiated(facts) {
        Some(Negotiated::TlsSession(session)) => match &session.trust {
            Trust::Refused(reasons) => reasons,
            _ => &[],
        },
        _ => &[],
    }
}

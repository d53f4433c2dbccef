//! Judging: facts in, findings out; one file for each topic. Pure: no clock, no socket, no async.

mod certificate;
mod dns;
mod idle_path;
mod keepalive;
mod middle;
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

/// Where libpq's parameters are explained.
const LIBPQ: &str = "PostgreSQL manual, libpq, \"Parameter Key Words\"";

/// Findings in the order of the way in, then by topic.
pub(super) fn judge(facts: &Facts, circumstances: &Circumstances) -> Diagnosis {
    let mut findings = Vec::new();
    findings.extend(dns::judge(facts));
    findings.extend(tcp::judge(facts));
    findings.extend(tls::judge(facts));
    findings.extend(certificate::judge(facts, circumstances.now));
    findings.extend(sign_in::judge(facts));
    if let Some(answers) = &facts.answers {
        match &answers.identity {
            Err(failure) => findings.push(server::no_database(failure, answers.console.as_deref())),
            Ok(identity) => {
                findings.push(server::judge(identity));
                findings.extend(middle::judge(facts, identity));
                findings.extend(sessions::judge(answers, identity));
            }
        }
    }
    findings.extend(keepalive::of_client(facts));
    if let Some(settings) = settings(facts) {
        findings.extend(keepalive::of_server(facts, settings));
    }
    findings.extend(idle_path::judge(facts, circumstances.idle_timeout));
    if let Some(answers) = facts.answers.as_ref().filter(|answers| answers.identity.is_ok()) {
        match &answers.settings {
            Ok(settings) => findings.extend(timeouts::judge(settings)),
            Err(failure) => findings.push(Finding::unreadable(
                Topic::Server,
                "settings",
                &failure.text,
                "pg_read_all_settings",
                timeouts::SOURCE,
            )),
        }
        findings.extend(replication::judge(answers));
    }
    findings.extend(parameters(facts));
    Diagnosis::new(facts.shown.clone(), failed(facts), findings)
}

/// The stage beyond which there was no way.
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
    facts.answers.as_ref().is_some_and(|answers| answers.identity.is_err()).then_some(Stage::Questions)
}

/// What the URL says and nobody here looks at.
fn parameters(facts: &Facts) -> Option<Finding> {
    if facts.unused.is_empty() {
        return None;
    }
    let value = format!("not looked at: {}", facts.unused.join(", "));
    Some(Finding::ok(Topic::Parameters, value, LIBPQ))
}

type Settings = std::collections::BTreeMap<String, super::facts::Setting>;

fn settings(facts: &Facts) -> Option<&Settings> {
    facts.answers.as_ref()?.settings.as_ref().ok()
}

/// Whether the server is on this machine: nothing on the way can forget a connection. Where something in between was
/// reached on this machine, the server itself sees a client from elsewhere.
fn is_here(facts: &Facts) -> bool {
    let identity = facts.answers.as_ref().and_then(|answers| answers.identity.as_ref().ok());
    let seen = identity.and_then(|identity| identity.client_addr);
    facts.dials.last().is_some_and(|(address, _)| is_loopback(address.ip())) && seen.is_none_or(is_loopback)
}

fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

/// What the last negotiation came to, if it came to anything.
fn negotiated(facts: &Facts) -> Option<&Negotiated> {
    facts.negotiations.last()?.result.as_ref().ok()
}

/// Reasons why the server's certificate did not pass.
fn refused(facts: &Facts) -> &[String] {
    match negotiated(facts) {
        Some(Negotiated::Encrypted(encrypted)) => match &encrypted.trust {
            Trust::Refused(reasons) => reasons,
            _ => &[],
        },
        _ => &[],
    }
}

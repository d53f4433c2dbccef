//! Judges TLS: whether it is in use and verified, or why it failed.

use super::{is_local, refusal_reasons};
use crate::doctor::facts::{Facts, Failure, FailureKind, Negotiated, TlsSession, Trust};
use crate::doctor::finding::{Finding, Topic};
use crate::doctor::target::SslMode;

const SOURCE: &str = "PostgreSQL manual, libpq, \"Protection Provided in Different Modes\"";

pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    let last = facts.negotiations.len().saturating_sub(1);
    let judged = facts.negotiations.iter().enumerate().map(|(number, negotiation)| {
        let finding = match &negotiation.result {
            Err(failure) if number < last => Finding::notice(
                Topic::Tls,
                failure.text.clone(),
                "sslmode=prefer continues without TLS, as a client does; sslmode=require would fail here",
                SOURCE,
            ),
            Err(failure) => Finding::problem(Topic::Tls, failure.text.clone(), advice(failure), SOURCE),
            Ok(negotiated) => judge_negotiated(facts, negotiated, last > 0),
        };
        finding.timed(negotiation.took)
    });
    judged.collect()
}

fn judge_negotiated(facts: &Facts, negotiated: &Negotiated, fallen_back: bool) -> Finding {
    let without = |why: &str, advice: &str| match is_local(facts) {
        // On one machine no third party can read the traffic.
        true => Finding::ok(Topic::Tls, format!("not in use: {why}"), SOURCE),
        false => Finding::notice(Topic::Tls, format!("not in use: {why}"), advice, SOURCE),
    };
    match negotiated {
        Negotiated::NotRequested if fallen_back => without("it failed", "repair it, and set sslmode=verify-full"),
        Negotiated::NotRequested => {
            without("sslmode=disable", "password and data are sent unencrypted: set sslmode=verify-full")
        }
        Negotiated::NotOffered => without(
            "the server has none (ssl = off)",
            "password and data are sent unencrypted: switch on ssl at the server, and set sslmode=verify-full",
        ),
        Negotiated::TlsSession(session) => judge_session(facts, session),
    }
}

fn judge_session(facts: &Facts, TlsSession { version, trust, .. }: &TlsSession) -> Finding {
    let mode = facts.tls.mode;
    match trust {
        Trust::Verified(by) => {
            let what = if mode == SslMode::VerifyFull { "certificate and host" } else { "certificate" };
            Finding::ok(Topic::Tls, format!("{version}; {what} verified with {by}"), SOURCE)
        }
        Trust::NotRequested => {
            let value = format!("{version}; certificate not verified (sslmode={})", mode.name());
            match is_local(facts) {
                true => Finding::ok(Topic::Tls, value, SOURCE),
                false => Finding::notice(
                    Topic::Tls,
                    value,
                    "an attacker on the path can read the traffic: set sslmode=verify-full, with sslrootcert",
                    SOURCE,
                ),
            }
        }
        Trust::Refused(_) => {
            let reasons = refusal_reasons(facts).join("; ");
            let value = format!("{version}; sslmode={} refuses the certificate: {reasons}", mode.name());
            Finding::problem(Topic::Tls, value, refusal(&reasons), SOURCE)
        }
    }
}

fn refusal(reasons: &str) -> &'static str {
    if reasons.contains("expired") {
        "renew the server's certificate, and reload the server: open sessions continue, new ones fail"
    } else if reasons.contains("wrong host") {
        "connect by a name that the certificate is for, or issue one that is for this host too"
    } else if reasons.contains("unknown authority") {
        "name the file with the provider's authority in sslrootcert, or sslrootcert=system for a public one; providers \
         replace theirs, so a copy may be outdated"
    } else {
        "name a file with the provider's authorities in sslrootcert, or sslrootcert=system for a public one"
    }
}

fn advice(failure: &Failure) -> &'static str {
    match failure.kind {
        FailureKind::NoTls => {
            "switch on ssl at the server (it needs a certificate and a restart at most), or, on a network that you trust, \
             set sslmode=prefer; a pooler on the path has its own setting"
        }
        FailureKind::NoReply => {
            "the server accepts TCP but does not reply: a frozen or overloaded server, a load balancer without a server behind \
             it, or no Postgres at this port"
        }
        FailureKind::Closed => {
            "the connection was closed: a load balancer without a server behind it, a server that is stopping or at its \
             limit, or no Postgres at this port"
        }
        FailureKind::NotPostgres => {
            "no Postgres at this port; or a server that cannot start a process for the session because it is out of \
             memory or processes"
        }
        _ => {
            "see the error; TLS 1.2 or later is needed, and a client certificate that the server accepts, if it requires one"
        }
    }
}

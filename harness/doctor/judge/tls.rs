//! TLS: in use, not in use, or in the way.

use super::{is_here, refused};
use crate::doctor::facts::{Encrypted, Facts, Failure, FailureKind, Negotiated, Trust};
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
                "sslmode=prefer goes on without TLS, as a client does; with sslmode=require it would end here",
                SOURCE,
            ),
            Err(failure) => Finding::problem(Topic::Tls, failure.text.clone(), advice(failure), SOURCE),
            Ok(negotiated) => of_negotiated(facts, negotiated, last > 0),
        };
        finding.timed(negotiation.took)
    });
    judged.collect()
}

fn of_negotiated(facts: &Facts, negotiated: &Negotiated, fallen_back: bool) -> Finding {
    let without = |why: &str, advice: &str| match is_here(facts) {
        // On one machine there is nobody to read along.
        true => Finding::ok(Topic::Tls, format!("not in use: {why}"), SOURCE),
        false => Finding::notice(Topic::Tls, format!("not in use: {why}"), advice, SOURCE),
    };
    match negotiated {
        Negotiated::NotAsked if fallen_back => without("it failed", "repair it, and ask for sslmode=verify-full"),
        Negotiated::NotAsked => {
            without("sslmode=disable", "password and data pass unencrypted: ask for sslmode=verify-full")
        }
        Negotiated::NotOffered => without(
            "the server has none (ssl = off)",
            "password and data pass unencrypted: switch on ssl at the server, and ask for sslmode=verify-full",
        ),
        Negotiated::Encrypted(encrypted) => of_encrypted(facts, encrypted),
    }
}

fn of_encrypted(facts: &Facts, Encrypted { version, trust, .. }: &Encrypted) -> Finding {
    let mode = facts.encryption.mode;
    match trust {
        Trust::Verified(by) => {
            let what = if mode == SslMode::VerifyFull { "certificate and host" } else { "certificate" };
            Finding::ok(Topic::Tls, format!("{version}; {what} verified with {by}"), SOURCE)
        }
        Trust::NotAsked => {
            let value = format!("{version}; certificate not verified (sslmode={})", mode.name());
            match is_here(facts) {
                true => Finding::ok(Topic::Tls, value, SOURCE),
                false => Finding::notice(
                    Topic::Tls,
                    value,
                    "whoever stands in between can read along: ask for sslmode=verify-full, with sslrootcert",
                    SOURCE,
                ),
            }
        }
        Trust::Refused(_) => {
            let reasons = refused(facts).join("; ");
            let value = format!("{version}; sslmode={} refuses the certificate: {reasons}", mode.name());
            Finding::problem(Topic::Tls, value, refusal(&reasons), SOURCE)
        }
    }
}

fn refusal(reasons: &str) -> &'static str {
    if reasons.contains("expired") {
        "renew the server's certificate, and reload the server: sessions that are open go on, new ones do not come in"
    } else if reasons.contains("wrong host") {
        "connect by a name that the certificate is for, or have one issued that is for this host too"
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
             ask for sslmode=prefer; a pooler in between has a setting of its own"
        }
        FailureKind::Silence => {
            "TCP is accepted and nothing answers: a frozen or overloaded server, a load balancer without a server behind \
             it, or no Postgres at this port"
        }
        FailureKind::Closed => {
            "the connection was ended: a load balancer without a server behind it, a server that is stopping or at its \
             limit, or no Postgres at this port"
        }
        FailureKind::Foreign => {
            "no Postgres at this port; or a server that cannot start a process for us, in which case it is out of memory \
             or processes"
        }
        _ => {
            "see the error; TLS 1.2 or later is needed, and a client certificate that the server accepts, where it asks"
        }
    }
}

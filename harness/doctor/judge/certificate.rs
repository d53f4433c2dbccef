//! Judges certificates: their names, issuers and dates.

use std::time::{Duration, SystemTime};

use super::negotiated;
use crate::doctor::facts::{Certificate, Facts, Negotiated};
use crate::doctor::finding::{Finding, Topic};

const SOURCE: &str = "PostgreSQL manual, \"Secure TCP/IP Connections with SSL\"; Materialize, \"connection closed\"";

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A certificate that expires within this time is a problem: a manual renewal takes days, and an automatic one would
/// have happened earlier.
const PROBLEM_WITHIN: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// A certificate that expires within this time is a notice: automatic renewal is due 30 days before the end of a
/// certificate that lasts 90 (ACME's usual practice).
const NOTICE_WITHIN: Duration = Duration::from_secs(30 * 24 * 60 * 60);

pub(super) fn judge(facts: &Facts, now: SystemTime) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(Negotiated::TlsSession(session)) = negotiated(facts) {
        for (number, certificate) in session.chain.iter().enumerate() {
            let finding = judge_certificate(Topic::Certificate, certificate, now);
            // Issuers' certificates are reported only if something is wrong.
            if number == 0 || finding.advice.is_some() {
                findings.push(finding);
            }
        }
    }
    findings
        .extend(facts.client_certificate.as_ref().map(|found| judge_certificate(Topic::ClientCertificate, found, now)));
    findings
}

fn judge_certificate(topic: Topic, certificate: &Result<Certificate, String>, now: SystemTime) -> Finding {
    let found = match certificate {
        Ok(found) => found,
        Err(reason) => {
            let advice = "is it a certificate (a file must be PEM)? if so, issue a new one";
            return Finding::problem(topic, reason.clone(), advice, SOURCE);
        }
    };
    let names = if found.names.is_empty() { String::new() } else { format!(", for {}", found.names.join(", ")) };
    let described = format!("{}{names}, issued by {}", found.subject, found.issuer);
    let until = humantime::format_rfc3339_seconds(found.not_after);
    let renew = match topic {
        Topic::ClientCertificate => "renew it before clients are refused",
        _ => "renew it before clients that verify refuse it; a reload is enough, and open sessions continue",
    };
    if found.not_before > now {
        let from = humantime::format_rfc3339_seconds(found.not_before);
        return Finding::problem(
            topic,
            format!("{described}; not valid before {from}"),
            "check the clocks of this machine and of the issuer",
            SOURCE,
        );
    }
    match found.not_after.duration_since(now) {
        Err(ago) => {
            let ago = days(ago.duration());
            Finding::problem(topic, format!("{described}; expired {ago} ago, at {until}"), "renew it now", SOURCE)
        }
        Ok(left) => {
            let value = format!("{described}; expires in {}, at {until}", days(left));
            match left {
                left if left <= PROBLEM_WITHIN => Finding::problem(topic, value, renew, SOURCE),
                left if left <= NOTICE_WITHIN => Finding::notice(topic, value, renew, SOURCE),
                _ => Finding::ok(topic, value, SOURCE),
            }
        }
    }
}

fn days(duration: Duration) -> String {
    match duration.as_secs() / DAY.as_secs() {
        0 => "less than a day".into(),
        1 => "1 day".into(),
        days => format!("{days} days"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Level;

    fn at(days: i64) -> SystemTime {
        let now = SystemTime::UNIX_EPOCH + 20_000 * DAY;
        match u32::try_from(days) {
            Ok(days) => now + days * DAY,
            Err(_) => now - (-days) as u32 * DAY,
        }
    }

    fn judged(from: i64, until: i64) -> Finding {
        let certificate = Certificate {
            subject: "CN=db".into(),
            issuer: "CN=authority".into(),
            names: vec!["db.example.com".into()],
            not_before: at(from),
            not_after: at(until),
        };
        judge_certificate(Topic::Certificate, &Ok(certificate), at(0))
    }

    #[test]
    fn level_rises_as_expiry_approaches() {
        for (from, until, level, text) in [
            (-1, 300, Level::Ok, "expires in 300 days"),
            (-1, 31, Level::Ok, "expires in 31 days"),
            (-1, 30, Level::Notice, "expires in 30 days"),
            (-1, 7, Level::Problem, "expires in 7 days"),
            (-9, -1, Level::Problem, "expired 1 day ago, at 2024-10-03T00:00:00Z"),
            (1, 9, Level::Problem, "not valid before 2024-10-05T00:00:00Z"),
        ] {
            let finding = judged(from, until);
            assert_eq!(finding.level, level, "{finding:?}");
            assert!(finding.value.contains(text) && finding.value.contains("db.example.com"), "{finding:?}");
        }
    }
}

//! Judges connection slots and limits, and open transactions.

use super::Settings;
use crate::doctor::facts::{Identity, ServerFacts, Sessions};
use crate::doctor::finding::{Finding, Topic};

const SOURCE: &str =
    "PostgreSQL manual, \"Connection Settings\"; Materialize, \"connection closed\": out of connections";
const LIMIT: &str = "PostgreSQL manual, ALTER ROLE and ALTER DATABASE, \"CONNECTION LIMIT\"";
const OPEN: &str = "PostgreSQL manual, pg_stat_activity; \"Routine Vacuuming\"";

/// Used percent of the slots for ordinary roles from which a finding is a problem (`FULL`) or a notice (`FILLING`).
/// After an outage a pool opens all its sessions again while the server still holds the old ones: a free tenth is not
/// enough.
const FULL: i64 = 90;
const FILLING: i64 = 75;

/// A transaction that is idle for this many seconds is a notice: its locks and dead rows affect other sessions.
const LONG_OPEN_S: f64 = 300.0;

pub(super) fn judge(server_facts: &ServerFacts, identity: &Identity) -> Vec<Finding> {
    let sessions = match &server_facts.sessions {
        Ok(sessions) => sessions,
        Err(failure) => {
            let privilege = "pg_monitor";
            return vec![Finding::unreadable(Topic::ConnectionSlots, "sessions", &failure.text, privilege, SOURCE)];
        }
    };
    let mut findings = Vec::new();
    if let Ok(settings) = &server_facts.settings {
        findings.extend(slots(settings, sessions));
    }
    findings.extend(limit("role", &identity.role, sessions.of_role, sessions.role_limit));
    findings.extend(limit("database", "this database", sessions.of_database, sessions.database_limit));
    findings.extend(open(sessions, identity));
    findings
}

fn slots(settings: &Settings, sessions: &Sessions) -> Option<Finding> {
    let number = |name: &str| settings.get(name).and_then(|setting| setting.number());
    let max = number("max_connections")?;
    // The second setting exists from version 16.
    let reserved = number("superuser_reserved_connections").unwrap_or(0) + number("reserved_connections").unwrap_or(0);
    let used = sessions.used();
    let ordinary = max - reserved;
    let remaining = (ordinary - used).max(0);
    let value = format!(
        "{used} of {max} used, {reserved} reserved, {remaining} remain for ordinary roles{}",
        match sessions.unknown {
            0 => String::new(),
            some => format!(" ({some} of them counted without pg_monitor: workers may be among them)"),
        }
    );
    let share = used * 100 / ordinary.max(1);
    let topic = Topic::ConnectionSlots;
    Some(match share {
        share if share >= FULL => Finding::problem(
            topic,
            value,
            "new clients get 53300, or soon will: end idle sessions, make pools smaller, put a pooler in front, or raise \
             max_connections",
            SOURCE,
        ),
        share if share >= FILLING => Finding::notice(
            topic,
            value,
            "a pool that reconnects while its old sessions linger needs twice its size: keep that many slots free",
            SOURCE,
        ),
        _ => Finding::ok(topic, value, SOURCE),
    })
}

fn limit(kind: &str, name: &str, used: i64, limit: i64) -> Option<Finding> {
    // A negative value means no limit.
    if limit < 0 {
        return None;
    }
    let value = format!("{used} of {limit} sessions used of {kind} {name}");
    Some(match used * 100 >= limit * FULL {
        false => Finding::ok(Topic::ConnectionLimit, value, LIMIT),
        true => Finding::problem(
            Topic::ConnectionLimit,
            value,
            "new sessions get 53300, or soon will: raise CONNECTION LIMIT, or make pools smaller",
            LIMIT,
        ),
    })
}

fn open(sessions: &Sessions, identity: &Identity) -> Option<Finding> {
    let topic = Topic::OpenTransactions;
    if !identity.sees_all {
        let privilege = "pg_read_all_stats (pg_monitor has it)";
        return Some(Finding::unreadable(
            topic,
            "the state of other roles' sessions",
            "it is visible to their own role only",
            privilege,
            OPEN,
        ));
    }
    let longest = sessions.idle_in_transaction_s.unwrap_or(0.0);
    let value = format!("{} idle in transaction, longest for {longest:.0} s", sessions.idle_in_transaction);
    match longest >= LONG_OPEN_S {
        false => Some(Finding::ok(topic, value, OPEN)),
        true => Some(Finding::notice(
            topic,
            value,
            "it holds its locks and blocks vacuum: find it in pg_stat_activity, and set \
             idle_in_transaction_session_timeout",
            OPEN,
        )),
    }
}

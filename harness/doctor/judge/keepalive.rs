//! Keepalive and its companions: when does each side notice that the other is gone?

use std::time::Duration;

use super::{LIBPQ, Settings, is_here};
use crate::doctor::facts::{Facts, Keepalive};
use crate::doctor::finding::{Finding, Topic};
use crate::model::time::exact;

const SERVER: &str = "PostgreSQL manual, \"TCP Settings\"; Materialize, \"connection closed\": keepalive 60/10/5";
const LINUX: &str = "Linux, ip-sysctl: tcp_retries2; man 7 tcp: TCP_USER_TIMEOUT";

/// A dead peer that is noticed later than this holds a pool's slot, or a server's, for longer than an outage should
/// last. The documented 60 s, 10 s and 5 probes come to 110 s.
const LATE: Duration = Duration::from_secs(5 * 60);

/// Keepalive as the client's sockets have it.
pub(super) enum Sockets {
    On(Keepalive),
    Off,
    /// The system's own figures are needed, and cannot be read here.
    Unknown,
}

impl Sockets {
    /// Of the client: the URL's own figures, else this machine's.
    pub fn of_client(facts: &Facts) -> Sockets {
        let wishes = &facts.wishes;
        if !wishes.keepalives {
            return Sockets::Off;
        }
        let system = facts.system;
        let idle = wishes.keepalives_idle.or(system.map(|system| system.idle));
        let interval = wishes.keepalives_interval.or(system.map(|system| system.interval));
        let count = wishes.keepalives_count.or(system.map(|system| system.count));
        match (idle, interval, count) {
            (Some(idle), Some(interval), Some(count)) => Sockets::On(Keepalive { idle, interval, count }),
            _ => Sockets::Unknown,
        }
    }

    /// Of the server: what its socket to us has, which is what the system made of a zero.
    pub fn of_server(settings: &Settings) -> Sockets {
        let duration = |name: &str| settings.get(name).and_then(|setting| setting.duration());
        let count = settings.get("tcp_keepalives_count").and_then(|setting| setting.number());
        let count = count.and_then(|count| u32::try_from(count).ok());
        match (duration("tcp_keepalives_idle"), duration("tcp_keepalives_interval"), count) {
            // Zero means that the server does not know either: a socket file, or a system without the option.
            (Some(idle), Some(interval), Some(count)) if !idle.is_zero() => {
                Sockets::On(Keepalive { idle, interval, count })
            }
            _ => Sockets::Unknown,
        }
    }
}

pub(super) fn of_client(facts: &Facts) -> Vec<Finding> {
    let wishes = &facts.wishes;
    let connect = match wishes.connect_timeout {
        Some(limit) => Finding::ok(Topic::ConnectTimeout, format!("{} for each address", exact(limit)), LIBPQ),
        None => Finding::notice(
            Topic::ConnectTimeout,
            "none: libpq waits as long as the kernel does, more than two minutes for packets that vanish, and for ever \
             for a server that accepts and is silent",
            "set connect_timeout=10, or your driver's own limit; it counts for each address",
            LIBPQ,
        ),
    };
    let advice = "set keepalives_idle=60, keepalives_interval=10 and keepalives_count=5 in the URL, or your driver's words \
                  for them";
    let whose = if wishes.keepalives_idle.is_some() { "" } else { " (this machine's defaults)" };
    let keepalive = match Sockets::of_client(facts) {
        Sockets::Off => Finding::notice(
            Topic::ClientKeepalive,
            "off: a server that vanished while the connection was idle is never noticed",
            advice,
            LIBPQ,
        ),
        Sockets::Unknown => Finding::notice(
            Topic::ClientKeepalive,
            "the defaults of this machine cannot be read",
            format!("{advice}; then they do not matter"),
            LIBPQ,
        ),
        Sockets::On(keepalive) => {
            of_sockets(facts, Topic::ClientKeepalive, keepalive, wishes.tcp_user_timeout, whose, advice, LIBPQ)
        }
    };
    vec![connect, keepalive, user_timeout(facts, Topic::ClientUserTimeout, wishes.tcp_user_timeout, LIBPQ)]
}

pub(super) fn of_server(facts: &Facts, settings: &Settings) -> Vec<Finding> {
    let advice = "set tcp_keepalives_idle = 60, tcp_keepalives_interval = 10 and tcp_keepalives_count = 5; new connections \
                  have them after a reload";
    let whose = match settings.get("tcp_keepalives_idle") {
        Some(setting) if setting.source == "default" => " (the server machine's defaults)",
        _ => "",
    };
    let limit = settings.get("tcp_user_timeout").and_then(|setting| setting.duration());
    let limit = limit.filter(|limit| !limit.is_zero());
    let keepalive = match Sockets::of_server(settings) {
        Sockets::On(keepalive) => of_sockets(facts, Topic::ServerKeepalive, keepalive, limit, whose, advice, SERVER),
        _ => Finding::notice(Topic::ServerKeepalive, "the server does not know its own", advice, SERVER),
    };
    let mut findings = vec![keepalive, user_timeout(facts, Topic::ServerUserTimeout, limit, SERVER)];
    // Version 14 and later.
    if let Some(interval) = settings.get("client_connection_check_interval").and_then(|setting| setting.duration()) {
        findings.push(match interval.is_zero() {
            false => {
                Finding::ok(Topic::VanishedClients, format!("looked for every {} during a query", exact(interval)), SERVER)
            }
            true => Finding::notice(
                Topic::VanishedClients,
                "not looked for: a query whose client is gone runs to its end (client_connection_check_interval = 0)",
                "set client_connection_check_interval = 10s, so that a reconnecting client does not pile up old queries",
                SERVER,
            ),
        });
    }
    findings
}

fn of_sockets(
    facts: &Facts,
    topic: Topic,
    keepalive: Keepalive,
    limit: Option<Duration>,
    whose: &str,
    advice: &str,
    source: &'static str,
) -> Finding {
    // Where a user timeout is set it takes the place of the count, be it shorter or longer.
    let (until, after) = match limit {
        Some(limit) => ("tcp_user_timeout".to_owned(), limit.max(keepalive.idle + keepalive.interval)),
        None => (format!("{} unanswered", keepalive.count), keepalive.notices_after()),
    };
    let value = format!(
        "{}{whose}: first probe after {}, then every {}, given up after {until}: {} in all",
        "on",
        exact(keepalive.idle),
        exact(keepalive.interval),
        exact(after)
    );
    match after > LATE && !is_here(facts) {
        true => Finding::notice(topic, value, advice, source),
        false => Finding::ok(topic, value, source),
    }
}

fn user_timeout(facts: &Facts, topic: Topic, limit: Option<Duration>, source: &'static str) -> Finding {
    match limit {
        Some(limit) => {
            let value = format!("{}: unacknowledged data ends the connection after that", exact(limit));
            Finding::ok(topic, value, source)
        }
        None if is_here(facts) => Finding::ok(topic, "the system's (tcp_user_timeout is not set)", source),
        None => Finding::notice(
            topic,
            "the system's: data that is never acknowledged is sent again for 15 minutes and more, and keepalive does not \
             probe meanwhile (tcp_user_timeout is not set)",
            "set tcp_user_timeout to some 30 s (in ms), and a deadline for statements in the application: a server that \
             stands still acknowledges all the same",
            LINUX,
        ),
    }
}

//! Judges keepalive and related timeouts: when each side detects that the other is gone.

use std::time::Duration;

use super::{LIBPQ, Settings, is_local};
use crate::doctor::facts::{Facts, Keepalive};
use crate::doctor::finding::{Finding, Topic};
use crate::model::time::exact;

const SERVER: &str = "PostgreSQL manual, \"TCP Settings\"; Materialize, \"connection closed\": keepalive 60/10/5";
const LINUX: &str = "Linux, ip-sysctl: tcp_retries2; man 7 tcp: TCP_USER_TIMEOUT";

/// A dead peer detected later than this holds a slot of a pool, or of a server, for longer than an outage should last.
/// The documented 60 s, 10 s and 5 probes give 110 s.
const LATE: Duration = Duration::from_secs(5 * 60);

/// The keepalive of one side's sockets.
pub(super) enum Sockets {
    On(Keepalive),
    Off,
    /// The values cannot be read.
    Unknown,
}

impl Sockets {
    /// The client's keepalive: the URL's values, or else this machine's defaults.
    pub fn for_client(facts: &Facts) -> Sockets {
        let client_settings = &facts.client_settings;
        if !client_settings.keepalives {
            return Sockets::Off;
        }
        let system = facts.system;
        let idle = client_settings.keepalives_idle.or(system.map(|system| system.idle));
        let interval = client_settings.keepalives_interval.or(system.map(|system| system.interval));
        let count = client_settings.keepalives_count.or(system.map(|system| system.count));
        match (idle, interval, count) {
            (Some(idle), Some(interval), Some(count)) => Sockets::On(Keepalive { idle, interval, count }),
            _ => Sockets::Unknown,
        }
    }

    /// The server's keepalive: the values of its socket to this client, which include the system's defaults.
    pub fn for_server(settings: &Settings) -> Sockets {
        let duration = |name: &str| settings.get(name).and_then(|setting| setting.duration());
        let count = settings.get("tcp_keepalives_count").and_then(|setting| setting.number());
        let count = count.and_then(|count| u32::try_from(count).ok());
        match (duration("tcp_keepalives_idle"), duration("tcp_keepalives_interval"), count) {
            // Zero means that the server has no value: a socket file, or a system without the option.
            (Some(idle), Some(interval), Some(count)) if !idle.is_zero() => {
                Sockets::On(Keepalive { idle, interval, count })
            }
            _ => Sockets::Unknown,
        }
    }
}

pub(super) fn for_client(facts: &Facts) -> Vec<Finding> {
    let client_settings = &facts.client_settings;
    let connect = match client_settings.connect_timeout {
        Some(limit) => Finding::ok(Topic::ConnectTimeout, format!("{} for each address", exact(limit)), LIBPQ),
        None => Finding::notice(
            Topic::ConnectTimeout,
            "none: libpq waits as long as the kernel does, more than two minutes if packets are lost, and for ever \
             if a server accepts and stays silent",
            "set connect_timeout=10, or your driver's own limit; it applies to each address",
            LIBPQ,
        ),
    };
    let advice = "set keepalives_idle=60, keepalives_interval=10 and keepalives_count=5 in the URL, or your driver's \
                  options for them";
    let origin = if client_settings.keepalives_idle.is_some() { "" } else { " (this machine's defaults)" };
    let keepalive = match Sockets::for_client(facts) {
        Sockets::Off => Finding::notice(
            Topic::ClientKeepalive,
            "off: a server that vanishes while the connection is idle is never detected",
            advice,
            LIBPQ,
        ),
        Sockets::Unknown => Finding::notice(
            Topic::ClientKeepalive,
            "cannot read this machine's defaults",
            format!("{advice}; then the defaults do not matter"),
            LIBPQ,
        ),
        Sockets::On(keepalive) => judge_sockets(
            facts,
            Topic::ClientKeepalive,
            keepalive,
            client_settings.tcp_user_timeout,
            origin,
            advice,
            LIBPQ,
        ),
    };
    vec![connect, keepalive, user_timeout(facts, Topic::ClientUserTimeout, client_settings.tcp_user_timeout, LIBPQ)]
}

pub(super) fn for_server(facts: &Facts, settings: &Settings) -> Vec<Finding> {
    let advice = "set tcp_keepalives_idle = 60, tcp_keepalives_interval = 10 and tcp_keepalives_count = 5; new connections \
                  use them after a reload";
    let origin = match settings.get("tcp_keepalives_idle") {
        Some(setting) if setting.source == "default" => " (the server machine's defaults)",
        _ => "",
    };
    let limit = settings.get("tcp_user_timeout").and_then(|setting| setting.duration());
    let limit = limit.filter(|limit| !limit.is_zero());
    let keepalive = match Sockets::for_server(settings) {
        Sockets::On(keepalive) => {
            judge_sockets(facts, Topic::ServerKeepalive, keepalive, limit, origin, advice, SERVER)
        }
        _ => Finding::notice(Topic::ServerKeepalive, "the server reports no values", advice, SERVER),
    };
    let mut findings = vec![keepalive, user_timeout(facts, Topic::ServerUserTimeout, limit, SERVER)];
    // Version 14 and later.
    if let Some(interval) = settings.get("client_connection_check_interval").and_then(|setting| setting.duration()) {
        findings.push(match interval.is_zero() {
            false => {
                Finding::ok(Topic::VanishedClients, format!("checked every {} during a query", exact(interval)), SERVER)
            }
            true => Finding::notice(
                Topic::VanishedClients,
                "not checked: a query whose client is gone runs to its end (client_connection_check_interval = 0)",
                "set client_connection_check_interval = 10s, so that old queries of a reconnecting client do not pile up",
                SERVER,
            ),
        });
    }
    findings
}

fn judge_sockets(
    facts: &Facts,
    topic: Topic,
    keepalive: Keepalive,
    limit: Option<Duration>,
    origin: &str,
    advice: &str,
    source: &'static str,
) -> Finding {
    // A user timeout replaces the probe count, whether it is shorter or longer.
    let (until, after) = match limit {
        Some(limit) => ("tcp_user_timeout".to_owned(), limit.max(keepalive.idle + keepalive.interval)),
        None => (format!("{} unanswered", keepalive.count), keepalive.notices_after()),
    };
    let value = format!(
        "{}{origin}: first probe after {}, then every {}, given up after {until}: {} in all",
        "on",
        exact(keepalive.idle),
        exact(keepalive.interval),
        exact(after)
    );
    match after > LATE && !is_local(facts) {
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
        None if is_local(facts) => Finding::ok(topic, "the system's (tcp_user_timeout is not set)", source),
        None => Finding::notice(
            topic,
            "the system's: unacknowledged data is retransmitted for 15 minutes and more, and keepalive sends no probes \
             during that time (tcp_user_timeout is not set)",
            "set tcp_user_timeout to about 30 s (in ms), and a statement timeout in the application, because the kernel of \
             a frozen server still acknowledges",
            LINUX,
        ),
    }
}

//! Judges the server: its version and uptime, or that it is no PostgreSQL server.

use std::time::Duration;

use crate::doctor::facts::{Failure, Identity};
use crate::doctor::finding::{Finding, Topic};

const SOURCE: &str = "PostgreSQL manual, \"System Information Functions and Operators\"";
const PGBOUNCER: &str = "PgBouncer, \"Admin console\"";

/// A server that started less than this ago is a notice: connections that broke since then may have broken because of
/// the restart.
const RECENT: Duration = Duration::from_secs(10 * 60);

pub(super) fn judge(identity: &Identity) -> Finding {
    let up = Duration::try_from_secs_f64(identity.up_s).unwrap_or_default();
    let kind = if identity.standby { "a standby: it takes no writes" } else { "takes writes" };
    let value = format!(
        "PostgreSQL {}, {kind}, up for {}; examined as {}{}",
        identity.version.split_whitespace().next().unwrap_or_default(),
        humantime::format_duration(Duration::from_secs(up.as_secs())),
        identity.role,
        if identity.superuser { " (superuser)" } else { "" }
    );
    match up < RECENT {
        false => Finding::ok(Topic::Server, value, SOURCE),
        true => Finding::notice(
            Topic::Server,
            value,
            "the server was started recently: connections that broke then broke because of it; its log says why it stopped",
            SOURCE,
        ),
    }
}

/// The finding if sign-in succeeded but queries fail.
pub(super) fn no_database(failure: &Failure, console: Option<&str>) -> Finding {
    match console {
        Some(console) if console.contains("PgBouncer") => Finding::problem(
            Topic::Server,
            format!("this is the admin console of {console}, not a database"),
            "name a database of the server behind it in the URL; SHOW POOLS on this console shows how full its pools are",
            PGBOUNCER,
        ),
        _ => Finding::problem(
            Topic::Server,
            format!("signed in, but the server answers no query: {}", failure.text),
            "a pooler without a server behind it, a server that failed in the meantime, or no PostgreSQL: examine the \
             server directly",
            SOURCE,
        ),
    }
}

//! Who answers: a server, its version and age; or something that is no server.

use std::time::Duration;

use crate::doctor::facts::{Failure, Identity};
use crate::doctor::finding::{Finding, Topic};

const SOURCE: &str = "PostgreSQL manual, \"System Information Functions and Operators\"";
const PGBOUNCER: &str = "PgBouncer, \"Admin console\"";

/// Connections that broke within this time may well have broken because of the restart: it is what somebody who was
/// just woken up asks about.
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
            "it was started a moment ago: connections that broke then broke because of it; its log says why it stopped",
            SOURCE,
        ),
    }
}

/// Signed in, but nothing can be asked there.
pub(super) fn no_database(failure: &Failure, console: Option<&str>) -> Finding {
    match console {
        Some(console) if console.contains("PgBouncer") => Finding::problem(
            Topic::Server,
            format!("this is the admin console of {console}, and no database"),
            "name a database of the server behind it in the URL; SHOW POOLS on this console says how full its pools are",
            PGBOUNCER,
        ),
        _ => Finding::problem(
            Topic::Server,
            format!("signed in, but the server cannot be asked: {}", failure.text),
            "a pooler without a server behind it, a server that broke meanwhile, or no PostgreSQL: examine the server \
             itself, past what stands before it",
            SOURCE,
        ),
    }
}

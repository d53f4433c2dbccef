//! Reads the table `[path]` of a scenario: the middlebox and its settings.
//!
//! The program itself checks whether a setting exists, because that depends on its version. Checked here: a scenario
//! overrides no setting that the harness needs, and a value contains no second setting.

use std::collections::BTreeMap;

use super::error::{ScenarioError, Text, quoted};
use super::meaning::{setting, word};
use super::table::Table;
use crate::model::middlebox::{Middlebox, Program};

/// Settings of PgBouncer that the harness needs: with other values it could not be reached, could not sign in, or would
/// not log its actions.
const OWN_SETTINGS: [&str; 18] = [
    "admin_users",
    "auth_file",
    "auth_hba_file",
    "auth_query",
    "auth_type",
    "auth_user",
    "client_tls_sslmode",
    "listen_addr",
    "listen_port",
    "log_connections",
    "log_disconnections",
    "log_pooler_errors",
    "logfile",
    "pidfile",
    "syslog",
    "unix_socket_dir",
    "user",
    "verbose",
];

/// Reads the middlebox.
pub(super) fn middlebox(text: Text<'_>, mut table: Table<'_>) -> Result<Middlebox, ScenarioError> {
    let span = table.span.clone();
    let Some(through) = table.string("through")? else {
        let hint = "say what connections pass through: through = \"pgbouncer\" or \"haproxy\"";
        return Err(text.error(span, "the path has no `through`", hint));
    };
    let through = word(text, "program in the path", &through, &Program::ALL)?;
    let mut settings = BTreeMap::new();
    for (key, value) in table.settings("settings")? {
        let name = key.get_ref().split_whitespace().collect::<Vec<_>>().join(" ");
        let refused = match through {
            Program::PgBouncer => why_not_pgbouncer(&name),
            Program::HaProxy => why_not_haproxy(&name),
        };
        if let Some((message, hint)) = refused {
            return Err(text.error(key.span(), message, hint));
        }
        let value = setting(text, &name, &value, ["0", "1"])?;
        if settings.insert(name.clone(), value).is_some() {
            return Err(text.error(key.span(), format!("`{name}` is set twice"), "remove one of them"));
        }
    }
    Ok(Middlebox { through, settings: settings.into_iter().collect() })
}

/// Returns why a name is not a valid setting of PgBouncer here, and what to write instead.
fn why_not_pgbouncer(name: &str) -> Option<(String, &'static str)> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if name.is_empty() || !name.chars().all(allowed) {
        let message = format!("{} is not the name of a setting of PgBouncer", quoted(name));
        return Some((message, "small letters, digits and `_`, like client_idle_timeout"));
    }
    let own = OWN_SETTINGS.contains(&name);
    own.then(|| (format!("`{name}` belongs to the harness"), "leave it out: pgsquall needs it to reach PgBouncer"))
}

/// Returns why a name is not a valid setting of HAProxy here, and what to write instead.
fn why_not_haproxy(name: &str) -> Option<(String, &'static str)> {
    let of_timeout = |what: &str| !what.is_empty() && what.chars().all(|c| c.is_ascii_lowercase() || c == '-');
    let known = name == "retries" || name.strip_prefix("timeout ").is_some_and(of_timeout);
    let message = || format!("{} is no setting of HAProxy that a scenario may have", quoted(name));
    (!known).then(|| (message(), "\"timeout client\", \"timeout server\" and the like, or retries"))
}

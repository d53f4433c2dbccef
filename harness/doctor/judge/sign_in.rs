//! Judges sign-in: the server's reply to user, password and database.

use crate::doctor::facts::{Facts, Failure, FailureKind};
use crate::doctor::finding::{Finding, Topic};

const SOURCE: &str = "PostgreSQL manual, \"Authentication Problems\" and \"PostgreSQL Error Codes\"";

pub(super) fn judge(facts: &Facts) -> Option<Finding> {
    let sign_in = facts.sign_in.as_ref()?;
    let finding = match &sign_in.result {
        Ok(()) => Finding::ok(Topic::SignIn, "accepted", SOURCE),
        Err(failure) => Finding::problem(Topic::SignIn, failure.text.clone(), advice(failure), SOURCE),
    };
    Some(finding.timed(sign_in.took))
}

fn advice(failure: &Failure) -> &'static str {
    match &failure.kind {
        FailureKind::ServerError(sqlstate) => server_error_advice(sqlstate, &failure.text),
        FailureKind::NoPassword => "the server requires a password: put it into the URL, or into PGPASSWORD",
        FailureKind::NoReply => {
            "the server accepts TCP but does not answer the startup packet: a frozen or overloaded server, a load balancer \
             without a server behind it, a pooler whose server is down, or no Postgres at this port"
        }
        FailureKind::Closed => {
            "closed without an error message: authentication_timeout at the server, a load balancer without a server behind it, \
             with TLS 1.3 perhaps a refused client certificate; see the server's log"
        }
        _ => "see the error, and the server's log",
    }
}

fn server_error_advice(sqlstate: &str, text: &str) -> &'static str {
    match sqlstate {
        "28P01" => {
            "user or password is wrong (the server does not say which): was the password changed, or does the user exist \
             on another server? a client that retries this floods the server"
        }
        "28000" if text.contains("pg_hba.conf") => {
            "pg_hba.conf, or the provider's firewall rules, reject this client: the address, user, database and \
             encryption in the message must match a line"
        }
        "28000" => {
            "the user may not sign in this way: does the user exist, may it log in, does the server require a client \
             certificate? some providers send this error for a moment during a reboot"
        }
        "3D000" => "there is no such database: is the name in the URL right? psql -l lists them",
        "53300" if text.contains("for role") || text.contains("for database") => {
            "a CONNECTION LIMIT is reached: find the roles that hold sessions, close idle ones, or raise it with ALTER ROLE or \
             ALTER DATABASE"
        }
        "53300" => {
            "every slot is taken: look for a pool that grew or leaks (pg_stat_activity, as superuser or with \
             pg_use_reserved_connections), end idle sessions, put a pooler in front, or raise max_connections"
        }
        "55000" => "the database takes no connections (ALLOW_CONNECTIONS false), perhaps for maintenance",
        "57P03" => {
            "the server is starting, recovering or shutting down: after a crash with a large transaction this may take \
             minutes; try again every few seconds, and read its log if this persists"
        }
        "08P01" => {
            "a pooler's own error, or a protocol error: read the message; PgBouncer repeats a failed server's error for \
             15 s (server_login_retry)"
        }
        _ => "see the server's message, and its log",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_depends_on_code_and_text() {
        let limit = server_error_advice("53300", "FATAL 53300: too many connections for role \"r\"");
        assert!(limit.contains("CONNECTION LIMIT"), "{limit}");
        assert!(server_error_advice("53300", "FATAL 53300: sorry, too many clients already").contains("every slot"));
        assert!(server_error_advice("28000", "no pg_hba.conf entry for host").contains("firewall"));
    }
}

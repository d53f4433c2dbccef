//! Configuration files of a running server, changed as superuser, and reloading them.
//!
//! Uses only SQL, so that the same code serves local servers and containers. The server validates `pg_hba.conf`; other
//! files are written unchecked.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{ServerError, Session, Superuser};

/// Longest wait until a reload is in force: milliseconds, but the machine may be busy.
const RELOAD_PATIENCE: Duration = Duration::from_secs(20);

/// Interval of polling.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Replaces a file atomically; only the server's user can read it.
///
/// *Errors*: the server cannot write the file. The error omits the text, which may be secret.
pub(crate) async fn write_file(session: &Session, path: &str, text: &str) -> Result<(), ServerError> {
    let failed = |reason| ServerError::Sql { doing: format!("write {path} on the server"), reason };
    let quoted = shlex::try_quote(path).map_err(|error| failed(error.to_string()))?;
    // COPY escapes special characters and line ends; base64 has neither.
    let program = format!("umask 077 && base64 -d > {quoted}.new && mv {quoted}.new {quoted}");
    let bytes = format!("translate(encode(convert_to({}, 'UTF8'), 'base64'), E'\\n', '')", literal(text));
    let copy = format!("COPY (SELECT {bytes}) TO PROGRAM {}", literal(&program));
    session.batch(&copy).await.map_err(|error| match error {
        ServerError::Sql { reason, .. } => failed(reason),
        other => other,
    })
}

/// Returns the text of `pg_hba.conf`.
pub(crate) async fn read_hba(session: &Session) -> Result<String, ServerError> {
    Ok(session.value("SELECT pg_read_file(current_setting('hba_file'))", &[]).await?.unwrap_or_default())
}

/// Replaces `pg_hba.conf`; returns once the rules are in force. Open sessions stay. The new rules must still admit the
/// superuser.
///
/// *Errors*: the server cannot parse the new rules; then the old file is restored and its rules stay in force.
pub(crate) async fn write_hba_and_reload(superuser: &Superuser, text: &str) -> Result<(), ServerError> {
    let session = superuser.connect().await?;
    let path: String = session.value("SHOW hba_file", &[]).await?.unwrap_or_default();
    let before = read_hba(&session).await?;
    write_file(&session, &path, text).await?;
    let wrong = "SELECT line_number, error FROM pg_hba_file_rules WHERE error IS NOT NULL";
    if let Some(row) = session.rows(wrong, &[]).await?.first() {
        let reason = format!("line {}: {}", row.get::<_, i32>(0), row.get::<_, String>(1));
        write_file(&session, &path, &before).await?;
        return Err(ServerError::Sql { doing: "change pg_hba.conf".into(), reason });
    }
    reload(superuser).await
}

/// Makes the server reload its configuration files; returns once new sessions use them.
///
/// A session inherits the time of the last reload from the postmaster: once a new session shows a later time, all
/// sessions that start afterwards use the new configuration.
///
/// *Errors*: new sessions still show the old time after [`RELOAD_PATIENCE`].
pub(crate) async fn reload(superuser: &Superuser) -> Result<(), ServerError> {
    const LATER: &str = "SELECT pg_conf_load_time()::text";
    let time = async || -> Result<String, ServerError> {
        Ok(superuser.connect().await?.value(LATER, &[]).await?.unwrap_or_default())
    };
    let before = time().await?;
    superuser.connect().await?.batch("SELECT pg_reload_conf()").await?;
    let deadline = Instant::now() + RELOAD_PATIENCE;
    while time().await? == before {
        if Instant::now() >= deadline {
            let reason = format!(
                "new sessions still use the configuration of {before}, {} after the reload",
                crate::model::time::show(RELOAD_PATIENCE)
            );
            return Err(ServerError::Control { doing: "reload", reason });
        }
        sleep(LOOK_EVERY).await;
    }
    Ok(())
}

/// Quotes a text as an SQL literal.
fn literal(text: &str) -> String {
    let doubled = text.replace('\'', "''");
    match doubled.contains('\\') {
        true => format!("E'{}'", doubled.replace('\\', "\\\\")),
        false => format!("'{doubled}'"),
    }
}

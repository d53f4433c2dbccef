//! Configuration files of a running server, changed as superuser, and reloading them.
//!
//! Uses SQL alone, so that a process and a container need no different code. Does not know the files' contents, except
//! for `pg_hba.conf`, which the server itself checks.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{ServerError, Session, Superuser};

/// Longest until a reload is in force: a signal to the postmaster, on a busy machine.
const RELOAD_PATIENCE: Duration = Duration::from_secs(20);

/// Interval of polling.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Replaces a file atomically; only the server's user can read it.
///
/// *Errors*: without the text, which may be a secret.
pub(crate) async fn write_file(session: &Session, path: &str, text: &str) -> Result<(), ServerError> {
    let failed = |reason| ServerError::Sql { doing: format!("write {path} on the server"), reason };
    let quoted = shlex::try_quote(path).map_err(|error| failed(error.to_string()))?;
    // COPY escapes text and changes line ends; base64 passes through unchanged.
    let program = format!("umask 077 && base64 -d > {quoted}.new && mv {quoted}.new {quoted}");
    let bytes = format!("translate(encode(convert_to({}, 'UTF8'), 'base64'), E'\\n', '')", literal(text));
    let copy = format!("COPY (SELECT {bytes}) TO PROGRAM {}", literal(&program));
    session.batch(&copy).await.map_err(|error| match error {
        ServerError::Sql { reason, .. } => failed(reason),
        other => other,
    })
}

/// The text of `pg_hba.conf`.
pub(crate) async fn read_hba(session: &Session) -> Result<String, ServerError> {
    Ok(session.value("SELECT pg_read_file(current_setting('hba_file'))", &[]).await?.unwrap_or_default())
}

/// Replaces `pg_hba.conf`; returns once the rules are in force. Open sessions stay. The new rules must still admit the
/// superuser.
///
/// *Errors*: the server cannot parse the file; the old one is restored and stays in force.
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
/// A session inherits the time of the last reload from the postmaster. A session that started after the reload shows a
/// later time, and so do all that start after it.
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

/// A text as an SQL literal.
fn literal(text: &str) -> String {
    let doubled = text.replace('\'', "''");
    match doubled.contains('\\') {
        true => format!("E'{}'", doubled.replace('\\', "\\\\")),
        false => format!("'{doubled}'"),
    }
}

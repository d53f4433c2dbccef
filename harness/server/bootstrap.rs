//! The contents of a new server: roles, database and ledger, created by SQL.
//!
//! *Errors* of every function: a statement fails.

use super::{ServerError, Session, Superuser};

/// The role of clients; not a superuser, so that connection limits and reserved slots apply to it.
pub const ROLE: &str = "squall";

/// The role with which the nemesis occupies connection slots; not a superuser.
pub const OCCUPANT: &str = "squall_occupant";

/// The database that clients use.
pub const DATABASE: &str = "squall";

/// The table into which clients write one row for each write.
pub const LEDGER: &str = "pgsquall_ledger";

/// The channel of the notifications that clients listen to.
pub const CHANNEL: &str = "pgsquall_news";

/// The ledger's definition.
///
/// `id` is deliberately not unique, so that a carelessly repeated write shows as a duplicate. A careful client fills
/// `idempotency_key`, so that its repeated writes have no effect.
const SCHEMA: &str = "\
    CREATE TABLE pgsquall_ledger (id bigint NOT NULL, idempotency_key bigint UNIQUE);\
    CREATE INDEX ON pgsquall_ledger (id);\
    COMMENT ON TABLE pgsquall_ledger IS 'made by pgsquall; dropped when its run ends';";

/// Creates the roles, the database and the ledger on a new server. The roles get no password yet.
pub(crate) async fn prepare(superuser: &Superuser) -> Result<(), ServerError> {
    let session = superuser.connect().await?;
    session.batch(&format!("CREATE ROLE {ROLE} LOGIN")).await?;
    session.batch(&format!("CREATE ROLE {OCCUPANT} LOGIN")).await?;
    session.batch(&format!("CREATE DATABASE {DATABASE}")).await?;
    let session = superuser.in_database(DATABASE).connect().await?;
    session.batch(SCHEMA).await?;
    // An application may create its own tables, schemas and extensions at its first start.
    session.batch(&format!("GRANT CREATE ON DATABASE {DATABASE} TO {ROLE}")).await?;
    session.batch(&format!("GRANT CREATE ON SCHEMA public TO {ROLE}")).await?;
    session.batch(&format!("GRANT SELECT, INSERT ON {LEDGER} TO {ROLE}")).await?;
    // Vacuum now, because an autovacuum of these changes during a run would write WAL.
    session.batch("VACUUM pg_database, pg_namespace, pg_class, pg_authid").await
}

/// Moves the ledger and its indexes to a small disk. Fills pages to 10 % only, so that the ledger needs a new page
/// after a few writes: a full disk has no effect while existing pages have room.
pub(crate) async fn move_ledger(superuser: &Superuser, disk: &str) -> Result<(), ServerError> {
    let session = superuser.in_database(DATABASE).connect().await?;
    // A tablespace needs an empty folder that belongs to the server's user.
    run_in(&session, &format!("mkdir -m 700 {disk}/heap")).await?;
    session.batch(&format!("CREATE TABLESPACE pgsquall_small LOCATION '{disk}/heap'")).await?;
    session.batch(&format!("ALTER TABLE {LEDGER} SET (fillfactor = 10)")).await?;
    session.batch(&format!("ALTER TABLE {LEDGER} SET TABLESPACE pgsquall_small")).await?;
    let indexes = "SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = $1::text::regclass";
    for row in session.rows(indexes, &[&LEDGER]).await? {
        let index: String = row.get(0);
        session.batch(&format!("ALTER INDEX {index} SET TABLESPACE pgsquall_small")).await?;
    }
    Ok(())
}

/// Runs a shell command on the server's host (or in its container) as the server's user. `command` must not contain
/// single quotes.
///
/// *Errors*: the command exits with another code than 0.
pub(crate) async fn run_in(session: &Session, command: &str) -> Result<(), ServerError> {
    // COPY TO PROGRAM is the only SQL that runs a program; the query returns no rows, so nothing is copied.
    session.batch(&format!("COPY (SELECT 1 WHERE false) TO PROGRAM '{command}'")).await
}

/// Creates the ledger on an external server, in the database of its URL.
///
/// *Errors*: the database has a table of that name that pgsquall did not create; the table is left unchanged.
pub(crate) async fn prepare_external(session: &Session) -> Result<(), ServerError> {
    drop_external(session).await?;
    session.batch(SCHEMA).await
}

/// Drops the ledger that [`prepare_external`] created, if it exists. *Errors* are the same.
pub(crate) async fn drop_external(session: &Session) -> Result<(), ServerError> {
    let comment = "SELECT coalesce(obj_description(to_regclass($1)), '') LIKE 'made by pgsquall%' \
                   WHERE to_regclass($1) IS NOT NULL";
    match session.rows(comment, &[&LEDGER]).await?.first().map(|row| row.get::<_, bool>(0)) {
        None => Ok(()),
        Some(true) => session.batch(&format!("DROP TABLE {LEDGER}")).await,
        Some(false) => Err(ServerError::BadUrl(format!(
            "the database already has a table {LEDGER} that pgsquall did not make: drop it or name another database"
        ))),
    }
}

/// Sets the password of a role that the harness created. `password` must not contain single quotes.
pub(crate) async fn set_password(session: &Session, role: &str, password: &str) -> Result<(), ServerError> {
    // ALTER ROLE takes no parameters. The harness's passwords are letters and digits (credentials::password).
    session.batch(&format!("ALTER ROLE {role} PASSWORD '{password}'")).await
}

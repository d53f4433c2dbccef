//! The contents of a new server: roles, database and ledger.
//!
//! The ledger's key is not unique, so that a write repeated without care shows. A careful client fills
//! `idempotency_key`, which is unique.

use super::{ServerError, Session, Superuser};

/// The role of clients; not a superuser, so that connection limits and reserved slots apply to it.
pub const ROLE: &str = "squall";

/// The role with which the nemesis occupies connection slots; not a superuser.
pub const OCCUPANT: &str = "squall_occupant";

/// The database that clients use.
pub const DATABASE: &str = "squall";

/// The table of all writes.
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

/// Creates role, database and ledger on a fresh server.
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

/// Moves the ledger and its indexes to a small disk. Pages are left almost empty, so that the ledger needs a new page
/// after a few writes: a full disk has no effect while pages have room.
pub(crate) async fn move_ledger(superuser: &Superuser, disk: &str) -> Result<(), ServerError> {
    let session = superuser.in_database(DATABASE).connect().await?;
    // Postgres must own the folder, and it must be empty.
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

/// Runs a shell command on the server's host, as the server's user.
pub(crate) async fn run_in(session: &Session, command: &str) -> Result<(), ServerError> {
    // Nothing is copied: COPY TO PROGRAM is the way to make a server run a program.
    session.batch(&format!("COPY (SELECT 1 WHERE false) TO PROGRAM '{command}'")).await
}

/// Creates the ledger on an external server, in the database of its URL.
///
/// *Errors*: the database has a table of that name that pgsquall did not create; it stays as it is.
pub(crate) async fn prepare_external(session: &Session) -> Result<(), ServerError> {
    drop_external(session).await?;
    session.batch(SCHEMA).await
}

/// Drops the ledger that [`prepare_external`] created, if it exists.
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

/// Sets the password of a role that the harness created.
pub(crate) async fn set_password(session: &Session, role: &str, password: &str) -> Result<(), ServerError> {
    // ALTER ROLE takes no parameters; these passwords are letters, digits and hyphens (credentials::password).
    session.batch(&format!("ALTER ROLE {role} PASSWORD '{password}'")).await
}

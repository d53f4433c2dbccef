//! What every server holds before a client sees it: one role, one database, one ledger.

use super::{ServerError, Session, Superuser};

/// The role that clients sign in as; an ordinary one, so that limits and reserved slots apply to it.
pub const ROLE: &str = "squall";

/// An ordinary role in whose name the nemesis takes connection slots.
pub const OCCUPANT: &str = "squall_occupant";

/// The database that clients use.
pub const DATABASE: &str = "squall";

/// The table that remembers every acknowledged write.
pub const LEDGER: &str = "pgsquall_ledger";

/// The channel on which notifications are sent to clients that listen.
pub const CHANNEL: &str = "pgsquall_news";

/// What the ledger looks like.
///
/// `id` is deliberately not unique: a write repeated without care must be able to show. `idempotency_key` is what a
/// careful client fills, so that its repeats do nothing.
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
    // An application brings its own tables, schemas and extensions, and may bring them with it on its first start.
    session.batch(&format!("GRANT CREATE ON DATABASE {DATABASE} TO {ROLE}")).await?;
    session.batch(&format!("GRANT CREATE ON SCHEMA public TO {ROLE}")).await?;
    session.batch(&format!("GRANT SELECT, INSERT ON {LEDGER} TO {ROLE}")).await?;
    // What these have replaced is not to be cleaned up in the middle of a run: that writes WAL.
    session.batch("VACUUM pg_database, pg_namespace, pg_class, pg_authid").await
}

/// Moves the ledger and its indexes to a small disk. Pages are left almost empty, so that it needs a new one after a
/// few writes: where there is room left in a page, a full disk hurts nobody.
pub(crate) async fn move_ledger(superuser: &Superuser, disk: &str) -> Result<(), ServerError> {
    let session = superuser.in_database(DATABASE).connect().await?;
    // Postgres must own the folder, and take what is in it for nobody's.
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

/// Runs a shell command where the server is, as the server's user.
pub(crate) async fn run_in(session: &Session, command: &str) -> Result<(), ServerError> {
    // Nothing is copied: COPY is how a server runs a program.
    session.batch(&format!("COPY (SELECT 1 WHERE false) TO PROGRAM '{command}'")).await
}

/// Makes the ledger on a server that is not ours, in the database that its URL names.
///
/// *Errors*: a table of that name that is not a ledger of ours is left alone and reported.
pub(crate) async fn prepare_external(session: &Session) -> Result<(), ServerError> {
    drop_external(session).await?;
    session.batch(SCHEMA).await
}

/// Drops the ledger that [`prepare_external`] made, if it is there.
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

/// Gives a role of ours a password.
pub(crate) async fn set_password(session: &Session, role: &str, password: &str) -> Result<(), ServerError> {
    // ALTER ROLE takes no parameters; ours are letters, digits and hyphens (credentials::password).
    session.batch(&format!("ALTER ROLE {role} PASSWORD '{password}'")).await
}

//! Questions to the server. Each is one SELECT in the simple protocol, which every pooler passes on, and answers with
//! one row of JSON, so that columns that a version does not have are simply not there.

use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::time::timeout;
use tokio_postgres::SimpleQueryMessage;

use super::sign_in::{Session, of_session};
use super::silence;
use crate::doctor::facts::{Answer, Answers, Failure, FailureKind};

const IDENTITY: &str = "\
    SELECT json_build_object(\
        'version', current_setting('server_version'),\
        'role', current_user,\
        'superuser', (SELECT rolsuper FROM pg_roles WHERE rolname = current_user),\
        'sees_all', pg_has_role('pg_read_all_stats', 'USAGE'),\
        'standby', pg_is_in_recovery(),\
        'up_s', extract(epoch FROM clock_timestamp() - pg_postmaster_start_time()),\
        'client_addr', host(inet_client_addr()),\
        'client_port', inet_client_port())";

const SETTINGS: &str = "\
    SELECT json_object_agg(name, json_build_object('setting', setting, 'unit', unit, 'source', source)) \
    FROM pg_settings WHERE name IN (\
        'max_connections', 'superuser_reserved_connections', 'reserved_connections',\
        'tcp_keepalives_idle', 'tcp_keepalives_interval', 'tcp_keepalives_count', 'tcp_user_timeout',\
        'client_connection_check_interval',\
        'statement_timeout', 'transaction_timeout', 'idle_in_transaction_session_timeout', 'idle_session_timeout',\
        'wal_sender_timeout', 'max_replication_slots', 'max_slot_wal_keep_size', 'ssl')";

/// A role that may not see all sees of others' sessions that they are there, and whose they are.
const SESSIONS: &str = "\
    SELECT json_build_object(\
        'clients', count(*) FILTER (WHERE backend_type = 'client backend'),\
        'unknown', count(*) FILTER (WHERE backend_type IS NULL AND datid IS NOT NULL),\
        'idle_in_transaction', count(*) FILTER (WHERE state LIKE 'idle in transaction%'),\
        'idle_in_transaction_s', extract(epoch FROM \
            max(clock_timestamp() - state_change) FILTER (WHERE state LIKE 'idle in transaction%')),\
        'of_role', count(*) FILTER (WHERE usename = current_user AND datid IS NOT NULL),\
        'of_database', count(*) FILTER (WHERE datname = current_database()),\
        'role_limit', (SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user),\
        'database_limit', (SELECT datconnlimit FROM pg_database WHERE datname = current_database())) \
    FROM pg_stat_activity";

const SLOTS: &str = "\
    SELECT json_build_object('slots', coalesce(json_agg(to_json(slot)), '[]'::json)) \
    FROM (SELECT *, pg_wal_lsn_diff(\
        CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END, restart_lsn\
        )::bigint AS retained FROM pg_replication_slots ORDER BY slot_name) AS slot";

/// Asks everything; what cannot be answered is an answer of its own.
pub(super) async fn ask(session: &Session, patience: Duration) -> Answers {
    let identity = answer(session, IDENTITY, patience).await;
    if let Err(failure) = &identity {
        let console = value(session, "SHOW VERSION", patience).await.ok();
        let unasked = failure.clone();
        return Answers {
            identity,
            console,
            settings: Err(unasked.clone()),
            sessions: Err(unasked.clone()),
            slots: Err(unasked),
        };
    }
    Answers {
        identity,
        console: None,
        settings: answer(session, SETTINGS, patience).await,
        sessions: answer(session, SESSIONS, patience).await,
        slots: answer(session, SLOTS, patience).await,
    }
}

async fn answer<T: DeserializeOwned>(session: &Session, question: &str, patience: Duration) -> Answer<T> {
    let text = value(session, question, patience).await?;
    serde_json::from_str(&text)
        .map_err(|error| Failure::new(FailureKind::Foreign, format!("the answer is not understood: {error}")))
}

/// The first column of the first row.
async fn value(session: &Session, question: &str, patience: Duration) -> Answer<String> {
    let messages = timeout(patience, session.client.simple_query(question))
        .await
        .map_err(|_| silence("answer to a query", patience))?
        .map_err(|error| of_session(&error))?;
    let row = messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.try_get(0).ok().flatten(),
        _ => None,
    });
    row.map(str::to_owned).ok_or_else(|| Failure::new(FailureKind::Foreign, "the answer has no row"))
}

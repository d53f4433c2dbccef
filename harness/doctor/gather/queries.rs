//! Queries to the server. Each is one SELECT in the simple protocol, which every pooler passes on, and returns one row
//! of JSON, so that columns missing in a version are absent.

use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::time::timeout;
use tokio_postgres::SimpleQueryMessage;

use super::no_reply;
use super::sign_in::{Session, session_failure};
use crate::doctor::facts::{Answer, Failure, FailureKind, ServerFacts};

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

/// A role without privileges sees only the existence and the role of others' sessions.
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

/// Runs all queries; a failed one is recorded as its result.
pub(super) async fn query_all(session: &Session, time_limit: Duration) -> ServerFacts {
    let identity = query(session, IDENTITY, time_limit).await;
    if let Err(failure) = &identity {
        let console = value(session, "SHOW VERSION", time_limit).await.ok();
        let skipped = failure.clone();
        return ServerFacts {
            identity,
            console,
            settings: Err(skipped.clone()),
            sessions: Err(skipped.clone()),
            slots: Err(skipped),
        };
    }
    ServerFacts {
        identity,
        console: None,
        settings: query(session, SETTINGS, time_limit).await,
        sessions: query(session, SESSIONS, time_limit).await,
        slots: query(session, SLOTS, time_limit).await,
    }
}

async fn query<T: DeserializeOwned>(session: &Session, sql: &str, time_limit: Duration) -> Answer<T> {
    let text = value(session, sql, time_limit).await?;
    serde_json::from_str(&text)
        .map_err(|error| Failure::new(FailureKind::NotPostgres, format!("cannot parse the server's answer: {error}")))
}

/// The first column of the first row.
async fn value(session: &Session, sql: &str, time_limit: Duration) -> Answer<String> {
    let messages = timeout(time_limit, session.client.simple_query(sql))
        .await
        .map_err(|_| no_reply("reply to a query", time_limit))?
        .map_err(|error| session_failure(&error))?;
    let row = messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.try_get(0).ok().flatten(),
        _ => None,
    });
    row.map(str::to_owned).ok_or_else(|| Failure::new(FailureKind::NotPostgres, "the answer has no row"))
}

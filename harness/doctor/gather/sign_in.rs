//! Sign-in: startup packet, authentication, and the server's readiness for the first query.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_postgres::config::{SslMode, SslNegotiation};
use tokio_postgres::tls::TlsConnect;
use tokio_postgres::{Client, Config, NoTls};
use tokio_util::task::AbortOnDropHandle;

use super::tls::{Channel, Established};
use super::{no_reply, socket_failure};
use crate::doctor::facts::{Failure, FailureKind};
use crate::server::explain;

/// The doctor's name in `pg_stat_activity`, unless the URL sets another.
const APPLICATION_NAME: &str = "pgsquall doctor";

/// An open session; closes when dropped.
pub(super) struct Session {
    pub client: Client,
    _connection: AbortOnDropHandle<()>,
}

/// Opens a session over a channel.
///
/// *Errors*: the server's error, a closed connection, or no reply within the time limit.
pub(super) async fn sign_in(config: &Config, channel: Channel, time_limit: Duration) -> Result<Session, Failure> {
    let mut config = config.clone();
    if config.get_application_name().is_none() {
        config.application_name(APPLICATION_NAME);
    }
    match channel {
        Channel::Plain(stream) => {
            config.ssl_mode(SslMode::Disable);
            open(&config, stream, NoTls, time_limit).await
        }
        Channel::TlsSession(stream) => {
            // tokio-postgres takes this as a stream that begins with TLS, and `Established` skips the handshake, which
            // is done. The stream itself then provides the data for channel binding.
            config.ssl_mode(SslMode::Require).ssl_negotiation(SslNegotiation::Direct);
            open(&config, *stream, Established, time_limit).await
        }
    }
}

async fn open<S, T>(config: &Config, stream: S, tls: T, time_limit: Duration) -> Result<Session, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: TlsConnect<S>,
    T::Stream: Send + 'static,
{
    let (client, connection) = timeout(time_limit, config.connect_raw(stream, tls))
        .await
        .map_err(|_| no_reply("reply to the startup packet", time_limit))?
        .map_err(|error| session_failure(&error))?;
    let connection = AbortOnDropHandle::new(tokio::spawn(async move {
        // The next query reports an error of the connection.
        let _ = connection.await;
    }));
    Ok(Session { client, _connection: connection })
}

/// The failure for a session error.
pub(super) fn session_failure(error: &tokio_postgres::Error) -> Failure {
    if let Some(db_error) = error.as_db_error() {
        let detail = db_error.detail().map(|detail| format!("; {detail}")).unwrap_or_default();
        let text = format!("{} {}: {}{detail}", db_error.severity(), db_error.code().code(), db_error.message());
        return Failure::new(FailureKind::ServerError(db_error.code().code().to_owned()), text);
    }
    let text = explain(error);
    let cause = std::error::Error::source(error);
    if let Some(socket) = cause.and_then(|cause| cause.downcast_ref::<std::io::Error>()) {
        return Failure { text, ..socket_failure(socket) };
    }
    let kind = match &text {
        text if text.contains("password missing") => FailureKind::NoPassword,
        _ if error.is_closed() => FailureKind::Closed,
        _ => FailureKind::Other,
    };
    Failure::new(kind, text)
}

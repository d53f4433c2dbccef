//! Sign-in: startup packet, authentication, and the server's readiness for the first query.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_postgres::config::{SslMode, SslNegotiation};
use tokio_postgres::tls::TlsConnect;
use tokio_postgres::{Client, Config, NoTls};
use tokio_util::task::AbortOnDropHandle;

use super::encryption::{Channel, Established};
use super::{of_socket, silence};
use crate::doctor::facts::{Failure, FailureKind};
use crate::server::explain;

/// By which the doctor is known in `pg_stat_activity`, unless the URL says otherwise.
const APPLICATION_NAME: &str = "pgsquall doctor";

/// An open session; closes when dropped.
pub(super) struct Session {
    pub client: Client,
    _connection: AbortOnDropHandle<()>,
}

pub(super) async fn sign_in(config: &Config, channel: Channel, patience: Duration) -> Result<Session, Failure> {
    let mut config = config.clone();
    if config.get_application_name().is_none() {
        config.application_name(APPLICATION_NAME);
    }
    match channel {
        Channel::Plain(stream) => {
            config.ssl_mode(SslMode::Disable);
            open(&config, stream, NoTls, patience).await
        }
        Channel::Encrypted(stream) => {
            // To tokio-postgres a stream that begins with TLS, which `Established` says is there; so it asks the
            // stream itself for channel binding.
            config.ssl_mode(SslMode::Require).ssl_negotiation(SslNegotiation::Direct);
            open(&config, *stream, Established, patience).await
        }
    }
}

async fn open<S, T>(config: &Config, stream: S, tls: T, patience: Duration) -> Result<Session, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: TlsConnect<S>,
    T::Stream: Send + 'static,
{
    let (client, connection) = timeout(patience, config.connect_raw(stream, tls))
        .await
        .map_err(|_| silence("answer to the startup packet", patience))?
        .map_err(|error| of_session(&error))?;
    let connection = AbortOnDropHandle::new(tokio::spawn(async move {
        // Its error reaches the next question, which reports it.
        let _ = connection.await;
    }));
    Ok(Session { client, _connection: connection })
}

/// What an error of a session comes to.
pub(super) fn of_session(error: &tokio_postgres::Error) -> Failure {
    if let Some(told) = error.as_db_error() {
        let detail = told.detail().map(|detail| format!("; {detail}")).unwrap_or_default();
        let text = format!("{} {}: {}{detail}", told.severity(), told.code().code(), told.message());
        return Failure::new(FailureKind::Told(told.code().code().to_owned()), text);
    }
    let text = explain(error);
    let cause = std::error::Error::source(error);
    if let Some(socket) = cause.and_then(|cause| cause.downcast_ref::<std::io::Error>()) {
        return Failure { text, ..of_socket(socket) };
    }
    let kind = match &text {
        text if text.contains("password missing") => FailureKind::NoPassword,
        _ if error.is_closed() => FailureKind::Closed,
        _ => FailureKind::Other,
    };
    Failure::new(kind, text)
}

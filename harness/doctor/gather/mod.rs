//! Gathering: connects stage by stage as a client does, and then queries the server.
//!
//! Judges nothing. Every wait has the examination's time limit.

mod certificate;
mod dial;
mod lookup;
mod queries;
mod sign_in;
mod system;
mod tls;
mod trust;

use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::time::timeout;

use self::tls::Channel;
use super::facts::{Facts, Failure, FailureKind, Timed};
use super::target::{SslMode, Target};

/// Gathers facts until a stage fails.
pub(super) async fn gather(target: &Target, time_limit: Duration) -> Facts {
    let mut facts = Facts {
        host: target.host.clone(),
        redacted: target.redacted(),
        client_settings: target.client_settings.clone(),
        tls: target.tls.clone(),
        unused: target.unused.clone(),
        system: system::keepalive(),
        client_certificate: target.tls.identity.as_ref().map(|(path, _)| certificate::read_file(path)),
        lookup: None,
        dials: Vec::new(),
        negotiations: Vec::new(),
        sign_in: None,
        server_facts: None,
        local: None,
    };
    if let Some(channel) = connect(target, time_limit, &mut facts).await {
        let signed_in = timed(sign_in::sign_in(&target.config, channel, time_limit)).await;
        let (session, result) = match signed_in.result {
            Ok(session) => (Some(session), Ok(())),
            Err(failure) => (None, Err(failure)),
        };
        facts.sign_in = Some(Timed { took: signed_in.took, result });
        if let Some(session) = session {
            facts.server_facts = Some(queries::query_all(&session, time_limit).await);
        }
    }
    facts
}

/// DNS, TCP and TLS; returns a channel if all succeed.
async fn connect(target: &Target, time_limit: Duration, facts: &mut Facts) -> Option<Channel> {
    let addresses = match target.address {
        Some(address) => vec![address],
        None => {
            let found = timed(lookup::lookup(&target.host, target.port, time_limit)).await;
            let addresses = found.result.clone().unwrap_or_default();
            facts.lookup = Some(found);
            addresses
        }
    };
    let (dials, stream) = dial::dial(&addresses, target.port, time_limit).await;
    facts.dials = dials;
    let stream = stream?;
    facts.local = stream.local_addr().ok();
    let server = stream.peer_addr().ok()?;
    let (negotiated, channel) = tls::negotiate(stream, target, target.tls.mode, time_limit).await;
    let failed = negotiated.result.as_ref().is_err_and(|failure| failure.kind != FailureKind::NoReply);
    facts.negotiations.push(negotiated);
    if !(failed && target.tls.mode == SslMode::Prefer) {
        return channel;
    }
    // Like libpq, repeats the connection without TLS if it was only preferred. After a timeout libpq gives up.
    let stream = timeout(time_limit, TcpStream::connect(server)).await.ok()?.ok()?;
    facts.local = stream.local_addr().ok();
    let (negotiated, channel) = tls::negotiate(stream, target, SslMode::Disable, time_limit).await;
    facts.negotiations.push(negotiated);
    channel
}

async fn timed<T>(work: impl Future<Output = T>) -> Timed<T> {
    let began = Instant::now();
    let result = work.await;
    Timed { took: began.elapsed(), result }
}

/// The failure for a socket error.
fn socket_failure(error: &std::io::Error) -> Failure {
    use std::io::ErrorKind;
    let kind = match error.kind() {
        ErrorKind::ConnectionRefused => FailureKind::Refused,
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => FailureKind::Unreachable,
        ErrorKind::TimedOut => FailureKind::NoReply,
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof => FailureKind::Closed,
        _ => FailureKind::Other,
    };
    Failure::new(kind, error.to_string())
}

/// The failure for a missing reply; `waited_for` names it.
fn no_reply(waited_for: &str, time_limit: Duration) -> Failure {
    Failure::new(FailureKind::NoReply, format!("no {waited_for} within {}", crate::model::time::show(time_limit)))
}

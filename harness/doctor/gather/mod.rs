//! Gathering: the way in, stage by stage as a client takes it, and then questions to the server.
//!
//! Judges nothing. Every wait is bounded by the examination's patience.

mod certificate;
mod dial;
mod encryption;
mod lookup;
mod questions;
mod sign_in;
mod system;
mod trust;

use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::time::timeout;

use self::encryption::Channel;
use super::facts::{Facts, Failure, FailureKind, Timed};
use super::target::{SslMode, Target};

/// Goes as far as there is a way.
pub(super) async fn gather(target: &Target, patience: Duration) -> Facts {
    let mut facts = Facts {
        host: target.host.clone(),
        shown: target.shown(),
        wishes: target.wishes.clone(),
        encryption: target.encryption.clone(),
        unused: target.unused.clone(),
        system: system::keepalive(),
        client_certificate: target.encryption.identity.as_ref().map(|(path, _)| certificate::of_file(path)),
        lookup: None,
        dials: Vec::new(),
        negotiations: Vec::new(),
        sign_in: None,
        answers: None,
        local: None,
    };
    if let Some(channel) = way_in(target, patience, &mut facts).await {
        let signed_in = timed(sign_in::sign_in(&target.config, channel, patience)).await;
        let (session, result) = match signed_in.result {
            Ok(session) => (Some(session), Ok(())),
            Err(failure) => (None, Err(failure)),
        };
        facts.sign_in = Some(Timed { took: signed_in.took, result });
        if let Some(session) = session {
            facts.answers = Some(questions::ask(&session, patience).await);
        }
    }
    facts
}

/// DNS, TCP and TLS; a channel where all of them let us through.
async fn way_in(target: &Target, patience: Duration, facts: &mut Facts) -> Option<Channel> {
    let addresses = match target.address {
        Some(address) => vec![address],
        None => {
            let found = timed(lookup::lookup(&target.host, target.port, patience)).await;
            let addresses = found.result.clone().unwrap_or_default();
            facts.lookup = Some(found);
            addresses
        }
    };
    let (dials, stream) = dial::dial(&addresses, target.port, patience).await;
    facts.dials = dials;
    let stream = stream?;
    facts.local = stream.local_addr().ok();
    let again = stream.peer_addr().ok()?;
    let (negotiated, channel) = encryption::negotiate(stream, target, target.encryption.mode, patience).await;
    let failed = negotiated.result.as_ref().is_err_and(|failure| failure.kind != FailureKind::Silence);
    facts.negotiations.push(negotiated);
    if !(failed && target.encryption.mode == SslMode::Prefer) {
        return channel;
    }
    // As libpq does: what was only preferred is left out, on a new connection. Where nothing answers it gives up.
    let stream = timeout(patience, TcpStream::connect(again)).await.ok()?.ok()?;
    facts.local = stream.local_addr().ok();
    let (negotiated, channel) = encryption::negotiate(stream, target, SslMode::Disable, patience).await;
    facts.negotiations.push(negotiated);
    channel
}

async fn timed<T>(work: impl Future<Output = T>) -> Timed<T> {
    let began = Instant::now();
    let result = work.await;
    Timed { took: began.elapsed(), result }
}

/// What an error of a socket comes to.
fn of_socket(error: &std::io::Error) -> Failure {
    use std::io::ErrorKind;
    let kind = match error.kind() {
        ErrorKind::ConnectionRefused => FailureKind::Refused,
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => FailureKind::Unreachable,
        ErrorKind::TimedOut => FailureKind::Silence,
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof => FailureKind::Closed,
        _ => FailureKind::Other,
    };
    Failure::new(kind, error.to_string())
}

/// Nothing came in time; `waited_for` is what was to come.
fn silence(waited_for: &str, patience: Duration) -> Failure {
    Failure::new(FailureKind::Silence, format!("no {waited_for} within {}", crate::model::time::show(patience)))
}

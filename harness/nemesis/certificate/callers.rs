//! Connections that the server received and did not authorize, by its log.
//!
//! Rejected connections are counted in the server's log. A client that refuses a certificate need not send an alert
//! (libpq compares names after the handshake and leaves), so connections without a session are counted; the harness's
//! own probes are whole sessions for that reason.

use std::collections::BTreeSet;

use super::super::{NemesisError, decisive, supporting};
use crate::environment::Environment;
use crate::model::history::Evidence;
use crate::server::LogLine;

/// The server's log line for a certificate that it refuses, in every version of TLS.
///
/// *Source*: `be_tls_open_server`; the reason is OpenSSL's own (measured on 15 and 17).
const REFUSED: &str = "could not accept SSL connection: certificate verify failed";

/// Its error for a client that shows none: some libraries show none that the server's list of authorities does not cover.
///
/// *Source*: `check_hba` and `ClientAuthentication`, SQLSTATE 28000.
const NONE_SHOWN: &str = "connection requires a valid client certificate";

/// Its log line for a peer that left in the middle of the handshake, or with an RST after it.
const GONE: &str = "could not receive data from client";

/// Part of its log line for a peer that sent an alert because it refuses the server's certificate.
const ALERT: &str = "alert";

/// Watches connections to the server from one moment on, and no longer than to another.
#[derive(Default)]
pub(super) struct Callers {
    from: usize,
    to: Option<usize>,
}

impl Callers {
    /// Begins to watch now.
    pub async fn watch(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        self.from = environment.server().log().await?.len();
        Ok(())
    }

    /// Stops watching: a connection from now on meets the server healed.
    pub async fn enough(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        self.to = Some(environment.server().log().await?.len());
        Ok(())
    }

    /// Lines that the server logged meanwhile, and those since.
    async fn lines(&self, environment: &Environment) -> Result<(Vec<LogLine>, Vec<LogLine>), NemesisError> {
        let mut meanwhile = environment.server().log().await?;
        let since = meanwhile.split_off(self.to.unwrap_or(usize::MAX).min(meanwhile.len()));
        Ok((meanwhile.split_off(self.from.min(meanwhile.len())), since))
    }

    /// Certificates of the client that the server refused, or that the client did not even show. No other client has one.
    pub async fn refused(&self, environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        let (lines, _) = self.lines(environment).await?;
        let count = |words: &str| lines.iter().filter(|line| line.text.contains(words)).count();
        let none = match count(NONE_SHOWN) {
            0 => None,
            none => Some(decisive("sign-ins refused with 28000, for want of a certificate", none)),
        };
        let refused = decisive("certificates of the client refused by the server", count(REFUSED));
        Ok([Some(refused), none].into_iter().flatten().collect())
    }

    /// Connections that the client left before it signed in: it refused the server's certificate. Every other
    /// connection verifies nothing, and signs in.
    pub async fn left(&self, environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        let (lines, since) = self.lines(environment).await?;
        let alerts = lines.iter().filter(|line| is_alert(line)).count();
        Ok(vec![
            decisive("connections that the client left before it signed in", left(&lines, &since)),
            supporting("alerts from the client", alerts),
        ])
    }

    /// Sessions over TLS that the client began.
    pub async fn begun(&self, environment: &Environment) -> Result<usize, NemesisError> {
        let session = format!("connection authorized: user={} ", environment.address.user);
        let (lines, _) = self.lines(environment).await?;
        Ok(lines.iter().filter(|line| line.text.contains(&session) && line.text.contains("SSL enabled")).count())
    }
}

fn is_alert(line: &LogLine) -> bool {
    line.text.contains("could not accept SSL connection") && line.text.contains(ALERT)
}

/// Connections that came meanwhile, of which nothing was heard, then or since, but that their handshake failed.
fn left(lines: &[LogLine], since: &[LogLine]) -> usize {
    let came: BTreeSet<i32> =
        lines.iter().filter(|line| line.text.contains("connection received:")).map(|line| line.pid).collect();
    let silent = ["connection received:", "could not accept SSL connection", GONE];
    let spoke = |line: &&LogLine| !silent.iter().any(|words| line.text.contains(words));
    let spoken: BTreeSet<i32> = lines.iter().chain(since).filter(spoke).map(|line| line.pid).collect();
    came.difference(&spoken).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorized_or_refused_connections_have_not_left() {
        let line = |pid, text: &str| LogLine { pid, sqlstate: "00000".into(), role: String::new(), text: text.into() };
        let lines = [
            line(1, "LOG:  connection received: host=127.0.0.1 port=1"),
            line(2, "LOG:  connection received: host=127.0.0.1 port=2"),
            line(2, "LOG:  could not accept SSL connection: sslv3 alert certificate expired"),
            line(3, "LOG:  connection received: host=[local]"),
            line(3, "LOG:  connection authorized: user=postgres database=postgres"),
            line(4, "LOG:  connection received: host=127.0.0.1 port=4"),
            line(5, "LOG:  connection received: host=127.0.0.1 port=5"),
            line(6, "LOG:  connection received: host=127.0.0.1 port=6"),
            line(6, "LOG:  could not receive data from client: Connection reset by peer"),
            line(4, "FATAL:  password authentication failed for user \"squall\""),
        ];
        let since = [line(5, "LOG:  connection authorized: user=squall database=squall")];
        assert_eq!((left(&lines, &since), lines.iter().filter(|line| is_alert(line)).count()), (3, 1));
    }
}

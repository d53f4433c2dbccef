//! What became of the connections to a server: refused, left before sign-in, or signed in. Read from the server's
//! log.
//!
//! A client that refuses the server's certificate need not send an alert (libpq compares names after the handshake
//! and leaves), so connections that never become a session are counted. The harness's own probes always sign in, so
//! that they are not counted.

use std::collections::BTreeSet;

use super::super::{NemesisError, decisive, supporting};
use crate::environment::Environment;
use crate::model::history::Evidence;
use crate::server::LogLine;

/// Part of the server's log line for a client certificate that it refuses, in every version of TLS.
///
/// *Source*: `be_tls_open_server`; the reason is OpenSSL's own (measured on 15 and 17).
const REFUSED: &str = "could not accept SSL connection: certificate verify failed";

/// Part of the server's error for a client that sends no certificate. Some libraries send none if the server's list
/// of authorities does not include its issuer.
///
/// *Source*: `check_hba` and `ClientAuthentication`, SQLSTATE 28000.
const NONE_SHOWN: &str = "connection requires a valid client certificate";

/// Part of the server's log line for a peer that left in the middle of the handshake, or with an RST after it.
const GONE: &str = "could not receive data from client";

/// Part of the server's log line for a peer that sent an alert because it refuses the server's certificate.
const ALERT: &str = "alert";

/// The lines that the server has logged between two moments; the second is optional.
#[derive(Default)]
pub(super) struct Callers {
    from: usize,
    to: Option<usize>,
}

impl Callers {
    /// Starts watching now.
    pub async fn watch(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        self.from = environment.server().log().await?.len();
        Ok(())
    }

    /// Stops watching, because later connections find the server healed.
    pub async fn enough(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        self.to = Some(environment.server().log().await?.len());
        Ok(())
    }

    /// Returns the lines logged between the two moments, and those after.
    async fn lines(&self, environment: &Environment) -> Result<(Vec<LogLine>, Vec<LogLine>), NemesisError> {
        let mut meanwhile = environment.server().log().await?;
        let since = meanwhile.split_off(self.to.unwrap_or(usize::MAX).min(meanwhile.len()));
        Ok((meanwhile.split_off(self.from.min(meanwhile.len())), since))
    }

    /// Counts client certificates that the server refused, and sign-ins refused because the client sent none. The
    /// client under test is the only one with a certificate.
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

    /// Counts connections that ended before sign-in, because the client refused the server's certificate. All
    /// connections of the harness skip verification, and sign in.
    pub async fn left(&self, environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        let (lines, since) = self.lines(environment).await?;
        let alerts = lines.iter().filter(|line| is_alert(line)).count();
        Ok(vec![
            decisive("connections that the client left before it signed in", left(&lines, &since)),
            supporting("alerts from the client", alerts),
        ])
    }

    /// Returns the number of the client's sessions over TLS.
    pub async fn begun(&self, environment: &Environment) -> Result<usize, NemesisError> {
        let session = format!("connection authorized: user={} ", environment.address.user);
        let (lines, _) = self.lines(environment).await?;
        Ok(lines.iter().filter(|line| line.text.contains(&session) && line.text.contains("SSL enabled")).count())
    }
}

fn is_alert(line: &LogLine) -> bool {
    line.text.contains("could not accept SSL connection") && line.text.contains(ALERT)
}

/// Returns the number of connections received in `lines` for which neither `lines` nor `since` has any other line
/// than a failed handshake.
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

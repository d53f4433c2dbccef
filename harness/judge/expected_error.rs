//! The error that a client must report for each persistent fault.

use super::certificate_words;
use super::facts::Facts;
use crate::model::fault::{ExpectedError, FaultKind};
use crate::model::history::{ErrorKind, OpError};

/// The error by which operations must report a persistent fault.
///
/// A matching message suffices, because libpq and the clients built on it give no code for a failed connect.
pub(super) struct Expected {
    /// The event to report, for findings: "the server reported 28P01".
    pub fact: String,
    /// The error to report: "28P01".
    pub name: &'static str,
    code: Option<&'static str>,
    kind: Option<ErrorKind>,
    /// Phrases in lower case, one of which must be in the message.
    words: &'static [&'static str],
}

impl Expected {
    /// Whether `error` is the expected one, by its code, kind or message.
    pub fn matches_error(&self, error: &OpError) -> bool {
        let message = error.message.to_lowercase();
        self.code.is_some_and(|code| error.sqlstate.as_deref() == Some(code))
            || self.kind.is_some_and(|kind| error.kind == kind)
            || self.words.iter().any(|words| message.contains(words))
    }
}

/// The error to report for the faults of this run; `None` if none of them causes an error of its own.
pub(super) fn of(facts: &Facts) -> Option<Expected> {
    facts.header.faults.iter().find_map(|fault| of_kind(fault.kind))
}

/// *Source*: measured, for the server's messages; for refusals, timeouts and unresolved names, the messages of libraries for
/// ECONNREFUSED, ETIMEDOUT, EAI_NONAME and EAI_AGAIN.
fn of_kind(kind: FaultKind) -> Option<Expected> {
    Some(match kind.spec().error {
        ExpectedError::None => return None,
        ExpectedError::Server { code, words } => {
            Expected { fact: format!("the server reported {code}"), name: code, code: Some(code), kind: None, words }
        }
        ExpectedError::Refused => Expected {
            fact: "connections were refused".to_owned(),
            name: "a refused connection",
            code: None,
            kind: Some(ErrorKind::Refused),
            // "Connection refused", ECONNREFUSED, "actively refused it", "ConnectionRefusedError".
            words: &["refused"],
        },
        // Dropped packets have no code either: the client can only report a timeout.
        ExpectedError::TimedOut => Expected {
            fact: "the client's packets were dropped".to_owned(),
            name: "a connect timeout",
            code: None,
            kind: Some(ErrorKind::Timeout),
            // "timeout expired" (libpq), "Connect timed out" (JDBC), "i/o timeout" and "deadline exceeded" (Go),
            // ETIMEDOUT.
            words: &["timed out", "timeout", "time-out", "timedout", "took longer", "deadline"],
        },
        ExpectedError::Unresolved => Expected {
            fact: "the host name did not resolve".to_owned(),
            name: "a name that does not resolve",
            code: None,
            kind: None,
            words: RESOLUTION,
        },
        // TLS libraries have no common code.
        ExpectedError::Certificate(fault) => Expected {
            fact: "a certificate was refused".to_owned(),
            name: kind.word(),
            code: None,
            kind: None,
            words: certificate_words::words(fault),
        },
    })
}

/// Messages of resolvers and libraries for a name that does not resolve.
const RESOLUTION: &[&str] = &[
    // libpq; its message ends with one of the resolver's.
    "could not translate host name",
    // getaddrinfo of glibc, musl and macOS: EAI_NONAME, EAI_NODATA, EAI_AGAIN.
    "name or service not known",
    "name does not resolve",
    "nodename nor servname",
    "no address associated with hostname",
    "temporary failure in name resolution",
    // Rust, Python, Node, Go, Java, .NET, Ruby.
    "failed to lookup address",
    "getaddrinfo",
    "enotfound",
    "eai_again",
    "no such host",
    "unknownhost",
    "unknown host",
    "failed to resolve",
    "could not resolve",
    "name resolution",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::fault::{Scope, Stream};

    fn told(kind: FaultKind, error: &OpError) -> bool {
        of_kind(kind).is_some_and(|expected| expected.matches_error(error))
    }

    fn says(message: &str) -> OpError {
        OpError::new(ErrorKind::Other, message)
    }

    #[test]
    fn fault_is_recognized_by_code_or_message() {
        let server = |code: &str| OpError::new(ErrorKind::Server, "no").with_sqlstate(code);
        let cases = [
            (FaultKind::WrongUser, "28P01", "FATAL:  password authentication failed for user \"u\""),
            (FaultKind::WrongDatabase, "3D000", "FATAL:  database \"d\" does not exist"),
            (FaultKind::ForbidLogin, "28000", "FATAL:  role \"u\" is not permitted to log in"),
            (FaultKind::RevokeConnect, "42501", "FATAL:  permission denied for database \"d\""),
            (FaultKind::DenyHost, "28000", "FATAL:  no pg_hba.conf entry for host \"127.0.0.1\", user \"u\""),
            (FaultKind::DenyRange, "28000", "FATAL:  no pg_hba.conf entry for host \"127.0.0.1\", user \"u\""),
            (FaultKind::RequireTls, "28000", "FATAL:  no pg_hba.conf entry for host \"127.0.0.1\", no encryption"),
        ];
        for (kind, code, words) in cases {
            assert!(told(kind, &server(code)) && told(kind, &says(words)), "{kind}");
            let wrong = if code == "28P01" { "28000" } else { "28P01" };
            assert!(!told(kind, &server(wrong)) && !told(kind, &says("timed out")), "{kind}");
        }
    }

    #[test]
    fn refusal_is_recognized_by_kind_or_message() {
        assert!(told(FaultKind::Refuse, &OpError::new(ErrorKind::Refused, "os error 111")));
        assert!(told(FaultKind::Refuse, &says("connect ECONNREFUSED 127.0.0.1:5432")));
        assert!(!told(FaultKind::Refuse, &OpError::new(ErrorKind::Timeout, "pool timed out")));
    }

    #[test]
    fn blackhole_is_recognized_by_timeout() {
        let silence = FaultKind::Blackhole { stream: Stream::Upstream, scope: Scope::Every };
        assert!(told(silence, &OpError::new(ErrorKind::Timeout, "no answer")));
        for words in
            ["connection to server failed: timeout expired", "Connect timed out.", "connect ETIMEDOUT 10.0.0.1"]
        {
            assert!(told(silence, &says(words)), "{words}");
        }
        assert!(!told(silence, &OpError::new(ErrorKind::Closed, "the pool is closed")));
    }

    #[test]
    fn unresolved_name_is_recognized_by_message() {
        for words in [
            "error connecting to server: failed to lookup address information: Name or service not known",
            "could not translate host name \"pgsquall.invalid\" to address: Name or service not known",
            "[Errno -3] Temporary failure in name resolution",
            "getaddrinfo ENOTFOUND pgsquall.invalid",
            "dial tcp: lookup pgsquall.invalid: no such host",
            "java.net.UnknownHostException: pgsquall.invalid",
        ] {
            assert!(told(FaultKind::WrongHost, &says(words)), "{words}");
        }
        assert!(!told(FaultKind::WrongHost, &says("connection refused")));
    }
}

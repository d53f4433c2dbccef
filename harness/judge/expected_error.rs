//! What a caller must be told of each persistent fault.

use super::certificate_words;
use super::facts::Facts;
use crate::model::fault::{ExpectedError, FaultKind};
use crate::model::history::{ErrorKind, OpError};

/// How a persistent fault must show in what operations report.
pub(super) struct Expected {
    /// What there was to be told, for findings: "the server said 28P01".
    pub fact: String,
    /// What was to be reported: "28P01".
    pub name: &'static str,
    code: Option<&'static str>,
    kind: Option<ErrorKind>,
    /// Of which one must be in the message, in small letters.
    words: &'static [&'static str],
}

impl Expected {
    /// Whether an error tells it.
    pub fn is_told_by(&self, error: &OpError) -> bool {
        let message = error.message.to_lowercase();
        self.code.is_some_and(|code| error.sqlstate.as_deref() == Some(code))
            || self.kind.is_some_and(|kind| error.kind == kind)
            || self.words.iter().any(|words| message.contains(words))
    }
}

/// What must be told of the faults of this run; `None` where none of them has a face of its own.
pub(super) fn of(facts: &Facts) -> Option<Expected> {
    facts.header.faults.iter().find_map(|fault| of_kind(fault.kind))
}

/// *Source*: measured, for the server's words; for a refusal, silence, and a name that does not resolve, what libraries
/// make of ECONNREFUSED, ETIMEDOUT, EAI_NONAME and EAI_AGAIN.
fn of_kind(kind: FaultKind) -> Option<Expected> {
    Some(match kind.spec().error {
        ExpectedError::None => return None,
        ExpectedError::Server { code, words } => {
            Expected { fact: format!("the server said {code}"), name: code, code: Some(code), kind: None, words }
        }
        ExpectedError::Refused => Expected {
            fact: "connections were refused".to_owned(),
            name: "a refused connection",
            code: None,
            kind: Some(ErrorKind::Refused),
            // "Connection refused", ECONNREFUSED, "actively refused it", "ConnectionRefusedError".
            words: &["refused"],
        },
        // Silence has no code either: all that can be told is that a wait for it is over.
        ExpectedError::TimedOut => Expected {
            fact: "the client's packets were dropped".to_owned(),
            name: "a connect that timed out",
            code: None,
            kind: Some(ErrorKind::Timeout),
            // "timeout expired" (libpq), "Connect timed out" (JDBC), "i/o timeout" and "deadline exceeded" (Go),
            // ETIMEDOUT.
            words: &["timed out", "timeout", "time-out", "timedout", "took longer", "deadline"],
        },
        ExpectedError::Unresolved => Expected {
            fact: "the name of the host did not resolve".to_owned(),
            name: "a name that does not resolve",
            code: None,
            kind: None,
            words: RESOLUTION,
        },
        // TLS libraries have no code in common.
        ExpectedError::Certificate(fault) => Expected {
            fact: "a certificate was refused".to_owned(),
            name: kind.word(),
            code: None,
            kind: None,
            words: certificate_words::words(fault),
        },
    })
}

/// What resolvers and libraries say of a name that does not resolve.
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
        of_kind(kind).is_some_and(|expected| expected.is_told_by(error))
    }

    fn says(message: &str) -> OpError {
        OpError::new(ErrorKind::Other, message)
    }

    #[test]
    fn a_fault_is_told_by_its_code_or_by_its_words() {
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
    fn a_refusal_is_told_by_its_kind_or_by_the_word() {
        assert!(told(FaultKind::Refuse, &OpError::new(ErrorKind::Refused, "os error 111")));
        assert!(told(FaultKind::Refuse, &says("connect ECONNREFUSED 127.0.0.1:5432")));
        assert!(!told(FaultKind::Refuse, &OpError::new(ErrorKind::Timeout, "pool timed out")));
    }

    #[test]
    fn silence_is_told_as_a_wait_that_is_over() {
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
    fn a_name_that_does_not_resolve_is_told_in_the_words_of_many_libraries() {
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

//! Converts any library's error to an [`OpError`]: searches the chain of causes for an error of tokio-postgres, which
//! may carry a SQLSTATE, for an I/O error, and for an expired timeout of tokio.

use std::error::Error;
use std::io;

use crate::model::history::{ErrorKind, OpError};

impl<E: Error + 'static> From<E> for OpError {
    fn from(error: E) -> OpError {
        let mut kind = None;
        let mut sqlstate = None;
        let mut message = error.to_string();
        let mut next: Option<&(dyn Error + 'static)> = Some(&error);
        while let Some(cause) = next {
            let text = cause.to_string();
            if !message.contains(&text) {
                message = format!("{message}: {text}");
            }
            if let Some(error) = cause.downcast_ref::<tokio_postgres::Error>() {
                sqlstate = sqlstate.or_else(|| error.code().map(|code| code.code().to_owned()));
                if error.is_closed() {
                    kind = kind.or(Some(ErrorKind::Closed));
                }
            } else if let Some(error) = cause.downcast_ref::<io::Error>() {
                kind = io_kind(error).or(kind);
            } else if cause.is::<tokio::time::error::Elapsed>() {
                kind = kind.or(Some(ErrorKind::Timeout));
            }
            next = cause.source();
        }
        let kind = match (&sqlstate, kind) {
            (Some(_), _) => ErrorKind::Server,
            (None, kind) => kind.unwrap_or(ErrorKind::Other),
        };
        OpError { message, kind, sqlstate, retryable: None }
    }
}

fn io_kind(error: &io::Error) -> Option<ErrorKind> {
    Some(match error.kind() {
        io::ErrorKind::ConnectionRefused => ErrorKind::Refused,
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe => {
            ErrorKind::Reset
        }
        io::ErrorKind::UnexpectedEof => ErrorKind::Closed,
        io::ErrorKind::TimedOut => ErrorKind::Timeout,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("pool: cannot connect")]
    struct Wrapped(#[source] io::Error);

    #[test]
    fn cause_is_found_under_a_wrapping_error() {
        let error = OpError::from(Wrapped(io::ErrorKind::ConnectionRefused.into()));
        assert_eq!(error.kind, ErrorKind::Refused);
        assert!(error.message.starts_with("pool: cannot connect: "), "{}", error.message);
        assert_eq!(error.retryable, None);
    }
}

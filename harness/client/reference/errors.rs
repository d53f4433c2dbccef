//! Errors of tokio-postgres, and which of them are worth another attempt.
//!
//! Pure. Holds the rules of the good client; the pool applies them, or ignores them for a planted defect.

use super::encryption::is_certificate_error;
use crate::model::history::OpError;
use crate::model::sqlstate;

/// Converts the error of a connection attempt; a certificate error is marked as not retryable.
pub(super) fn from_postgres_error(error: tokio_postgres::Error) -> OpError {
    let is_final = is_certificate_error(&error);
    let error = OpError::from(error);
    // A refused certificate stays refused until it is replaced.
    if is_final { error.with_retryable(false) } else { error }
}

/// Whether the statement reached a server that takes no writes.
pub(super) fn is_wrong_node(error: &OpError) -> bool {
    error.sqlstate.as_deref() == Some(sqlstate::READ_ONLY)
}

/// Whether another attempt may succeed: not if the server has refused the request for good, or a certificate was
/// refused.
pub(super) fn is_worth_retrying(error: &OpError) -> bool {
    match error.sqlstate.as_deref() {
        // Not a transient code, because a role may be read-only for good; but another connection may lead to the server
        // that takes writes now.
        Some(sqlstate::READ_ONLY) => true,
        // The transaction was idle because the network delayed it: the pool itself leaves no transaction idle.
        Some("25P03") => true,
        None if error.retryable == Some(false) => false,
        Some(code) => sqlstate::is_transient(code) || !sqlstate::proves_no_effect(code),
        None => true,
    }
}

/// Whether the session can be used again: only its statement was cancelled. After any other error a new connection is
/// the safer choice, and may lead to another server.
pub(super) fn session_is_intact(error: &OpError) -> bool {
    error.sqlstate.as_deref() == Some("57014")
}

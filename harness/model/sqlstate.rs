//! The meaning of a SQLSTATE for the operation that received it.
//!
//! Whether a code is transient or persistent often depends on the circumstances; these lists contain the codes for
//! which it does not.
//!
//! *Source*: PostgreSQL manual, appendix "PostgreSQL Error Codes"; when the server sends which code was measured.

/// A transaction is begun inside an open transaction.
pub const ACTIVE_TRANSACTION: &str = "25001";

/// A write on a read-only server: a standby, or a demoted primary.
pub const READ_ONLY: &str = "25006";

/// A statement in a failed transaction that has not been rolled back.
pub const FAILED_TRANSACTION: &str = "25P02";

/// Whether the code proves that the statement had no effect, because the server refused it or rolled it back.
///
/// Errors that end a session (57P01, 57P02) are left out: they can arrive after a commit was made durable.
pub fn proves_no_effect(code: &str) -> bool {
    const CLASSES: [&str; 9] = ["0A", "22", "23", "25", "28", "3D", "40", "42", "53"];
    matches!(code, "57014" | "57P03") || CLASSES.iter().any(|class| code.starts_with(class))
}

/// Whether an error is caused by the connection, the session or the server, not by the statement: any statement can
/// get it, and a correct reconnect ends it.
///
/// Includes a failed transaction that was not rolled back (25P02), a standby mistaken for a primary (25006), and a
/// prepared statement of another session (26000). Excludes violated constraints, conflicts and mistakes in the
/// statement.
pub fn is_of_the_session(code: &str) -> bool {
    const CLASSES: [&str; 11] = ["08", "25", "26", "28", "3D", "53", "57", "58", "72", "F0", "XX"];
    CLASSES.iter().any(|class| code.starts_with(class))
}

/// Whether the condition passes by itself, so that a client that reports the code as not retryable is wrong.
///
/// Excludes codes that are transient only in some cases, or on which careful clients disagree: 25P03 and 25P04 (the
/// next transaction may be as slow), 57014 (so may the next statement), 53200 (a query may need more memory than the
/// machine has), 53100 (an operator must free disk space), 55006 (another session may keep using the object), 28000
/// (one vendor sends it during a reboot).
pub fn is_transient(code: &str) -> bool {
    matches!(code, "57P01" | "57P02" | "57P03" | "57P05" | "53300" | "40001" | "40P01") || code.starts_with("08")
}

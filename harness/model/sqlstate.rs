//! The meaning of a SQLSTATE for the operation that got it.
//!
//! A code alone never tells transient from persistent for good; these lists are the cases that do not
//! depend on the circumstances.
//!
//! *Source*: PostgreSQL manual, appendix "PostgreSQL Error Codes"; which code comes when was measured.

/// A transaction is begun though one is open already.
pub const ACTIVE_TRANSACTION: &str = "25001";

/// A statement that writes, where nothing may: on a standby, or a primary that was demoted.
pub const READ_ONLY: &str = "25006";

/// A statement in a transaction that has failed, and has not been rolled back.
pub const FAILED_TRANSACTION: &str = "25P02";

/// Whether the code proves that the statement had no effect, because the server refused it or rolled it back.
///
/// Errors that end a session (57P01, 57P02) are left out: they can arrive after a commit was made durable.
pub fn proves_no_effect(code: &str) -> bool {
    const CLASSES: [&str; 9] = ["0A", "22", "23", "25", "28", "3D", "40", "42", "53"];
    matches!(code, "57014" | "57P03") || CLASSES.iter().any(|class| code.starts_with(class))
}

/// Whether an error is about the connection, the session or the server, and not of the statement's own making: one that
/// careful statements get as well, and that a correct reconnect ends.
///
/// In it are a transaction left failed (25P02), a standby taken for a primary (25006), and a prepared statement that was
/// another session's (26000). A constraint, a conflict or a mistake in the statement is not.
pub fn is_of_the_session(code: &str) -> bool {
    const CLASSES: [&str; 11] = ["08", "25", "26", "28", "3D", "53", "57", "58", "72", "F0", "XX"];
    CLASSES.iter().any(|class| code.starts_with(class))
}

/// Whether a client that calls the code final is wrong: the condition passes by itself.
///
/// Left out is what passes in some cases alone, and what careful clients disagree on: 25P03 and 25P04 (the next
/// transaction may be as slow), 57014 (so may the next statement), 53200 (a query may be too big for any memory), 53100
/// (an operator must free the disk), 55006 (the session that uses it may go on), 28000 (one vendor has it during a reboot).
pub fn is_transient(code: &str) -> bool {
    matches!(code, "57P01" | "57P02" | "57P03" | "57P05" | "53300" | "40001" | "40P01") || code.starts_with("08")
}

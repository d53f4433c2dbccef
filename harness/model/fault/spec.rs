//! The table of faults: every property of a kind except how it is injected.
//!
//! This file defines the columns. The rows are next to the enums of their kinds ([`super::kind`], `network`, `toxic`,
//! `certificate`, `failover`, `packets`, `expiry`). No column has a default, so that a new kind needs a decision for
//! each. Nothing here injects a fault: `nemesis` does.

use super::{CertificateFault, FaultKind, IdleStyle, Key, KeyError, Values};
use crate::model::plane::Fidelity;

/// The row of one kind of fault. A kind may have several rows with the same word if a value of it changes a column
/// (`restart` in mode immediate).
#[derive(Clone, Copy, Debug)]
pub struct FaultSpec {
    /// The word used in scenario files.
    pub word: &'static str,
    pub acts: Acts,
    pub course: Course,
    /// The fidelity that the fault requires of a plane.
    pub fidelity: Fidelity,
    pub entry: Entry,
    pub memory: Memory,
    pub operations: Operations,
    pub failures: Failures,
    pub needs: Need,
    pub remedy: Remedy,
    pub error: ExpectedError,
    pub shape: Shape,
}

/// Where a fault acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acts {
    /// On the path to the server, so that any server can be used.
    Path,
    /// On the name by which the client knows its server.
    Name,
    /// On a middlebox in the path, so that the scenario must have one.
    Middlebox,
    /// In the server, including the client's role, password and certificates.
    Server,
}

/// When a fault is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Course {
    /// Over as soon as it is injected: there is nothing to heal.
    Instant,
    /// In force until it is healed.
    Lasting,
    /// In force from before the client starts until it is healed, although it is not persistent: it tests how the
    /// client starts rather than whether it recovers.
    Arranged,
    /// Cannot be healed while the client runs.
    Permanent,
}

/// Whether the gateway accepts new connections while the fault is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    Open,
    /// It accepts none, so that another fault that blocks them must wait.
    Blocked,
}

/// Whether the server keeps its memory. If it does not, only data that it had flushed to disk survives, so the server
/// must run with its durability settings (`fsync`) on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    Kept,
    Lost,
}

/// Whether operations can succeed while the fault is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operations {
    /// All of them can, though perhaps slowly.
    Possible,
    Interrupted,
}

/// Whether operations that fail while the fault is in force count as evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failures {
    /// They are evidence of the fault, in addition to what the nemesis counts: an attempt that the kernel refuses is
    /// counted nowhere else.
    Evidence,
    NoEvidence,
}

/// The topology that a fault needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    Nothing,
    /// A client with one address: with several, the fault would affect only one of them.
    OneAddress,
    /// A client that knows its server by a name.
    Name,
    /// A name that does not resolve.
    UnresolvableHost,
    /// A server that speaks TLS.
    Tls,
    /// A client that verifies certificates.
    VerifiedTls,
    /// A client that verifies certificates and has one.
    ClientCertificate,
    /// A client that reads its password from a file.
    PasswordFile,
    /// A disk that can be filled.
    SmallDisk,
    /// Addresses of these hosts; `by_name`: whether a host name that resolves to them can replace them.
    Addresses {
        hosts: Hosts,
        by_name: bool,
    },
}

/// The addresses that a failover needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hosts {
    Any,
    AtLeastTwo,
    PrimaryAlone,
    StandbyAlone,
    /// The standby first, and the primary after it.
    StandbyFirst,
    /// An address without a server first.
    NobodyFirst,
}

/// The usual cure for a client that does not recover from the fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// The general advice.
    General,
    /// The advice for a device that ends idle connections in this way.
    IdleDevice(IdleStyle),
    Advice(&'static str),
}

/// The error by which a client reports a persistent fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpectedError {
    /// No error specific to the fault.
    None,
    /// The server's SQLSTATE, or its message: libpq, and drivers built on it, report no code for a failed connect. The
    /// message, in lower case, must contain one of `words`.
    Server { code: &'static str, words: &'static [&'static str] },
    /// ECONNREFUSED.
    Refused,
    /// A timeout.
    TimedOut,
    /// A name that does not resolve.
    Unresolved,
    /// The message of a TLS library for this fault of a certificate.
    Certificate(CertificateFault),
}

/// The keys of a fault in a scenario file beyond `kind`, `at` and `for`, and the function that builds the fault from
/// them.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub keys: &'static [Key],
    pub build: fn(&Values) -> Result<FaultKind, KeyError>,
}

impl FaultSpec {
    /// Every kind that a scenario file can name, in the order in which errors list them.
    pub fn all() -> impl Iterator<Item = &'static FaultSpec> {
        let tables = [
            super::network::ENDS,
            super::toxic::TOXICS,
            super::network::PACKETS,
            super::kind::SERVER,
            super::certificate::CERTIFICATES,
            super::failover::FAILOVERS,
            super::packets::NAMES,
            super::expiry::TIMEOUTS,
        ];
        tables.into_iter().flatten().copied()
    }
}

/// Advice for a peer that stops answering.
pub(super) const SILENCE: Remedy = Remedy::Advice(
    "detect a silent peer by tcp_user_timeout (unacknowledged bytes) and TCP keepalive (idle connections), both set \
     to seconds, and limit connecting too (connect_timeout)",
);

/// Advice for connection slots that are all taken.
pub(super) const NO_SLOTS: Remedy =
    Remedy::Advice("53300 is transient: retry with backoff and jitter, and keep the existing connections");

/// Advice for crash recovery.
pub(super) const STARTING_UP: Remedy = Remedy::Advice("57P03 is transient: retry with backoff until it ends");

/// An error of the server with this code, or with one of these words in its message.
pub(super) const fn server_error(code: &'static str, words: &'static [&'static str]) -> ExpectedError {
    ExpectedError::Server { code, words }
}

/// A table of rows: the constants, and the list of them. Columns in order: word, [`Acts`], [`Course`], [`Fidelity`],
/// [`Entry`], [`Memory`], [`Operations`], [`Failures`]; then [`Need`], [`Remedy`], [`ExpectedError`], [`Shape`].
macro_rules! fault_table {
    ($table:ident: $($name:ident = $word:literal $acts:ident $course:ident $fidelity:ident $entry:ident $memory:ident
        $operations:ident $failures:ident, $needs:expr, $remedy:expr, $error:expr, $shape:expr;)*) => {
        $(pub(super) const $name: FaultSpec = {
            #[allow(unused_imports, reason = "each row names one remedy and one need out of all")]
            use $crate::model::fault::spec::{Need::*, Remedy::{Advice, General, IdleDevice}};
            FaultSpec {
                word: $word,
                acts: $crate::model::fault::spec::Acts::$acts,
                course: $crate::model::fault::spec::Course::$course,
                fidelity: $crate::model::plane::Fidelity::$fidelity,
                entry: $crate::model::fault::spec::Entry::$entry,
                memory: $crate::model::fault::spec::Memory::$memory,
                operations: $crate::model::fault::spec::Operations::$operations,
                failures: $crate::model::fault::spec::Failures::$failures,
                needs: $needs,
                remedy: $remedy,
                error: $error,
                shape: $shape,
            }
        };)*
        pub(super) const $table: &[&FaultSpec] = &[$(&$name),*];
    };
}

/// The shape of a fault without such keys.
macro_rules! unit {
    ($($kind:tt)*) => {
        $crate::model::fault::spec::Shape { keys: &[], build: |_| Ok($crate::model::fault::FaultKind::$($kind)*) }
    };
}

pub(super) use fault_table;
pub(super) use unit;

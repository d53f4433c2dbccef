//! The row of a fault: everything that is known about a kind beside how it is injected.
//!
//! Owns the columns. The rows stand in tables beside the enums of their kinds ([`super::kind`], `network`, `toxic`,
//! `certificate`, `failover`, `packets`, `expiry`), and a row has no column with a default, so that a new kind cannot be
//! added without deciding each. Nothing here injects a fault: `nemesis` does.

use super::{CertificateFault, FaultKind, IdleStyle, Key, KeyError, Values};
use crate::model::plane::Fidelity;

/// One kind of fault. Kinds that differ only in a value (`restart` in mode immediate) may have rows of their own, which
/// share the word.
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
    /// On the path to the server, so that any server will do.
    Path,
    /// On the name by which the client knows its server.
    Name,
    /// On a program in the path, so that there must be one.
    Middlebox,
    /// In the server, or in what it knows of the client.
    Server,
}

/// How a fault lies in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Course {
    /// Over as soon as it is done: there is nothing to heal.
    Instant,
    /// In force until it is healed.
    Lasting,
    /// In force before the client starts, and until it is healed, though it is no persistent fault: it asks how the
    /// client starts rather than whether it recovers.
    Arranged,
    /// Cannot be healed while the client runs.
    Permanent,
}

/// Whether the gateway accepts new connections while the fault is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    Open,
    /// It does not, so that another fault that blocks them must wait.
    Blocked,
}

/// Whether the server keeps its memory. If it does not, only what it had flushed to disk survives, and the settings of
/// durability must stay on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    Kept,
    Lost,
}

/// Whether operations can succeed while the fault is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operations {
    /// Every one, if perhaps slowly.
    Possible,
    Interrupted,
}

/// Whether operations that fail while the fault is in force count as evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failures {
    /// They are evidence of the fault, beside what the nemesis sees: no operation can succeed, and an attempt that the
    /// kernel refuses is counted nowhere else.
    Evidence,
    NoEvidence,
}

/// The topology that a fault needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    Nothing,
    /// A client with one address, or it would meet one of several.
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
    /// Addresses; `by_name`: whether a name that leads to them will do.
    Addresses {
        hosts: Hosts,
        by_name: bool,
    },
}

/// Addresses that a change between servers needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hosts {
    Any,
    AtLeastTwo,
    PrimaryAlone,
    StandbyAlone,
    /// And the primary later.
    StandbyFirst,
    /// An address without a server first.
    NobodyFirst,
}

/// The usual cure for a client that does not recover from the fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// The general advice.
    General,
    /// Advice for a device that ends idle connections in this manner.
    IdleDevice(IdleStyle),
    Advice(&'static str),
}

/// How a persistent fault shows in the errors of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpectedError {
    /// In no way of its own.
    None,
    /// The server's SQLSTATE, or its words: libpq, and drivers built on it, give no code for a failed connect. One of the
    /// words must be in the message, in lower case.
    Server { code: &'static str, words: &'static [&'static str] },
    /// ECONNREFUSED.
    Refused,
    /// Nothing but the end of a wait.
    TimedOut,
    /// A name that does not resolve.
    Unresolved,
    /// The words of TLS libraries for what is wrong with the certificate.
    Certificate(CertificateFault),
}

/// The further keys of a fault in a scenario file, and the fault that their values give.
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

/// A peer that falls silent.
pub(super) const SILENCE: Remedy = Remedy::Advice(
    "detect a silent peer by tcp_user_timeout (unacknowledged bytes) and TCP keepalive (idle connections), both set \
     to seconds, and limit connecting too (connect_timeout)",
);

/// Slots that are taken.
pub(super) const NO_SLOTS: Remedy =
    Remedy::Advice("53300 is transient: retry with backoff and jitter, and keep the existing connections");

/// Crash recovery.
pub(super) const STARTING_UP: Remedy = Remedy::Advice("57P03 is transient: retry with backoff until it ends");

/// An error of the server's with this code, or with one of these words.
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

/// The shape of a fault without further keys.
macro_rules! unit {
    ($($kind:tt)*) => {
        $crate::model::fault::spec::Shape { keys: &[], build: |_| Ok($crate::model::fault::FaultKind::$($kind)*) }
    };
}

pub(super) use fault_table;
pub(super) use unit;

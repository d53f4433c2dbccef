//! The statements that are known.

use super::super::wire::backend::Column;
use super::super::wire::value::{Type, Value};

/// A value, or where it will come from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scalar {
    pub source: Source,
    pub cast: Option<Type>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Source {
    Literal(Value),
    /// Counted from 0.
    Parameter(usize),
}

/// What can be read off the ledger, or returned of what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    Id,
    Key,
}

/// `INSERT INTO` the ledger.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Insert {
    /// Id and key of each row; `None`: not named.
    pub rows: Vec<[Option<Scalar>; 2]>,
    /// `ON CONFLICT … DO NOTHING`.
    pub does_nothing: bool,
    pub returning: Vec<Output>,
}

/// One column of a result that is read off a row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Output {
    Field(Field),
    Scalar(Scalar),
    /// `count(*)`, which makes one row of all.
    Count,
}

/// Which rows of the ledger.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Scan {
    pub filter: Option<(Field, Scalar)>,
    /// By id.
    pub ordered: bool,
    pub descending: bool,
    pub limit: Option<Scalar>,
}

/// A column of a `SELECT` without `FROM`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Item {
    Scalar(Scalar),
    Exists(Scan),
    IsInRecovery,
    BackendPid,
    Sleep(Scalar),
    Notify(Scalar, Scalar),
    Version,
    CurrentSetting(String),
    CurrentDatabase,
    CurrentUser,
}

/// What a transaction is begun with, or changed to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Modes {
    /// Whether all its statements see one snapshot.
    pub one_snapshot: Option<bool>,
    pub read_only: Option<bool>,
    /// How the isolation was called.
    pub isolation: Option<&'static str>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Action {
    Empty,
    Insert(Insert),
    Select(Vec<Item>),
    Read {
        outputs: Vec<Output>,
        scan: Scan,
    },
    Begin {
        modes: Modes,
        tag: &'static str,
    },
    Commit,
    Rollback,
    Savepoint(String),
    RollbackTo(String),
    Release(String),
    /// `None`: to its default.
    Set {
        name: String,
        value: Option<String>,
        local: bool,
    },
    SetTransaction(Modes),
    SetSession(Modes),
    ResetAll,
    Show(String),
    /// `None`: all.
    Deallocate(Option<String>),
    /// The word that says what; all of it is the same here, but for plans.
    Discard(&'static str),
    Listen(String),
    /// `None`: all.
    Unlisten(Option<String>),
    Notify {
        channel: String,
        payload: String,
    },
}

/// A statement, ready to run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Statement {
    pub action: Action,
    /// OIDs, by number.
    pub parameters: Vec<u32>,
    /// Empty: it returns no rows.
    pub columns: Vec<Column>,
}

impl Action {
    /// Whether a transaction that has failed takes it.
    pub fn ends_transaction(&self) -> bool {
        matches!(self, Action::Commit | Action::Rollback | Action::RollbackTo(_) | Action::Empty)
    }
}

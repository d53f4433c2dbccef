//! The statements that the simulated server supports.

use super::super::wire::backend::Column;
use super::super::wire::value::{Type, Value};

/// A literal or a parameter, perhaps with a cast.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scalar {
    pub source: Source,
    pub cast: Option<Type>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Source {
    Literal(Value),
    /// The parameter's index, from 0.
    Parameter(usize),
}

/// A column of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    Id,
    Key,
}

/// `INSERT INTO` the ledger.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Insert {
    /// Id and key of each row; `None`: `DEFAULT`, or not in the column list.
    pub rows: Vec<[Option<Scalar>; 2]>,
    /// `ON CONFLICT … DO NOTHING`.
    pub does_nothing: bool,
    pub returning: Vec<Output>,
}

/// An output column of a query on the ledger.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Output {
    Field(Field),
    Scalar(Scalar),
    /// `count(*)`: one row for the whole result.
    Count,
}

/// The rows of the ledger that a query reads, and their order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Scan {
    pub filter: Option<(Field, Scalar)>,
    /// Ordered by id.
    pub ordered: bool,
    pub descending: bool,
    pub limit: Option<Scalar>,
}

/// An output column of a `SELECT` without `FROM`.
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

/// Transaction modes of `BEGIN` or `SET TRANSACTION`; `None`: unchanged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Modes {
    /// Whether all statements of the transaction see one snapshot.
    pub one_snapshot: Option<bool>,
    pub read_only: Option<bool>,
    /// The name of the isolation level.
    pub isolation: Option<&'static str>,
}

/// What a statement does.
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
    /// `value`: `None` resets to the value at the start of the session.
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
    /// The command tag's word. Only `ALL` has an effect here.
    Discard(&'static str),
    Listen(String),
    /// `None`: all channels.
    Unlisten(Option<String>),
    Notify {
        channel: String,
        payload: String,
    },
}

/// A recognised statement.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Statement {
    pub action: Action,
    /// Type OIDs of the parameters.
    pub parameters: Vec<u32>,
    /// Output columns; empty if the statement returns no rows.
    pub columns: Vec<Column>,
}

impl Action {
    /// Whether a failed transaction accepts the statement: one that ends it, rolls back to a savepoint, or is empty.
    pub fn ends_transaction(&self) -> bool {
        matches!(self, Action::Commit | Action::Rollback | Action::RollbackTo(_) | Action::Empty)
    }
}

//! The extended query protocol: Parse, Bind, Describe, Execute, Close, up to a Sync.

use std::sync::Arc;

use super::super::report::{Report, protocol_violation};
use super::super::sql::recognise;
use super::super::sql::statement::{Action, Statement};
use super::super::wire::backend;
use super::super::wire::frontend::{self, Bind, Frontend, Named};
use super::super::wire::value::{Type, Value, utf8};
use super::run::Outcome;
use super::{End, Session, Stop};

/// A bound statement, which may have been executed in part.
pub(super) struct Portal {
    statement: Arc<Statement>,
    parameters: Vec<Value>,
    /// Result formats: none means text, one applies to all columns, otherwise one per column.
    formats: Vec<i16>,
    /// The outcome of the execution, and the number of rows sent so far; `None`: not executed yet.
    outcome: Option<(Outcome, usize)>,
}

fn is_binary(formats: &[i16], index: usize) -> bool {
    let format = if formats.len() == 1 { formats.first() } else { formats.get(index) };
    format == Some(&1)
}

fn check_formats(formats: &[i16]) -> Result<(), Report> {
    match formats.iter().find(|format| !matches!(format, 0 | 1)) {
        Some(format) => Err(Report::error("22023", format!("invalid format code: {format}"))),
        None => Ok(()),
    }
}

fn no_portal(name: &str) -> Report {
    Report::error("34000", format!("portal \"{name}\" does not exist"))
}

impl Session {
    /// Handles one message, and writes the answer. After an error, skips messages up to the next Sync.
    ///
    /// *Errors*: the session ends.
    pub async fn handle(&mut self, kind: u8, body: &[u8]) -> Result<(), End> {
        if self.skips && !matches!(kind, b'S' | b'X') {
            return Ok(());
        }
        self.begin_statement();
        let step = match frontend::parse(kind, body) {
            Err(report) if matches!(kind, b'Q' | b'F') => {
                self.settle(Err(report.into()))?;
                self.ready();
                return Ok(());
            }
            Err(report) => Err(report.into()),
            Ok(Frontend::Query(sql)) => return self.query(sql).await,
            Ok(Frontend::Sync) => return self.sync().await,
            Ok(Frontend::Terminate) => {
                self.undo();
                return Err(End::Left);
            }
            Ok(Frontend::FunctionCall) => {
                let text = "the simulated server knows no function calls by message";
                self.settle(Err(Report::error("0A000", text).into()))?;
                self.ready();
                return Ok(());
            }
            Ok(Frontend::Stray) => Ok(()),
            Ok(Frontend::Flush) => {
                self.flushes = true;
                Ok(())
            }
            Ok(Frontend::Parse { name, sql, types }) => self.prepare(name, sql, &types),
            Ok(Frontend::Bind(bind)) => self.bind(&bind),
            Ok(Frontend::Describe { what, name }) => self.describe(what, name),
            Ok(Frontend::Close { what, name }) => {
                match what {
                    Named::Statement => drop(self.statements.remove(name)),
                    Named::Portal => drop(self.portals.remove(name)),
                }
                backend::bare(&mut self.out, backend::CLOSE_COMPLETE);
                Ok(())
            }
            Ok(Frontend::Execute { portal, limit }) => self.execute(portal, limit).await,
        };
        self.skips = !self.settle(step)?;
        Ok(())
    }

    async fn sync(&mut self) -> Result<(), End> {
        self.skips = false;
        let done = self.end_implicit().await;
        self.settle(done)?;
        self.ready();
        Ok(())
    }

    fn prepare(&mut self, name: &str, sql: &str, types: &[u32]) -> Result<(), Stop> {
        if let Some(oid) = types.iter().find(|oid| !matches!(**oid, 0 | 705) && Type::of_oid(**oid).is_none()) {
            return Err(Report::error("0A000", format!("the simulated server does not know the type {oid}")).into());
        }
        let found = recognise(sql, types)?;
        if found.len() > 1 {
            return Err(Report::error("42601", "cannot insert multiple commands into a prepared statement").into());
        }
        let empty = || Statement { action: Action::Empty, parameters: types.to_vec(), columns: Vec::new() };
        let statement = found.first().cloned().unwrap_or_else(|| Arc::new(empty()));
        self.refuse_if_failed(&statement)?;
        if self.statements.is_taken(name) {
            return Err(Report::error("42P05", format!("prepared statement \"{name}\" already exists")).into());
        }
        self.statements.insert(name, statement);
        backend::bare(&mut self.out, backend::PARSE_COMPLETE);
        Ok(())
    }

    fn statement(&self, name: &str) -> Result<Arc<Statement>, Report> {
        self.statements.get(name).cloned().ok_or_else(|| match name {
            "" => Report::error("26000", "unnamed prepared statement does not exist"),
            _ => Report::error("26000", format!("prepared statement \"{name}\" does not exist")),
        })
    }

    fn bind(&mut self, bind: &Bind<'_>) -> Result<(), Stop> {
        let statement = self.statement(bind.statement)?;
        let (given, wanted) = (bind.values.len(), statement.parameters.len());
        if bind.formats.len() > 1 && bind.formats.len() != given {
            let formats = bind.formats.len();
            let text = format!("bind message has {formats} parameter formats but {given} parameters");
            return Err(protocol_violation(text).into());
        }
        if given != wanted {
            let name = bind.statement;
            let text = format!(
                "bind message supplies {given} parameters, but prepared statement \"{name}\" requires {wanted}"
            );
            return Err(protocol_violation(text).into());
        }
        self.refuse_if_failed(&statement)?;
        let columns = statement.columns.len();
        if bind.results.len() > 1 && bind.results.len() != columns {
            let results = bind.results.len();
            let text = format!("bind message has {results} result formats but query has {columns} columns");
            return Err(protocol_violation(text).into());
        }
        check_formats(&bind.formats)?;
        check_formats(&bind.results)?;
        let mut parameters = Vec::with_capacity(given);
        for (index, (bytes, oid)) in bind.values.iter().zip(&statement.parameters).enumerate() {
            let kind = Type::of_oid(*oid).unwrap_or(Type::Text);
            parameters.push(match bytes {
                None => Value::Null,
                Some(bytes) if is_binary(&bind.formats, index) => kind.decode(bytes)?,
                Some(bytes) => kind.parse(utf8(bytes)?)?,
            });
        }
        let name = bind.portal;
        if self.portals.is_taken(name) {
            return Err(Report::error("42P03", format!("cursor \"{name}\" already exists")).into());
        }
        // A portal ends with its transaction, so that one must be open.
        self.begin_implicit();
        let portal = Portal { statement, parameters, formats: bind.results.clone(), outcome: None };
        self.portals.insert(name, portal);
        backend::bare(&mut self.out, backend::BIND_COMPLETE);
        Ok(())
    }

    fn describe(&mut self, what: Named, name: &str) -> Result<(), Stop> {
        let (statement, formats) = match what {
            Named::Statement => (self.statement(name)?, None),
            Named::Portal => {
                let portal = self.portals.get(name).ok_or_else(|| no_portal(name))?;
                (portal.statement.clone(), Some(portal.formats.clone()))
            }
        };
        if !statement.columns.is_empty() {
            self.refuse_if_failed(&statement)?;
        }
        if formats.is_none() {
            backend::parameters(&mut self.out, &statement.parameters);
        }
        let formats = formats.unwrap_or_default();
        match statement.columns.is_empty() {
            true => backend::bare(&mut self.out, backend::NO_DATA),
            false => {
                backend::row_description(&mut self.out, &statement.columns, |index| is_binary(&formats, index));
            }
        }
        Ok(())
    }

    async fn execute(&mut self, name: &str, limit: i32) -> Result<(), Stop> {
        // Removed first, because the statement may end the transaction and with it all portals.
        let mut portal = self.portals.remove(name).ok_or_else(|| no_portal(name))?;
        self.refuse_if_failed(&portal.statement)?;
        if portal.statement.action == Action::Empty {
            backend::bare(&mut self.out, backend::EMPTY_QUERY);
            self.portals.insert(name, portal);
            return Ok(());
        }
        let first = portal.outcome.is_none();
        let (outcome, sent) = match portal.outcome.take() {
            Some((outcome, sent)) => (outcome, sent),
            None => {
                self.begin_implicit();
                (self.run(&portal.statement, &portal.parameters).await?, 0)
            }
        };
        let width = portal.statement.columns.len();
        match outcome.values.len().checked_div(width) {
            None if !first => {
                return Err(Report::error("55000", format!("portal \"{name}\" cannot be run")).into());
            }
            None => backend::complete(&mut self.out, &outcome.tag),
            Some(rows) => {
                let most = usize::try_from(limit).ok().filter(|limit| *limit > 0).unwrap_or(usize::MAX);
                let now = most.min(rows - sent);
                for row in outcome.values.chunks(width).skip(sent).take(now) {
                    backend::data_row(&mut self.out, row, |index| is_binary(&portal.formats, index));
                }
                if now == most {
                    backend::bare(&mut self.out, backend::PORTAL_SUSPENDED);
                } else if outcome.tag.starts_with("SELECT ") {
                    backend::complete(&mut self.out, &Outcome::selected(now));
                } else {
                    backend::complete(&mut self.out, &outcome.tag);
                }
                portal.outcome = Some((outcome, sent + now));
            }
        }
        if self.transaction.is_some() {
            self.portals.insert(name, portal);
        }
        Ok(())
    }
}

//! Executes one statement, except reads and writes of the ledger and the work of transactions.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::super::report::{self, Report};
use super::super::sql::statement::{Action, Item, Modes, Scalar, Source, Statement};
use super::super::wire::value::Value;
use super::{Session, Stop};

/// The longest payload of a notification. *Units*: bytes.
const LONGEST_PAYLOAD: usize = 7999;

/// The result of a statement.
pub(super) struct Outcome {
    pub tag: Cow<'static, str>,
    /// The values of all rows, row by row.
    pub values: Vec<Value>,
}

impl Outcome {
    pub fn done(tag: impl Into<Cow<'static, str>>) -> Outcome {
        Outcome { tag: tag.into(), values: Vec::new() }
    }

    /// The command tag of a query with this many rows.
    pub fn selected(rows: usize) -> Cow<'static, str> {
        match rows {
            0 => "SELECT 0".into(),
            1 => "SELECT 1".into(),
            _ => format!("SELECT {rows}").into(),
        }
    }
}

impl Scalar {
    /// Evaluates the scalar with these parameters.
    pub fn value(&self, parameters: &[Value]) -> Result<Value, Report> {
        let value = match &self.source {
            Source::Literal(value) => value.clone(),
            Source::Parameter(index) => parameters.get(*index).cloned().ok_or_else(|| missing(*index))?,
        };
        match self.cast {
            Some(kind) => value.cast(kind),
            None => Ok(value),
        }
    }
}

pub(super) fn missing(index: usize) -> Report {
    Report::error("42P02", format!("there is no parameter ${}", index + 1))
}

impl Session {
    /// Runs a statement in the open transaction.
    ///
    /// *Errors*: the statement fails, or the session ends.
    pub(super) async fn run(&mut self, statement: &Statement, parameters: &[Value]) -> Result<Outcome, Stop> {
        match &statement.action {
            Action::Empty => Ok(Outcome::done("")),
            Action::Insert(insert) => self.insert(insert, parameters).await,
            Action::Read { outputs, scan } => self.read(outputs, scan, parameters).await,
            Action::Select(items) => {
                self.take_snapshot();
                let mut values = Vec::with_capacity(items.len());
                for item in items {
                    values.push(self.item(item, parameters).await?);
                }
                Ok(Outcome { tag: "SELECT 1".into(), values })
            }
            Action::Begin { modes, tag } => self.begin(*modes).map(|()| Outcome::done(*tag)),
            Action::Commit => self.end(true).await,
            Action::Rollback => self.end(false).await,
            Action::Savepoint(name) => Ok(self.savepoint(name).map(|()| Outcome::done("SAVEPOINT"))?),
            Action::RollbackTo(name) => Ok(self.back_to_savepoint(name).map(|()| Outcome::done("ROLLBACK"))?),
            Action::Release(name) => Ok(self.release_savepoint(name).map(|()| Outcome::done("RELEASE"))?),
            Action::Set { name, value, local } => {
                self.set(name, value.as_deref(), *local)?;
                Ok(Outcome::done(if value.is_some() { "SET" } else { "RESET" }))
            }
            Action::SetTransaction(modes) => {
                self.warn_outside_block("SET TRANSACTION");
                self.change_modes(*modes)?;
                Ok(Outcome::done("SET"))
            }
            Action::SetSession(modes) => Ok(self.set_session(*modes).map(|()| Outcome::done("SET"))?),
            Action::ResetAll => {
                self.guc.reset_all();
                Ok(Outcome::done("RESET"))
            }
            Action::Show(name) => Ok(Outcome { tag: "SHOW".into(), values: vec![Value::Text(self.show(name)?)] }),
            Action::Deallocate(name) => self.deallocate(name.as_deref()),
            Action::Discard(what) => self.discard(what),
            Action::Listen(channel) => self.listen(Some(channel), true),
            Action::Unlisten(channel) => self.listen(channel.as_deref(), false),
            Action::Notify { channel, payload } => {
                self.queue_notification(channel, payload)?;
                Ok(Outcome::done("NOTIFY"))
            }
        }
    }

    /// Executes `COMMIT` or `ROLLBACK`. A failed transaction is rolled back by either.
    async fn end(&mut self, commits: bool) -> Result<Outcome, Stop> {
        let explicit = self.transaction.as_ref().is_some_and(|open| open.explicit);
        let failed = self.transaction.as_ref().is_some_and(|open| open.failed);
        if !explicit {
            self.report(&Report::warning("25P01", "there is no transaction in progress"));
        }
        if commits && !failed {
            self.commit().await?;
            return Ok(Outcome::done("COMMIT"));
        }
        self.undo();
        Ok(Outcome::done("ROLLBACK"))
    }

    async fn item(&mut self, item: &Item, parameters: &[Value]) -> Result<Value, Stop> {
        Ok(match item {
            Item::Scalar(scalar) => scalar.value(parameters)?,
            Item::Exists(scan) => Value::Bool(!self.scan(scan, parameters).await?.is_empty()),
            Item::IsInRecovery => Value::Bool(self.world.lock()[self.index].in_recovery),
            Item::BackendPid => Value::Int(self.pid.into(), super::super::wire::value::Type::Int4),
            Item::Sleep(seconds) => {
                let Value::Float(seconds) = seconds.value(parameters)?.cast(super::super::wire::value::Type::Float8)?
                else {
                    return Ok(Value::Null);
                };
                let pause = Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX);
                self.wait(false, sleep(pause)).await?;
                Value::Text(String::new())
            }
            Item::Notify(channel, payload) => {
                let (Value::Text(channel), Value::Text(payload)) =
                    (channel.value(parameters)?, payload.value(parameters)?)
                else {
                    return Err(Report::error("22023", "channel name cannot be empty").into());
                };
                self.queue_notification(&channel, &payload)?;
                Value::Text(String::new())
            }
            Item::Version => {
                let version = super::super::settings::version(self.major);
                Value::Text(format!("PostgreSQL {version}, simulated by pgsquall"))
            }
            Item::CurrentSetting(name) => Value::Text(self.show(name)?),
            Item::CurrentDatabase => Value::Text(self.database.clone()),
            Item::CurrentUser => Value::Text(self.role.clone()),
        })
    }

    /// Executes `SET` or `RESET` of one setting; those of a transaction change only the open one.
    fn set(&mut self, name: &str, value: Option<&str>, local: bool) -> Result<(), Stop> {
        if local {
            self.warn_outside_block("SET LOCAL");
        }
        let own = match (name, value) {
            ("transaction_read_only", Some(value)) => {
                Modes { read_only: Some(matches!(value, "on" | "true" | "1" | "yes")), ..Modes::default() }
            }
            ("transaction_isolation", Some(value)) => {
                let levels = ["read committed", "read uncommitted", "repeatable read", "serializable"];
                let level = levels.into_iter().find(|level| level.eq_ignore_ascii_case(value));
                let Some(level) = level else {
                    let text = format!("invalid value for parameter \"{name}\": \"{value}\"");
                    return Err(Report::error("22023", text).into());
                };
                Modes { isolation: Some(level), one_snapshot: Some(!level.starts_with("read")), read_only: None }
            }
            _ => return Ok(self.guc.set(name, value, local)?),
        };
        self.change_modes(own)
    }

    fn set_session(&mut self, modes: Modes) -> Result<(), Report> {
        if let Some(read_only) = modes.read_only {
            self.guc.set("default_transaction_read_only", Some(if read_only { "on" } else { "off" }), false)?;
        }
        match modes.isolation {
            Some(isolation) => self.guc.set("default_transaction_isolation", Some(isolation), false),
            None => Ok(()),
        }
    }

    fn warn_outside_block(&mut self, command: &str) {
        if !self.transaction.as_ref().is_some_and(|open| open.explicit) {
            let text = format!("{command} can only be used in transaction blocks");
            self.report(&Report::warning("25P01", text));
        }
    }

    fn show(&self, name: &str) -> Result<String, Report> {
        let on = |on: bool| if on { "on" } else { "off" }.to_owned();
        let open = self.transaction.as_ref();
        Ok(match name {
            "transaction_read_only" => on(open.is_some_and(|open| open.read_only)),
            "transaction_isolation" => open.map_or("read committed", |open| open.isolation).to_owned(),
            "default_transaction_read_only" => on(self.reads_only_by_default(self.world.lock()[self.index].read_only)),
            "in_hot_standby" if self.major >= 14 => on(self.world.lock()[self.index].in_recovery),
            "server_version" => super::super::settings::version(self.major).to_owned(),
            "server_version_num" => {
                let (major, minor) = super::super::settings::version(self.major).split_once('.').unwrap_or_default();
                format!("{major}{minor:0>4}")
            }
            "session_authorization" => self.role.clone(),
            "max_connections" => self.world.lock()[self.index].settings.max_connections.to_string(),
            _ => self.guc.show(name)?.to_owned(),
        })
    }

    fn deallocate(&mut self, name: Option<&str>) -> Result<Outcome, Stop> {
        let Some(name) = name else {
            self.statements.clear();
            return Ok(Outcome::done("DEALLOCATE ALL"));
        };
        match self.statements.remove(name) {
            Some(_) => Ok(Outcome::done("DEALLOCATE")),
            None => Err(Report::error("26000", format!("prepared statement \"{name}\" does not exist")).into()),
        }
    }

    fn discard(&mut self, what: &'static str) -> Result<Outcome, Stop> {
        if what == "ALL" {
            if self.transaction.as_ref().is_some_and(|open| open.explicit) {
                return Err(Report::error("25001", "DISCARD ALL cannot run inside a transaction block").into());
            }
            self.guc.reset_all();
            self.statements.clear();
            if !self.world.lock()[self.index].in_recovery {
                self.listen(None, false)?;
            }
        }
        Ok(Outcome::done(format!("DISCARD {what}")))
    }

    /// Queues a LISTEN or UNLISTEN for the commit. `channel`: `None` for all.
    ///
    /// *Errors*: 25006 on a standby.
    fn listen(&mut self, channel: Option<&str>, listens: bool) -> Result<Outcome, Stop> {
        let command = if listens { "LISTEN" } else { "UNLISTEN" };
        if self.world.lock()[self.index].in_recovery {
            return Err(report::during_recovery(command).into());
        }
        if let Some(open) = &mut self.transaction {
            open.channels.push((channel.map(Arc::from), listens));
        }
        Ok(Outcome::done(command))
    }

    /// Queues a notification for the commit; duplicates within the transaction are sent once.
    ///
    /// *Errors*: 25006 on a standby, 22023 for an empty channel or a payload that is too long.
    fn queue_notification(&mut self, channel: &str, payload: &str) -> Result<(), Stop> {
        if self.world.lock()[self.index].in_recovery {
            return Err(report::during_recovery("NOTIFY").into());
        }
        if channel.is_empty() {
            return Err(Report::error("22023", "channel name cannot be empty").into());
        }
        if payload.len() > LONGEST_PAYLOAD {
            return Err(Report::error("22023", "payload string too long").into());
        }
        let Some(open) = &mut self.transaction else { return Ok(()) };
        if !open.notifications.iter().any(|(known, text)| known == channel && text == payload) {
            open.notifications.push((channel.to_owned(), payload.to_owned()));
        }
        Ok(())
    }
}

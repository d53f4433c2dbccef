//! The simple query protocol: one message with any number of statements, all in one transaction.

use super::super::sql::recognise;
use super::super::sql::statement::{Action, Statement};
use super::super::wire::backend;
use super::run::missing;
use super::{End, Session, Stop};

impl Session {
    /// Handles a Query message.
    ///
    /// *Errors*: the session ends.
    pub(super) async fn query(&mut self, sql: &str) -> Result<(), End> {
        self.statements.remove("");
        let done = self.run_all(sql).await;
        self.settle(done)?;
        self.ready();
        Ok(())
    }

    /// Reports an error, if there is one, and fails the transaction; returns whether the step succeeded.
    ///
    /// *Errors*: the session ends.
    pub(super) fn settle(&mut self, done: Result<(), Stop>) -> Result<bool, End> {
        match done {
            Ok(()) => Ok(true),
            Err(Stop::Report(report)) => {
                self.report(&report);
                self.fail();
                Ok(false)
            }
            Err(Stop::End(end)) => Err(end),
        }
    }

    async fn run_all(&mut self, sql: &str) -> Result<(), Stop> {
        let statements = recognise(sql, &[])?;
        if let Some(statement) = statements.iter().find(|statement| !statement.parameters.is_empty()) {
            return Err(missing(statement.parameters.len() - 1).into());
        }
        if statements.is_empty() {
            backend::bare(&mut self.out, backend::EMPTY_QUERY);
        }
        let last = statements.len().saturating_sub(1);
        for (index, statement) in statements.iter().enumerate() {
            self.refuse_if_failed(statement)?;
            self.begin_implicit();
            let outcome = self.run(statement, &[]).await?;
            if index == last {
                self.end_implicit().await?;
            }
            if !statement.columns.is_empty() {
                backend::row_description(&mut self.out, &statement.columns, |_| false);
                for row in outcome.values.chunks(statement.columns.len()) {
                    backend::data_row(&mut self.out, row, |_| false);
                }
            }
            backend::complete(&mut self.out, &outcome.tag);
        }
        Ok(())
    }

    /// Checks that the open transaction accepts the statement.
    ///
    /// *Errors*: 25P02 in a failed transaction, unless the statement ends it, rolls back to a savepoint or is empty.
    pub(super) fn refuse_if_failed(&self, statement: &Statement) -> Result<(), Stop> {
        let failed = self.transaction.as_ref().is_some_and(|open| open.failed);
        let lets_through = statement.action.ends_transaction() || statement.action == Action::Empty;
        match failed && !lets_through {
            true => Err(super::report::transaction_failed().into()),
            false => Ok(()),
        }
    }
}

//! Parses `SELECT`, from the ledger or without `FROM`.

use super::super::wire::backend::Column;
use super::super::wire::value::Type;
use super::parse::Parser;
use super::statement::{Action, Item, Output, Scalar, Scan};

impl Parser<'_> {
    pub(super) fn select(&mut self) -> Option<Action> {
        let start = self.at;
        if let Some(outputs) = self.outputs(true)
            && self.word("FROM")
        {
            let scan = self.scan()?;
            // `count` must stand alone, because other columns would differ from row to row.
            let counts = outputs.contains(&Output::Count);
            return (!counts || outputs.len() == 1).then_some(Action::Read { outputs, scan });
        }
        if self.wrong.is_some() {
            return None;
        }
        self.at = start;
        self.columns.clear();
        let mut items = Vec::new();
        loop {
            let (item, name, kind) = self.item()?;
            items.push(item);
            let name = self.alias(name)?;
            self.columns.push(Column { name, kind });
            if !self.sign(b',') {
                return Some(Action::Select(items));
            }
        }
    }

    fn item(&mut self) -> Option<(Item, &'static str, Type)> {
        if self.words("EXISTS") {
            let opened = self.sign(b'(') && self.word("SELECT");
            let scan = opened.then(|| self.subquery())??;
            return Some((Item::Exists(scan), "exists", Type::Bool));
        }
        if self.word("current_user") {
            return Some((Item::CurrentUser, "current_user", Type::Name));
        }
        let _ = self.word("pg_catalog") && self.sign(b'.');
        const PLAIN: [(&str, Item, Type); 4] = [
            ("pg_is_in_recovery", Item::IsInRecovery, Type::Bool),
            ("pg_backend_pid", Item::BackendPid, Type::Int4),
            ("version", Item::Version, Type::Text),
            ("current_database", Item::CurrentDatabase, Type::Name),
        ];
        for (name, item, kind) in PLAIN {
            if self.word(name) {
                return (self.sign(b'(') && self.sign(b')')).then_some((item, name, kind));
            }
        }
        if self.word("pg_sleep") {
            let seconds = self.argument(b'(', Type::Float8)?;
            return self.sign(b')').then_some((Item::Sleep(seconds), "pg_sleep", Type::Void));
        }
        if self.word("pg_notify") {
            let (channel, payload) = (self.argument(b'(', Type::Text)?, self.argument(b',', Type::Text)?);
            return self.sign(b')').then_some((Item::Notify(channel, payload), "pg_notify", Type::Void));
        }
        if self.word("current_setting") {
            let name = self.sign(b'(').then(|| self.text())??;
            return self.sign(b')').then_some((Item::CurrentSetting(name), "current_setting", Type::Text));
        }
        let scalar = self.scalar(None)?;
        let name = scalar.cast.map_or("?column?", Type::column);
        let kind = self.type_of(&scalar);
        Some((Item::Scalar(scalar), name, kind))
    }

    fn argument(&mut self, before: u8, kind: Type) -> Option<Scalar> {
        self.sign(before).then(|| self.scalar(Some(kind)))?
    }

    /// Parses the rest of `EXISTS (SELECT …)`; the selected columns are ignored.
    fn subquery(&mut self) -> Option<Scan> {
        let columns = self.columns.len();
        self.outputs(false)?;
        self.columns.truncate(columns);
        let scan = self.word("FROM").then(|| self.scan())??;
        self.sign(b')').then_some(scan)
    }
}

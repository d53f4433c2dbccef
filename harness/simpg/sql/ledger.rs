//! Parses statements on the ledger: `INSERT`, and the columns and clauses of `SELECT`.

use super::super::report::Report;
use super::super::wire::backend::Column;
use super::super::wire::value::Type;
use super::parse::Parser;
use super::statement::{Action, Field, Insert, Output, Scalar, Scan, Source};
use crate::server::bootstrap::LEDGER;

impl Field {
    fn named(name: &str) -> Option<Field> {
        match name {
            "id" => Some(Field::Id),
            "idempotency_key" => Some(Field::Key),
            _ => None,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Field::Id => "id",
            Field::Key => "idempotency_key",
        }
    }
}

impl Parser<'_> {
    /// Parses the ledger's name, with or without its schema.
    fn ledger(&mut self) -> Option<()> {
        if self.word("public") && !self.sign(b'.') {
            return None;
        }
        (self.name()? == LEDGER).then_some(())
    }

    fn field(&mut self) -> Option<Field> {
        let name = self.name()?;
        let field = Field::named(&name);
        if field.is_none() {
            let text = format!("column \"{name}\" of relation \"{LEDGER}\" does not exist");
            self.wrong = Some(Report::error("42703", text));
        }
        field
    }

    /// Parses an integer for a column of the ledger. `compared`: for a WHERE clause, which changes the error.
    fn key(&mut self, column: Field, compared: bool) -> Option<Scalar> {
        let scalar = self.scalar(Some(Type::Int8))?;
        let kind = self.type_of(&scalar);
        // A literal without a cast takes the type of the column; Postgres refuses a Boolean.
        let is_open = matches!(scalar.source, Source::Literal(_)) && scalar.cast.is_none();
        if !(kind.is_integer() || is_open && kind != Type::Bool) {
            let kind = kind.name();
            let column = column.name();
            self.wrong = Some(match compared {
                true => Report::error("42883", format!("operator does not exist: bigint = {kind}")).hint(
                    "No operator matches the given name and argument types. You might need to add explicit type casts.",
                ),
                false => Report::error(
                    "42804",
                    format!("column \"{column}\" is of type bigint but expression is of type {kind}"),
                )
                .hint("You will need to rewrite or cast the expression."),
            });
            return None;
        }
        Some(scalar)
    }

    pub(super) fn insert(&mut self) -> Option<Action> {
        self.ledger()?;
        let mut fields = vec![Field::Id, Field::Key];
        if self.sign(b'(') {
            fields = vec![self.field()?];
            while self.sign(b',') {
                fields.push(self.field()?);
            }
            if !self.sign(b')') {
                return None;
            }
        }
        let mut insert = Insert::default();
        if !self.word("VALUES") {
            return None;
        }
        loop {
            insert.rows.push(self.row(&fields)?);
            if !self.sign(b',') {
                break;
            }
        }
        if self.words("ON CONFLICT") {
            if self.sign(b'(') {
                let only_key = self.field()? == Field::Key && self.sign(b')');
                if !only_key {
                    return None;
                }
            }
            if !self.words("DO NOTHING") {
                return None;
            }
            insert.does_nothing = true;
        }
        if self.word("RETURNING") {
            insert.returning = self.outputs(false)?;
        }
        Some(Action::Insert(insert))
    }

    fn row(&mut self, fields: &[Field]) -> Option<[Option<Scalar>; 2]> {
        if !self.sign(b'(') {
            return None;
        }
        let mut row = [None, None];
        for (index, field) in fields.iter().enumerate() {
            if index > 0 && !self.sign(b',') {
                // A row may have fewer values than columns.
                break;
            }
            if !self.word("DEFAULT") {
                row[*field as usize] = Some(self.key(*field, false)?);
            }
        }
        self.sign(b')').then_some(row)
    }

    /// Parses the output columns, up to `FROM` or the end. `counts`: whether `count` is possible.
    pub(super) fn outputs(&mut self, counts: bool) -> Option<Vec<Output>> {
        let mut outputs = Vec::new();
        loop {
            if self.sign(b'*') {
                for field in [Field::Id, Field::Key] {
                    outputs.push(Output::Field(field));
                    self.columns.push(Column { name: field.name().into(), kind: Type::Int8 });
                }
            } else {
                let (output, name, kind) = self.output(counts)?;
                outputs.push(output);
                let name = self.alias(name)?;
                self.columns.push(Column { name, kind });
            }
            if !self.sign(b',') {
                return Some(outputs);
            }
        }
    }

    fn output(&mut self, counts: bool) -> Option<(Output, &'static str, Type)> {
        if counts && self.word("count") {
            let is_all = self.sign(b'(') && (self.sign(b'*') || self.word("id")) && self.sign(b')');
            return is_all.then_some((Output::Count, "count", Type::Int8));
        }
        for field in [Field::Id, Field::Key] {
            if self.word(field.name()) {
                return Some((Output::Field(field), field.name(), Type::Int8));
            }
        }
        let scalar = self.scalar(None)?;
        let kind = self.type_of(&scalar);
        Some((Output::Scalar(scalar), "?column?", kind))
    }

    /// Parses the table and the clauses after `FROM`.
    pub(super) fn scan(&mut self) -> Option<Scan> {
        self.ledger()?;
        let mut scan = Scan::default();
        if self.word("WHERE") {
            let in_parentheses = self.sign(b'(');
            let field = self.field()?;
            if !self.sign(b'=') {
                return None;
            }
            scan.filter = Some((field, self.key(field, true)?));
            if in_parentheses && !self.sign(b')') {
                return None;
            }
        }
        if self.words("ORDER BY id") {
            scan.ordered = true;
            scan.descending = self.word("DESC");
            self.word("ASC");
        }
        if self.word("LIMIT") {
            scan.limit = Some(self.scalar(Some(Type::Int8))?);
        }
        Some(scan)
    }

    /// Parses the column's alias, or returns its default name.
    pub(super) fn alias(&mut self, otherwise: &str) -> Option<String> {
        match self.word("AS") {
            true => self.name(),
            false => Some(otherwise.to_owned()),
        }
    }
}

//! A scenario file as TOML: tables whose values are taken one by one, each with its position in the text.
//!
//! Owns the types of values; `meaning`, `layout`, `path` and `fault` interpret them. Each of these lists the keys of
//! its table, and any other key is an error.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::error::{ScenarioError, Text, quoted};
use super::near;

type Checked<T> = Result<T, ScenarioError>;

/// The format version that this version of pgsquall reads.
const SCHEMA: i64 = 1;

/// A table with the keys that have not been taken yet.
pub(super) struct Table<'a> {
    text: Text<'a>,
    /// The position at which the table begins.
    pub span: Range<usize>,
    entries: DeTable<'a>,
}

impl<'a> Table<'a> {
    /// Parses a whole file.
    ///
    /// *Errors*: the text is not TOML, or has another format version.
    pub fn read(text: Text<'a>, keys: &[&str]) -> Checked<Table<'a>> {
        let entries = DeTable::parse(text.text).map_err(|error| {
            let hint = "the file is TOML: `key = value` lines, each key once in its table, text in \"quotes\"; see https://toml.io";
            text.error(error.span().unwrap_or_else(|| first_key(text.text)), error.message(), hint)
        })?;
        let mut table = Table { text, span: first_key(text.text), entries: entries.into_inner() };
        // The version is checked first: in a file of another version every other error would be misleading.
        table.check_schema()?;
        table.known(keys)?;
        Ok(table)
    }

    /// Refuses every other key.
    fn known(&self, keys: &[&str]) -> Checked<()> {
        match self.entries.keys().find(|key| !keys.contains(&key.get_ref().as_ref())) {
            Some(key) => Err(self.unknown(key.span(), key.get_ref(), keys)),
            None => Ok(()),
        }
    }

    /// The error for an unknown key.
    pub fn unknown(&self, span: Range<usize>, key: &str, keys: &[&str]) -> ScenarioError {
        let likely = near::meant(key, keys.iter().copied()).map(|key| format!("did you mean `{key}`? "));
        let hint = format!("{}keys here: {}", likely.unwrap_or_default(), keys.join(", "));
        self.text.error(span, format!("unknown key {}", quoted(key)), hint)
    }

    fn check_schema(&mut self) -> Checked<()> {
        let Some(schema) = self.entries.get("schema") else {
            let hint = format!("begin with \"schema = {SCHEMA}\", the version of the format");
            return Err(self.text.error(first_key(self.text.text), "the key `schema` is missing", hint));
        };
        let (message, hint) = match number(schema.get_ref()) {
            Some(SCHEMA) => return Ok(()),
            Some(newer) if newer > SCHEMA => {
                let own = env!("CARGO_PKG_VERSION");
                let message = format!("written in schema {newer}; pgsquall {own} reads schema {SCHEMA}");
                (message, "run it with a newer pgsquall".to_owned())
            }
            Some(other) => (format!("there is no schema {other}"), format!("write \"schema = {SCHEMA}\"")),
            None => {
                let hint = format!("write \"schema = {SCHEMA}\", without quotes around the number");
                ("`schema` is not a whole number".to_owned(), hint)
            }
        };
        Err(self.text.error(schema.span(), message, hint))
    }

    fn take(&mut self, key: &str) -> Option<Spanned<DeValue<'a>>> {
        self.entries.remove(key)
    }

    /// Takes a value of one type. `hint`: the correct form of such a value.
    fn typed<T>(
        &mut self,
        key: &str,
        expected: &str,
        hint: &str,
        read: impl FnOnce(DeValue<'a>) -> Result<T, DeValue<'a>>,
    ) -> Checked<Option<Spanned<T>>> {
        let Some(value) = self.take(key) else { return Ok(None) };
        let span = value.span();
        match read(value.into_inner()) {
            Ok(value) => Ok(Some(Spanned::new(span, value))),
            Err(other) => {
                let message = format!("wrong type: {}, expected {expected}", shown(&other));
                Err(self.text.error(span, message, hint))
            }
        }
    }

    pub fn string(&mut self, key: &str) -> Checked<Option<Spanned<String>>> {
        self.typed(key, "a string", "write it in \"quotes\"", string)
    }

    /// Takes the text of a duration, which `meaning` parses.
    pub fn period(&mut self, key: &str) -> Checked<Option<Spanned<String>>> {
        let bare = match self.entries.get(key).map(Spanned::get_ref) {
            Some(DeValue::Integer(number)) => Some(number.to_string()),
            Some(DeValue::Float(number)) => Some(number.to_string()),
            _ => None,
        };
        let hint = match bare {
            Some(n) => format!("a duration is text with a unit: write \"{n}s\" or \"{n}ms\""),
            None => "a duration is text with a unit, like \"2s\"".to_owned(),
        };
        self.typed(key, "a duration", &hint, string)
    }

    pub fn integer(&mut self, key: &str) -> Checked<Option<Spanned<i64>>> {
        let hint = "write a whole number, without quotes";
        self.typed(key, "a whole number", hint, |value| number(&value).ok_or(value))
    }

    /// Takes a number, an integer or a decimal.
    pub fn float(&mut self, key: &str) -> Checked<Option<Spanned<f64>>> {
        self.typed(key, "a number", "write a number, without quotes", |value| match &value {
            DeValue::Float(float) => float.as_str().parse().map_err(|_| value),
            DeValue::Integer(_) => number(&value).map(|number| number as f64).ok_or(value),
            _ => Err(value),
        })
    }

    pub fn flag(&mut self, key: &str) -> Checked<Option<Spanned<bool>>> {
        let hint = "write true or false, without quotes";
        self.typed(key, "true or false", hint, |value| value.as_bool().ok_or(value))
    }

    /// Takes a list of words.
    pub fn strings(&mut self, key: &str) -> Checked<Option<Spanned<Vec<Spanned<String>>>>> {
        let Some(list) = self.typed(key, "a list", "write a list in [brackets]", array)? else { return Ok(None) };
        let span = list.span();
        let mut strings = Vec::new();
        for value in list.into_inner().iter() {
            let place = value.span();
            let string = string(value.get_ref().clone()).map_err(|other| {
                let message = format!("wrong type: {}, expected a string", shown(&other));
                self.text.error(place.clone(), message, "write it in \"quotes\"")
            })?;
            strings.push(Spanned::new(place, string));
        }
        Ok(Some(Spanned::new(span, strings)))
    }

    /// Takes a table with only these keys.
    pub fn table(&mut self, key: &str, keys: &[&str]) -> Checked<Option<Table<'a>>> {
        let table = self.any_table(key)?;
        table.iter().try_for_each(|table| table.known(keys))?;
        Ok(table)
    }

    fn any_table(&mut self, key: &str) -> Checked<Option<Table<'a>>> {
        let hint = "write its name in [brackets] on a line of its own, its keys below";
        let found = self.typed(key, "a table", hint, table)?;
        Ok(found.map(|found| Table { text: self.text, span: found.span(), entries: found.into_inner() }))
    }

    /// Takes a list of tables without checking their keys.
    pub fn tables(&mut self, key: &str) -> Checked<Vec<Table<'a>>> {
        let (expected, hint) = ("a list of tables", "each fault begins with [[fault]], in double brackets");
        let Some(list) = self.typed(key, expected, hint, array)? else { return Ok(Vec::new()) };
        let mut tables = Vec::new();
        for value in list.into_inner().iter() {
            let span = value.span();
            let entries = table(value.get_ref().clone()).map_err(|other| {
                let message = format!("wrong type: {}, expected a table", shown(&other));
                self.text.error(span.clone(), message, hint)
            })?;
            tables.push(Table { text: self.text, span, entries });
        }
        Ok(tables)
    }

    /// Takes the values of a table whose keys are names of settings.
    pub fn settings(&mut self, key: &str) -> Checked<Vec<(Spanned<String>, Spanned<DeValue<'a>>)>> {
        let entries = self.any_table(key)?.map(|table| table.entries).unwrap_or_default();
        Ok(entries
            .into_iter()
            .map(|(key, value)| (Spanned::new(key.span(), key.into_inner().into_owned()), value))
            .collect())
    }

    /// Returns a key that has not been taken: its position, its name, and the position of its value.
    pub fn left(&self) -> Option<(Range<usize>, &str, Range<usize>)> {
        self.entries.iter().next().map(|(key, value)| (key.span(), key.get_ref().as_ref(), value.span()))
    }
}

fn string(value: DeValue<'_>) -> Result<String, DeValue<'_>> {
    match value {
        DeValue::String(text) => Ok(text.into_owned()),
        other => Err(other),
    }
}

fn array(value: DeValue<'_>) -> Result<DeArray<'_>, DeValue<'_>> {
    match value {
        DeValue::Array(array) => Ok(array),
        other => Err(other),
    }
}

fn table(value: DeValue<'_>) -> Result<DeTable<'_>, DeValue<'_>> {
    match value {
        DeValue::Table(table) => Ok(table),
        other => Err(other),
    }
}

/// Parses an integer of 64 bits.
pub(super) fn number(value: &DeValue<'_>) -> Option<i64> {
    let number = value.as_integer()?;
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

/// Describes a value in an error: its type, and the value itself if it is short.
fn shown(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("string {}", quoted(text)),
        DeValue::Integer(number) => format!("integer `{number}`"),
        DeValue::Float(number) => format!("number `{number}`"),
        DeValue::Boolean(on) => format!("boolean `{on}`"),
        DeValue::Datetime(_) => "a date".to_owned(),
        DeValue::Array(_) => "an array".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

/// Returns the position of the first key, after comments and blank lines; the end of a text without keys.
pub(super) fn first_key(text: &str) -> Range<usize> {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let words = line.trim_start_matches('\u{feff}').trim();
        if !words.is_empty() && !words.starts_with('#') {
            return start..start + line.len();
        }
        start += line.len();
    }
    start..start
}

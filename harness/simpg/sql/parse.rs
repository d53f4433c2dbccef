//! The parser of statements: transactions, settings and notifications here, the rest in `select` and `ledger`.

use super::super::report::Report;
use super::super::wire::backend::Column;
use super::super::wire::value::{Type, Value};
use super::statement::{Action, Modes, Scalar, Source, Statement};
use super::token::{Placed, Token, tokens};

/// The highest parameter number that is recognised: it bounds the list of types.
const MOST_PARAMETERS: usize = 64;

/// Parses all statements of a text, in order. `types`: the OIDs of declared parameter types; 0: not declared.
///
/// *Errors*: 0A000 with the text of an unknown statement; 42601, 42703, 42804, 42883 or 22003 for an invalid one.
pub(super) fn parse(sql: &str, types: &[u32]) -> Result<Vec<Statement>, Report> {
    let tokens = tokens(sql)?;
    let mut found = Vec::new();
    for part in tokens.split(|placed| placed.token == Token::Sign(b';')) {
        let (Some(first), Some(last)) = (part.first(), part.last()) else { continue };
        let mut parser = Parser { tokens: part, at: 0, parameters: types.to_vec(), columns: Vec::new(), wrong: None };
        let action = parser.statement().filter(|_| parser.at == part.len());
        if let Some(report) = parser.wrong {
            return Err(report);
        }
        let Some(action) = action else {
            let text = &sql[first.start..last.end];
            return Err(Report::error("0A000", format!("the simulated server does not know this statement: {text}"))
                .hint("It knows what pgsquall's workloads ask; run this one on a real server."));
        };
        // Parameters without a type are text, as literals are.
        let parameters = parser.parameters.iter().map(|oid| if *oid == 0 { Type::Text.oid() } else { *oid }).collect();
        found.push(Statement { action, parameters, columns: parser.columns });
    }
    Ok(found)
}

/// A parser over the tokens of one statement. A method returns `None` if it does not recognise the tokens.
pub(super) struct Parser<'a> {
    pub tokens: &'a [Placed<'a>],
    pub at: usize,
    pub parameters: Vec<u32>,
    pub columns: Vec<Column>,
    /// The error of a statement that is recognised but invalid.
    pub wrong: Option<Report>,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a Token<'a>> {
        self.tokens.get(self.at).map(|placed| &placed.token)
    }

    /// Consumes a keyword, if it is next.
    pub fn word(&mut self, word: &str) -> bool {
        let is_next = matches!(self.peek(), Some(Token::Word(next)) if next.eq_ignore_ascii_case(word));
        self.at += usize::from(is_next);
        is_next
    }

    /// Consumes these keywords, if all of them are next.
    pub fn words(&mut self, words: &str) -> bool {
        let before = self.at;
        let are_next = words.split(' ').all(|word| self.word(word));
        if !are_next {
            self.at = before;
        }
        are_next
    }

    pub fn sign(&mut self, sign: u8) -> bool {
        let is_next = self.peek() == Some(&Token::Sign(sign));
        self.at += usize::from(is_next);
        is_next
    }

    /// Consumes a name, which is returned in lower case unless it was quoted.
    pub fn name(&mut self) -> Option<String> {
        let name = match self.peek()? {
            Token::Word(word) => word.to_ascii_lowercase(),
            Token::Quoted(name) => name.to_string(),
            _ => return None,
        };
        self.at += 1;
        Some(name)
    }

    pub fn text(&mut self) -> Option<String> {
        let Token::Text(text) = self.peek()? else { return None };
        self.at += 1;
        Some(text.to_string())
    }

    /// Parses a literal or a parameter with its casts. `expected`: the type of an untyped parameter without a cast.
    pub fn scalar(&mut self, expected: Option<Type>) -> Option<Scalar> {
        let negative = self.sign(b'-');
        let source = match self.peek()? {
            Token::Number(digits) => self.number(digits, negative)?,
            _ if negative => return None,
            Token::Text(text) => Source::Literal(Value::Text(text.to_string())),
            Token::Word(word) if word.eq_ignore_ascii_case("true") => Source::Literal(Value::Bool(true)),
            Token::Word(word) if word.eq_ignore_ascii_case("false") => Source::Literal(Value::Bool(false)),
            Token::Word(word) if word.eq_ignore_ascii_case("null") => Source::Literal(Value::Null),
            Token::Parameter(number) if (1..=MOST_PARAMETERS).contains(number) => Source::Parameter(number - 1),
            _ => return None,
        };
        self.at += 1;
        let mut cast = None;
        while self.peek() == Some(&Token::Cast) {
            self.at += 1;
            cast = Some(Type::named(&self.name()?)?);
        }
        if let Source::Parameter(index) = source {
            if self.parameters.len() <= index {
                self.parameters.resize(index + 1, 0);
            }
            let known = &mut self.parameters[index];
            if matches!(*known, 0 | 705) {
                *known = cast.or(expected).unwrap_or(Type::Text).oid();
            }
        }
        Some(Scalar { source, cast })
    }

    fn number(&mut self, digits: &str, negative: bool) -> Option<Source> {
        let sign = if negative { -1 } else { 1 };
        if digits.contains('.') {
            return Some(Source::Literal(Value::Float(digits.parse::<f64>().ok()? * f64::from(sign))));
        }
        let number = digits.parse::<i128>().ok().map(|number| number * i128::from(sign));
        let Some(number) = number.and_then(|number| i64::try_from(number).ok()) else {
            self.wrong = Some(Report::error("22003", "bigint out of range"));
            return None;
        };
        let kind = if i32::try_from(number).is_ok() { Type::Int4 } else { Type::Int8 };
        Some(Source::Literal(Value::Int(number, kind)))
    }

    /// The type of a scalar outside any context.
    pub fn type_of(&self, scalar: &Scalar) -> Type {
        scalar.cast.unwrap_or_else(|| match &scalar.source {
            Source::Parameter(index) => Type::of_oid(self.parameters[*index]).unwrap_or(Type::Text),
            Source::Literal(Value::Bool(_)) => Type::Bool,
            Source::Literal(Value::Int(_, kind)) => *kind,
            Source::Literal(Value::Float(_)) => Type::Float8,
            Source::Literal(Value::Text(_) | Value::Null) => Type::Text,
        })
    }

    fn statement(&mut self) -> Option<Action> {
        if self.word("SELECT") {
            return self.select();
        }
        if self.words("INSERT INTO") {
            return self.insert();
        }
        if self.word("BEGIN") {
            let _ = self.word("TRANSACTION") || self.word("WORK");
            return Some(Action::Begin { modes: self.modes()?, tag: "BEGIN" });
        }
        if self.words("START TRANSACTION") {
            return Some(Action::Begin { modes: self.modes()?, tag: "START TRANSACTION" });
        }
        if self.word("COMMIT") || self.word("END") {
            let _ = self.word("TRANSACTION") || self.word("WORK");
            return Some(Action::Commit);
        }
        if self.word("ROLLBACK") || self.word("ABORT") {
            let _ = self.word("TRANSACTION") || self.word("WORK");
            if self.word("TO") {
                self.word("SAVEPOINT");
                return Some(Action::RollbackTo(self.name()?));
            }
            return Some(Action::Rollback);
        }
        if self.word("SAVEPOINT") {
            return Some(Action::Savepoint(self.name()?));
        }
        if self.word("RELEASE") {
            self.word("SAVEPOINT");
            return Some(Action::Release(self.name()?));
        }
        if self.word("SET") {
            return self.set();
        }
        if self.word("RESET") {
            return match self.word("ALL") {
                true => Some(Action::ResetAll),
                false => Some(Action::Set { name: self.setting()?, value: None, local: false }),
            };
        }
        if self.word("SHOW") {
            let name = self.setting()?;
            self.columns.push(Column { name: name.clone(), kind: Type::Text });
            return Some(Action::Show(name));
        }
        if self.word("DEALLOCATE") {
            self.word("PREPARE");
            return Some(Action::Deallocate(if self.word("ALL") { None } else { Some(self.name()?) }));
        }
        if self.word("DISCARD") {
            let what = ["ALL", "PLANS", "SEQUENCES", "TEMPORARY", "TEMP"].into_iter().find(|what| self.word(what))?;
            return Some(Action::Discard(if what == "TEMPORARY" { "TEMP" } else { what }));
        }
        if self.word("LISTEN") {
            return Some(Action::Listen(self.name()?));
        }
        if self.word("UNLISTEN") {
            return Some(Action::Unlisten(if self.sign(b'*') { None } else { Some(self.name()?) }));
        }
        if self.word("NOTIFY") {
            let channel = self.name()?;
            let payload = if self.sign(b',') { self.text()? } else { String::new() };
            return Some(Action::Notify { channel, payload });
        }
        None
    }

    /// Parses the name of a setting, with its dots; some names consist of several words.
    fn setting(&mut self) -> Option<String> {
        for (words, name) in [
            ("TIME ZONE", "timezone"),
            ("TRANSACTION ISOLATION LEVEL", "transaction_isolation"),
            ("SESSION AUTHORIZATION", "session_authorization"),
        ] {
            if self.words(words) {
                return Some(name.into());
            }
        }
        let mut name = self.name()?;
        while self.sign(b'.') {
            name = format!("{name}.{}", self.name()?);
        }
        Some(name)
    }

    fn set(&mut self) -> Option<Action> {
        if self.words("SESSION CHARACTERISTICS AS TRANSACTION") {
            return Some(Action::SetSession(self.modes()?));
        }
        let local = self.word("LOCAL");
        let _ = !local && self.word("SESSION");
        if self.word("TRANSACTION") {
            return Some(Action::SetTransaction(self.modes()?));
        }
        if self.word("NAMES") {
            return Some(Action::Set { name: "client_encoding".into(), value: Some(self.text()?), local });
        }
        let is_zone = self.words("TIME ZONE");
        let name = if is_zone { "timezone".into() } else { self.setting()? };
        if !is_zone && !self.sign(b'=') && !self.word("TO") {
            return None;
        }
        if self.word("DEFAULT") {
            return Some(Action::Set { name, value: None, local });
        }
        let mut value = self.value()?;
        while self.sign(b',') {
            value = format!("{value}, {}", self.value()?);
        }
        Some(Action::Set { name, value: Some(value), local })
    }

    fn value(&mut self) -> Option<String> {
        let sign = if self.sign(b'-') { "-" } else { "" };
        let value = match self.peek()? {
            Token::Word(word) | Token::Number(word) => (*word).to_owned(),
            Token::Quoted(text) | Token::Text(text) => text.to_string(),
            _ => return None,
        };
        self.at += 1;
        Some(format!("{sign}{value}"))
    }

    /// Parses transaction modes (`ISOLATION LEVEL …`, `READ ONLY` …), with or without commas, to the end of the
    /// statement.
    fn modes(&mut self) -> Option<Modes> {
        let mut modes = Modes::default();
        while self.at < self.tokens.len() {
            if self.words("READ ONLY") {
                modes.read_only = Some(true);
            } else if self.words("READ WRITE") {
                modes.read_only = Some(false);
            } else if self.words("ISOLATION LEVEL") {
                const LEVELS: [(&str, &str, bool); 4] = [
                    ("READ COMMITTED", "read committed", false),
                    ("READ UNCOMMITTED", "read uncommitted", false),
                    ("REPEATABLE READ", "repeatable read", true),
                    // Serialization failures that only this level detects are not simulated.
                    ("SERIALIZABLE", "serializable", true),
                ];
                let (_, name, one_snapshot) = LEVELS.into_iter().find(|(words, ..)| self.words(words))?;
                (modes.isolation, modes.one_snapshot) = (Some(name), Some(one_snapshot));
            } else if !self.words("NOT DEFERRABLE") && !self.word("DEFERRABLE") && !self.sign(b',') {
                return None;
            }
        }
        Some(modes)
    }
}

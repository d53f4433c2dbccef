//! A scenario file as it is written: which keys there are and what types they have, each value with its place.
//!
//! Nothing here knows what the values mean; `meaning` and `timeline` do. Every key is optional at this stage, because
//! a missing one is better explained there.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use toml::{Spanned, Value};

use super::error::{ScenarioError, Text, quoted};
use super::near;

/// The version of the format that this version of pgsquall reads.
const SCHEMA: i64 = 1;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawScenario {
    #[serde(rename = "schema")]
    _schema: de::IgnoredAny,
    pub title: Option<Spanned<String>>,
    pub cause: Option<Spanned<String>>,
    pub class: Option<Spanned<String>>,
    pub budget: Option<Table<RawBudget>>,
    pub load: Option<Table<RawLoad>>,
    pub server: Option<Table<RawServer>>,
    pub client: Option<Table<RawClient>>,
    pub path: Option<Spanned<Table<RawPath>>>,
    pub fault: Option<Vec<Spanned<Table<RawFault>>>>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawBudget {
    pub time_to_recover: Option<Spanned<Period>>,
    pub from: Option<Spanned<String>>,
    pub op_deadline: Option<Spanned<Period>>,
    pub stability: Option<Spanned<Period>>,
    pub fail_fast: Option<Spanned<Period>>,
    pub stall_threshold: Option<Spanned<Period>>,
    pub attempts_per_worker: Option<Spanned<i64>>,
    pub throughput: Option<Spanned<f64>>,
    pub undisturbed: Option<Spanned<bool>>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLoad {
    pub workers: Option<Spanned<i64>>,
    pub callers_per_connection: Option<Spanned<i64>>,
    pub interval: Option<Spanned<Period>>,
    pub pause: Option<Spanned<Table<RawPause>>>,
    pub listen: Option<bool>,
    pub deadline: Option<Spanned<Period>>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPause {
    pub at: Option<Spanned<Period>>,
    #[serde(rename = "for")]
    pub lasts: Option<Spanned<Period>>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawServer {
    pub settings: Option<BTreeMap<Spanned<String>, Spanned<Value>>>,
    pub standby: Option<Spanned<bool>>,
    pub tls: Option<Spanned<String>>,
    pub small_disk: Option<Spanned<String>>,
    pub keepalive: Option<Spanned<Table<RawKeepalive>>>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawKeepalive {
    pub idle: Option<Spanned<Period>>,
    pub interval: Option<Spanned<Period>>,
    pub count: Option<Spanned<i64>>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawClient {
    pub hosts: Option<Spanned<Vec<Spanned<String>>>>,
    pub target_session_attrs: Option<Spanned<String>>,
    pub sslmode: Option<Spanned<String>>,
    pub certificate: Option<Spanned<bool>>,
    pub password: Option<Spanned<String>>,
    pub found_by: Option<Spanned<String>>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPath {
    pub through: Option<Spanned<String>>,
    pub settings: Option<BTreeMap<Spanned<String>, Spanned<Value>>>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFault {
    pub kind: Option<Spanned<String>>,
    pub at: Option<Spanned<Period>>,
    #[serde(rename = "for")]
    pub lasts: Option<Spanned<Period>>,
    // The further keys of single kinds; `parameters` knows which has which.
    pub mode: Option<Spanned<String>>,
    pub every: Option<Spanned<Period>>,
    pub point: Option<Spanned<String>>,
    pub action: Option<Spanned<String>>,
    pub times: Option<Spanned<i64>>,
    pub delay: Option<Spanned<Period>>,
    pub jitter: Option<Spanned<Period>>,
    pub bytes_per_second: Option<Spanned<i64>>,
    pub average: Option<Spanned<i64>>,
    pub spread: Option<Spanned<i64>>,
    pub pause: Option<Spanned<Period>>,
    pub bytes: Option<Spanned<i64>>,
    pub after: Option<Spanned<Period>>,
    pub close_after: Option<Spanned<Period>>,
    pub stream: Option<Spanned<String>>,
    pub connections: Option<Spanned<String>>,
    pub toxicity: Option<Spanned<f64>>,
    pub share: Option<Spanned<f64>>,
    pub code: Option<Spanned<String>>,
    pub device: Option<Spanned<String>>,
    pub scale: Option<Spanned<i64>>,
}

/// A table and nothing else: serde alone would also take an array with the values in the order of the fields.
pub(super) struct Table<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Table<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Table<T>, D::Error> {
        struct Only<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Only<T> {
            type Value = Table<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Table<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Table)
            }
        }
        from.deserialize_map(Only(PhantomData))
    }
}

/// The text of a duration, not yet understood; a type of its own so that a bare number is told how to get a unit.
pub(super) struct Period(pub String);

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Period, D::Error> {
        struct Quoted;
        impl Visitor<'_> for Quoted {
            type Value = Period;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Period, E> {
                Ok(Period(text.to_owned()))
            }
        }
        from.deserialize_str(Quoted)
    }
}

/// Reads the text as far as TOML and the keys go.
pub(super) fn read(text: Text<'_>) -> Result<RawScenario, ScenarioError> {
    // The version comes first: in a file of another one, every other complaint would be misleading.
    #[derive(serde::Deserialize)]
    struct Version {
        schema: Option<Spanned<Value>>,
    }
    let version: Version = toml::from_str(text.text).map_err(|error| explained(text, error))?;
    let Some(schema) = version.schema else {
        let hint = format!("begin with \"schema = {SCHEMA}\", the version of the format");
        return Err(text.error(first_key(text.text), "the key `schema` is missing", hint));
    };
    match schema.get_ref() {
        Value::Integer(SCHEMA) => toml::from_str(text.text).map_err(|error| explained(text, error)),
        Value::Integer(newer) if *newer > SCHEMA => Err(text.error(
            schema.span(),
            format!("written in schema {newer}; pgsquall {} reads schema {SCHEMA}", env!("CARGO_PKG_VERSION")),
            "run it with a newer pgsquall",
        )),
        Value::Integer(other) => {
            let hint = format!("write \"schema = {SCHEMA}\"");
            Err(text.error(schema.span(), format!("there is no schema {other}"), hint))
        }
        _ => {
            let hint = format!("write \"schema = {SCHEMA}\", without quotes around the number");
            Err(text.error(schema.span(), "`schema` is not a whole number", hint))
        }
    }
}

/// Where the first key stands, after comments and blank lines; the end of a text that has none.
pub(super) fn first_key(text: &str) -> std::ops::Range<usize> {
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

/// What the TOML reader found, in the words of somebody who writes scenarios.
fn explained(text: Text<'_>, error: toml::de::Error) -> ScenarioError {
    let found = error.message();
    // serde puts every word of the file and of the schema between backticks, the offending one first.
    let words: Vec<&str> = found.split('`').skip(1).step_by(2).collect();
    let (message, hint) = if found.starts_with("unknown field")
        && let Some((key, keys)) = words.split_first()
    {
        let likely = near::meant(key, keys.iter().copied()).map(|key| format!("did you mean `{key}`? "));
        (
            format!("unknown key {}", quoted(key)),
            format!("{}keys here: {}", likely.unwrap_or_default(), keys.join(", ")),
        )
    } else if let Some((found, expected)) =
        found.strip_prefix("invalid type: ").and_then(|types| types.rsplit_once(", expected "))
    {
        wrong_type(found, expected, words.first().copied())
    } else if found.starts_with("duplicate key") {
        (found.to_owned(), "a key may stand only once in its table".to_owned())
    } else {
        (found.to_owned(), "the file is TOML: `key = value` lines, text in \"quotes\"; see https://toml.io".to_owned())
    };
    text.error(error.span().unwrap_or_else(|| first_key(text.text)), message, hint)
}

/// Message and hint for a value of another type than the key has. `value` is the value itself, where it is short.
fn wrong_type(found: &str, expected: &str, value: Option<&str>) -> (String, String) {
    let found = match found {
        "sequence" => "an array",
        "map" => "a table",
        other => other,
    };
    let number = value.filter(|value| value.parse::<f64>().is_ok());
    let (expected, hint) = match (expected, number) {
        ("a duration", Some(n)) => (expected, format!("a duration is text with a unit: write \"{n}s\" or \"{n}ms\"")),
        ("a duration", None) => (expected, "a duration is text with a unit, like \"2s\"".to_owned()),
        ("a string", _) => (expected, "write it in \"quotes\"".to_owned()),
        // The only other list is one of words.
        ("a sequence", _) if found.starts_with("string") => ("a list", "write a list in [brackets]".to_owned()),
        ("a sequence", _) => ("a list of tables", "each fault begins with [[fault]], in double brackets".to_owned()),
        ("a table" | "a map", _) => {
            ("a table", "write its name in [brackets] on a line of its own, its keys below".to_owned())
        }
        ("i64", _) => ("a whole number", "write a whole number, without quotes".to_owned()),
        ("f64", _) => ("a number", "write a number, without quotes".to_owned()),
        ("a boolean", _) => ("true or false", "write true or false, without quotes".to_owned()),
        _ => (expected, "the format is described in the scenarios that `pgsquall list` shows".to_owned()),
    };
    (format!("wrong type: {found}, expected {expected}"), hint)
}

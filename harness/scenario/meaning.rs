//! Checks the values of a scenario file one by one, and converts them to the model's types.
//!
//! `timeline` checks the faults and their times.

use std::collections::BTreeMap;
use std::time::Duration;

use toml::Spanned;
use toml::de::DeValue;

use super::error::{ScenarioError, Text, quoted};
use super::near;
use super::table::{Table, number};
use crate::model::budget::{Budget, RecoveryFrom};
use crate::model::pace::{MOST_WORKERS, Pace, Pause};
use crate::model::time::{exact, parse_duration};

type Checked<T> = Result<T, ScenarioError>;

/// Longest duration in a scenario. Runs take real time, so a longer duration is a typing mistake.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Shortest interval of a worker: the resolution of its timers.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(1);

/// Shortest deadline of an operation: several times the duration of an undisturbed one. A shorter deadline, not the
/// fault, would end operations.
const SHORTEST_DEADLINE: Duration = Duration::from_millis(50);

/// Most callers for each connection: enough for a queue at four connections, and within the limit of workers at
/// sixteen.
const MOST_CALLERS: u32 = 16;

/// Settings that the harness needs: with other values it could not reach the server or read its log.
const OWN_SETTINGS: [&str; 12] = [
    "config_file",
    "data_directory",
    "hba_file",
    "ident_file",
    "lc_messages",
    "listen_addresses",
    "log_destination",
    "log_line_prefix",
    "logging_collector",
    "port",
    "unix_socket_directories",
    "unix_socket_permissions",
];

/// Reads text of one line for readers; `None` if the key is absent.
pub(super) fn line(text: Text<'_>, key: &str, value: Option<Spanned<String>>) -> Checked<Option<String>> {
    let Some(value) = value else { return Ok(None) };
    if value.get_ref().trim().is_empty() {
        return Err(text.error(value.span(), format!("the {key} is empty"), "say it in a few words"));
    }
    // Reports print it in a table cell.
    if value.get_ref().contains(char::is_control) {
        return Err(text.error(value.span(), format!("the {key} is not one line"), "explain more in comments"));
    }
    Ok(Some(value.into_inner().trim().to_owned()))
}

/// Reads a word out of a list.
pub(super) fn word<T: Copy>(text: Text<'_>, key: &str, value: &Spanned<String>, known: &[(&str, T)]) -> Checked<T> {
    let given = value.get_ref();
    if let Some((_, meaning)) = known.iter().find(|(word, _)| word == given) {
        return Ok(*meaning);
    }
    let words = || known.iter().map(|(word, _)| *word);
    let likely = near::meant(given, words()).map(|word| format!("did you mean \"{word}\"? ")).unwrap_or_default();
    let all = near::nearest(given, words()).join(", ");
    Err(text.error(value.span(), format!("unknown {key} {}", quoted(given)), format!("{likely}there are: {all}")))
}

/// Reads a duration; zero is allowed.
pub(super) fn period(text: Text<'_>, value: &Spanned<String>) -> Checked<Duration> {
    let given = value.get_ref().trim();
    let wrong = |message: String, hint: &str| Err(text.error(value.span(), message, hint));
    if given.starts_with('-') {
        return wrong(format!("{} is negative", quoted(given)), "times count forward from the steady state");
    }
    if given.len() > 60 {
        return wrong(format!("{} is not a duration", quoted(given)), "write it like \"500ms\", \"2s\" or \"1m 30s\"");
    }
    match parse_duration(given) {
        Ok(duration) if duration > LONGEST => {
            wrong(format!("{} is longer than a day", quoted(given)), "runs happen in real time: at most \"24h\"")
        }
        Ok(duration) => Ok(duration),
        // The library's message ends with the correct form, which is the hint here.
        Err(sentence) => match sentence.rsplit_once(": write ") {
            Some((message, hint)) => wrong(message.to_owned(), &format!("write {hint}")),
            None => wrong(sentence, "write it like \"500ms\", \"2s\" or \"1m 30s\""),
        },
    }
}

/// Reads a duration of at least `least`.
pub(super) fn at_least(text: Text<'_>, key: &str, value: &Spanned<String>, least: Duration) -> Checked<Duration> {
    match period(text, value)? {
        short if short < least => {
            let fault = if short.is_zero() { "zero" } else { "too short" };
            Err(text.error(
                value.span(),
                format!("`{key}` is {fault}"),
                format!("make it at least \"{}\"", exact(least)),
            ))
        }
        duration => Ok(duration),
    }
}

/// Reads a duration in whole seconds, for timers that count seconds.
pub(super) fn whole_seconds(text: Text<'_>, key: &str, value: &Spanned<String>, keeper: &str) -> Checked<Duration> {
    let time = at_least(text, key, value, Duration::from_secs(1))?;
    if time.subsec_nanos() == 0 {
        return Ok(time);
    }
    let hint = format!("{keeper} counts in whole seconds: write \"{}s\"", time.as_secs() + 1);
    Err(text.error(value.span(), format!("`{key}` is no whole number of seconds"), hint))
}

/// The keys of `[budget]`.
pub(super) const BUDGET: [&str; 9] = [
    "time_to_recover",
    "from",
    "op_deadline",
    "stability",
    "fail_fast",
    "stall_threshold",
    "attempts_per_worker",
    "throughput",
    "undisturbed",
];

/// Reads the limits; an absent key keeps its default.
pub(super) fn budget(text: Text<'_>, mut table: Table<'_>) -> Checked<Budget> {
    let mut budget = Budget::default();
    for (key, field) in [
        ("time_to_recover", &mut budget.time_to_recover),
        ("op_deadline", &mut budget.op_deadline),
        ("stability", &mut budget.stability),
        ("fail_fast", &mut budget.fail_fast),
        ("stall_threshold", &mut budget.stall_threshold),
    ] {
        if let Some(value) = table.period(key)? {
            *field = at_least(text, key, &value, Duration::from_millis(1))?;
        }
    }
    if let Some(value) = table.string("from")? {
        let known = [("heal", RecoveryFrom::Heal), ("inject", RecoveryFrom::Inject)];
        budget.from = word(text, "start of recovery", &value, &known)?;
    }
    if let Some(value) = table.integer("attempts_per_worker")? {
        // Zero is a valid, strict limit: no attempt beyond those that operations need.
        budget.attempts_per_worker = u32::try_from(*value.get_ref()).map_err(|_| {
            text.error(value.span(), "`attempts_per_worker` is out of range", format!("0 to {}", u32::MAX))
        })?;
    }
    if let Some(value) = table.float("throughput")? {
        budget.throughput = *value.get_ref();
        if !(0.0..=1.0).contains(&budget.throughput) {
            let hint = "a share of the steady rate: 0.9 is nine tenths of it";
            return Err(text.error(value.span(), "`throughput` is not between 0 and 1", hint));
        }
    }
    if let Some(value) = table.flag("undisturbed")? {
        budget.undisturbed = value.into_inner();
    }
    Ok(budget)
}

/// The keys of `[load]`.
pub(super) const LOAD: [&str; 6] = ["workers", "callers_per_connection", "interval", "pause", "listen", "deadline"];

/// Reads the pace of the workload, and its pause with the position of its onset; an absent key keeps its default.
pub(super) fn load(text: Text<'_>, mut table: Table<'_>) -> Checked<(Pace, Option<Spanned<Pause>>)> {
    let mut load = Pace::default();
    let workers = table.integer("workers")?;
    if let Some(value) = &workers {
        let hint = format!("1 to {MOST_WORKERS} operations can be open at once");
        load.workers = within(text, "workers", value, MOST_WORKERS, hint)?;
    }
    if let Some(value) = table.integer("callers_per_connection")? {
        let hint = format!("1 to {MOST_CALLERS} callers for each operation that the client can carry");
        load.callers_per_connection = within(text, "callers_per_connection", &value, MOST_CALLERS, hint)?;
        if let Some(workers) = workers {
            let hint = "remove it: how many there are follows from what the client says it can carry";
            return Err(text.error(workers.span(), "`workers` has no say beside `callers_per_connection`", hint));
        }
    }
    if let Some(value) = table.period("interval")? {
        load.interval = at_least(text, "interval", &value, SHORTEST_INTERVAL)?;
    }
    load.listen = table.flag("listen")?.is_some_and(Spanned::into_inner);
    if let Some(value) = table.period("deadline")? {
        load.deadline = Some(at_least(text, "deadline", &value, SHORTEST_DEADLINE)?);
    }
    let pause = table.table("pause", &["at", "for"])?.map(|table| pause(text, table)).transpose()?;
    load.pause = pause.as_ref().map(|pause| *pause.get_ref());
    Ok((load, pause))
}

/// Reads a number from one to `most`.
fn within(text: Text<'_>, key: &str, value: &Spanned<i64>, most: u32, hint: String) -> Checked<u32> {
    let number = u32::try_from(*value.get_ref()).ok().filter(|number| (1..=most).contains(number));
    number.ok_or_else(|| text.error(value.span(), format!("`{key}` is out of range"), hint))
}

/// Reads the pause of the workload; `timeline` checks its times.
fn pause(text: Text<'_>, mut table: Table<'_>) -> Checked<Spanned<Pause>> {
    let span = table.span.clone();
    let missing = |key, hint| text.error(span.clone(), format!("the pause has no `{key}`"), hint);
    let (at, lasts) = (table.period("at")?, table.period("for")?);
    let at = at.ok_or_else(|| missing("at", "say how long after the steady state it begins, like at = \"2s\""))?;
    let lasts = lasts.ok_or_else(|| missing("for", "say for how long nothing is begun, like for = \"4s\""))?;
    let lasts = at_least(text, "for", &lasts, SHORTEST_INTERVAL)?;
    Ok(Spanned::new(at.span(), Pause { at: period(text, &at)?, lasts }))
}

/// Reads the settings of the server, by name.
///
/// Names are converted to lower case, because Postgres ignores case. The server checks whether a name exists, because
/// that depends on its version.
pub(super) fn settings(
    text: Text<'_>,
    given: Vec<(Spanned<String>, Spanned<DeValue<'_>>)>,
) -> Checked<Vec<(String, String)>> {
    let mut settings = BTreeMap::new();
    for (key, value) in given {
        let name = key.get_ref().to_ascii_lowercase();
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
        if name.is_empty() || !name.chars().all(allowed) {
            let message = format!("{} is not the name of a Postgres setting", quoted(&name));
            return Err(text.error(key.span(), message, "letters, digits, `_` and `.`, like max_connections"));
        }
        if OWN_SETTINGS.contains(&name.as_str()) {
            let message = format!("`{name}` belongs to the harness");
            return Err(text.error(
                key.span(),
                message,
                "leave it out: pgsquall needs it to reach and read the server",
            ));
        }
        let value = setting(text, &name, &value, ["off", "on"])?;
        if settings.insert(name.clone(), value).is_some() {
            let hint = "Postgres compares the names of settings without case";
            return Err(text.error(key.span(), format!("`{name}` is set twice"), hint));
        }
    }
    Ok(settings.into_iter().collect())
}

/// Reads the value of a setting as text. `words`: false and true in the program's notation.
pub(super) fn setting(text: Text<'_>, name: &str, value: &Spanned<DeValue<'_>>, words: [&str; 2]) -> Checked<String> {
    let written = match value.get_ref() {
        DeValue::String(word) => Some(word.to_string()).filter(|word| !word.contains(char::is_control)),
        DeValue::Integer(_) => number(value.get_ref()).map(|number| number.to_string()),
        DeValue::Float(float) => {
            float.as_str().parse().ok().filter(|number: &f64| number.is_finite()).map(|number| number.to_string())
        }
        DeValue::Boolean(on) => Some(words[usize::from(*on)].to_owned()),
        DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    };
    written.ok_or_else(|| {
        let hint = match value.get_ref().is_table() {
            true => "a name with a dot in it stands in \"quotes\"",
            false => "one line of text, a number, true or false",
        };
        text.error(value.span(), format!("`{name}` cannot have this value"), hint)
    })
}

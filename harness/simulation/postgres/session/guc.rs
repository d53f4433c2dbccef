//! The settings of a session: what it was begun with, what it has set, and what a rollback takes back.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use super::super::report::Report;

/// Settings that are known, by their names, and what they are where nobody has set them.
const KNOWN: [(&str, &str); 41] = [
    ("application_name", ""),
    ("bytea_output", "hex"),
    ("check_function_bodies", "on"),
    ("client_connection_check_interval", "0"),
    ("client_encoding", "UTF8"),
    ("client_min_messages", "notice"),
    ("datestyle", "ISO, MDY"),
    ("deadlock_timeout", "1s"),
    ("default_transaction_deferrable", "off"),
    ("default_transaction_isolation", "read committed"),
    ("default_transaction_read_only", "off"),
    ("extra_float_digits", "1"),
    ("idle_in_transaction_session_timeout", "0"),
    ("idle_session_timeout", "0"),
    ("in_hot_standby", "off"),
    ("integer_datetimes", "on"),
    ("intervalstyle", "postgres"),
    ("is_superuser", "off"),
    ("jit", "on"),
    ("lock_timeout", "0"),
    ("log_statement", "none"),
    ("max_connections", "100"),
    ("plan_cache_mode", "auto"),
    ("row_security", "on"),
    ("search_path", "\"$user\", public"),
    ("server_encoding", "UTF8"),
    ("server_version", ""),
    ("server_version_num", ""),
    ("session_authorization", ""),
    ("standard_conforming_strings", "on"),
    ("statement_timeout", "0"),
    ("synchronous_commit", "on"),
    ("tcp_keepalives_count", "0"),
    ("tcp_keepalives_idle", "0"),
    ("tcp_keepalives_interval", "0"),
    ("tcp_user_timeout", "0"),
    ("timezone", "UTC"),
    ("transaction_isolation", "read committed"),
    ("transaction_read_only", "off"),
    ("transaction_timeout", "0"),
    ("work_mem", "4MB"),
];

/// Those that nobody sets.
const FIXED: [&str; 8] = [
    "in_hot_standby",
    "integer_datetimes",
    "is_superuser",
    "max_connections",
    "server_encoding",
    "server_version",
    "server_version_num",
    "deadlock_timeout",
];

/// Those of which a client is told whenever they change, as they are called then.
const REPORTED: [(&str, &str); 6] = [
    ("application_name", "application_name"),
    ("client_encoding", "client_encoding"),
    ("datestyle", "DateStyle"),
    ("intervalstyle", "IntervalStyle"),
    ("standard_conforming_strings", "standard_conforming_strings"),
    ("timezone", "TimeZone"),
];

/// The timeouts in force; `None`: none.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Timeouts {
    pub statement: Option<Duration>,
    pub lock: Option<Duration>,
    pub idle: Option<Duration>,
    pub idle_in_transaction: Option<Duration>,
    pub transaction: Option<Duration>,
}

#[derive(Debug, Default)]
pub(in super::super) struct Guc {
    major: u32,
    /// What it was begun with: RESET goes back to these.
    initial: BTreeMap<String, String>,
    current: BTreeMap<String, String>,
    pub(super) timeouts: Timeouts,
    /// How to take back what this transaction has set, the newest last; and whether only for as long as it lasts.
    undo: Vec<(String, Option<String>, bool)>,
    /// Reported ones that have changed since the client was told, by their places.
    changed: Vec<usize>,
    /// What the client was told last of those that it is told.
    told: [Option<String>; REPORTED.len()],
}

fn unrecognized(name: &str) -> Report {
    Report::error("42704", format!("unrecognized configuration parameter \"{name}\""))
}

fn invalid(name: &str, value: &str) -> Report {
    Report::error("22023", format!("invalid value for parameter \"{name}\": \"{value}\""))
}

/// Milliseconds of a text with or without a unit.
fn milliseconds(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let number: u64 = text[..digits].parse().ok()?;
    let unit = match text[digits..].trim() {
        "" | "ms" => 1,
        "s" => 1_000,
        "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(unit).filter(|ms| *ms <= i32::MAX as u64)
}

/// In the largest unit that needs no fraction, as SHOW has it.
fn shown(ms: u64) -> String {
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s"), (1, "ms")];
    match units.into_iter().find(|(unit, _)| ms > 0 && ms.is_multiple_of(*unit)) {
        Some((unit, name)) => format!("{}{name}", ms / unit),
        None => "0".into(),
    }
}

fn is_timeout(name: &str) -> bool {
    name.ends_with("_timeout") && !name.starts_with("tcp_")
}

fn known(name: &str) -> Option<&'static str> {
    KNOWN.binary_search_by_key(&name, |(known, _)| known).ok().map(|place| KNOWN[place].1)
}

fn is_switch(name: &str) -> bool {
    matches!(known(name), Some("on" | "off")) && name != "synchronous_commit"
}

/// Names may be written in capitals, and hardly ever are.
fn lower(name: &str) -> Cow<'_, str> {
    match name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        true => name.to_ascii_lowercase().into(),
        false => name.into(),
    }
}

impl Guc {
    pub fn new(major: u32) -> Guc {
        Guc { major, ..Guc::default() }
    }

    fn default_of(&self, name: &str) -> Option<&'static str> {
        match name {
            "idle_session_timeout" | "client_connection_check_interval" | "in_hot_standby" if self.major < 14 => None,
            "transaction_timeout" if self.major < 17 => None,
            _ => known(name),
        }
    }

    /// What a session begins with: of its role, or of its startup packet.
    pub fn begin_with(&mut self, name: &str, value: &str) -> Result<(), Report> {
        let name = name.to_ascii_lowercase();
        let value = self.check(&name, value)?;
        self.initial.insert(name.clone(), value.clone());
        let is_timeout = is_timeout(&name);
        self.current.insert(name, value);
        if is_timeout {
            self.look_at_timeouts();
        }
        Ok(())
    }

    fn check(&self, name: &str, value: &str) -> Result<String, Report> {
        if self.default_of(name).is_none() && !name.contains('.') {
            return Err(unrecognized(name));
        }
        if FIXED.contains(&name) {
            return Err(Report::error("55P02", format!("parameter \"{name}\" cannot be changed")));
        }
        if is_timeout(name) {
            return milliseconds(value).map(shown).ok_or_else(|| invalid(name, value));
        }
        if is_switch(name) {
            return match value.to_ascii_lowercase().as_str() {
                "on" | "true" | "yes" | "1" => Ok("on".into()),
                "off" | "false" | "no" | "0" => Ok("off".into()),
                _ => Err(Report::error("22023", format!("parameter \"{name}\" requires a Boolean value"))),
            };
        }
        if name == "client_encoding" && !value.replace('-', "").eq_ignore_ascii_case("utf8") {
            return Err(Report::error("0A000", "the simulated server speaks UTF8 only"));
        }
        Ok(value.to_owned())
    }

    /// Sets, or goes back to what it was in the beginning; `local`: until the transaction ends.
    pub fn set(&mut self, name: &str, value: Option<&str>, local: bool) -> Result<(), Report> {
        let name = name.to_ascii_lowercase();
        let value = match value {
            Some(value) => Some(self.check(&name, value)?),
            None if self.default_of(&name).is_none() && !self.current.contains_key(&name) => {
                return Err(unrecognized(&name));
            }
            None => self.initial.get(&name).cloned(),
        };
        let before = self.put(&name, value);
        self.undo.push((name, before, local));
        Ok(())
    }

    fn put(&mut self, name: &str, value: Option<String>) -> Option<String> {
        let before = match value {
            Some(value) => self.current.insert(name.to_owned(), value),
            None => self.current.remove(name),
        };
        let reported = REPORTED.iter().position(|(known, _)| *known == name);
        if let Some(place) = reported.filter(|place| !self.changed.contains(place)) {
            self.changed.push(place);
        }
        self.look_at_timeouts();
        before
    }

    pub fn reset_all(&mut self) {
        for name in self.current.keys().cloned().collect::<Vec<_>>() {
            let value = self.initial.get(&name).cloned();
            let before = self.put(&name, value);
            self.undo.push((name, before, false));
        }
    }

    /// The transaction is over: takes back what was set for it, or in it, if it comes to nothing.
    pub fn end_transaction(&mut self, committed: bool) {
        while let Some((name, before, local)) = self.undo.pop() {
            if local || !committed {
                self.put(&name, before);
            }
        }
    }

    /// The reported ones of which the client knows another value than they have, as they are called then.
    pub(super) fn news(&mut self) -> Vec<(&'static str, String)> {
        let mut news = Vec::new();
        for place in std::mem::take(&mut self.changed) {
            let (known, shown) = REPORTED[place];
            let value = self.show(known).unwrap_or_default().to_owned();
            if self.told[place].as_ref() != Some(&value) {
                self.told[place] = Some(value.clone());
                news.push((shown, value));
            }
        }
        news
    }

    /// The client has been told of all of them.
    pub(super) fn told(&mut self) {
        self.changed.clear();
        self.told = REPORTED.map(|(known, _)| self.show(known).ok().map(str::to_owned));
    }

    /// How much has been set so far in this transaction.
    pub fn mark(&self) -> usize {
        self.undo.len()
    }

    /// Takes back what was set since.
    pub fn back_to(&mut self, mark: usize) {
        while self.undo.len() > mark {
            if let Some((name, before, _)) = self.undo.pop() {
                self.put(&name, before);
            }
        }
    }

    /// *Errors*: 42704 where nobody knows it.
    pub fn show(&self, name: &str) -> Result<&str, Report> {
        let lower = lower(name);
        match self.current.get(lower.as_ref()) {
            Some(value) => Ok(value),
            None => self.default_of(&lower).ok_or_else(|| unrecognized(name)),
        }
    }

    /// What somebody has set it to; `None`: it is what it always is.
    pub fn own(&self, name: &str) -> Option<&str> {
        self.current.get(name).map(String::as_str)
    }

    fn look_at_timeouts(&mut self) {
        let of = |name: &str| {
            let ms = self.current.get(name).and_then(|value| milliseconds(value)).filter(|ms| *ms > 0);
            ms.map(Duration::from_millis)
        };
        self.timeouts = Timeouts {
            statement: of("statement_timeout"),
            lock: of("lock_timeout"),
            idle: of("idle_session_timeout"),
            idle_in_transaction: of("idle_in_transaction_session_timeout"),
            transaction: of("transaction_timeout"),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_setting_is_found() {
        assert!(KNOWN.iter().all(|(name, default)| known(name) == Some(default)), "they must stay sorted");
    }

    #[test]
    fn times_are_shown_in_their_largest_unit_and_nonsense_is_refused() {
        let mut guc = Guc::new(15);
        for (given, expected) in [("500", "500ms"), ("1000ms", "1s"), ("90s", "90s"), ("0", "0"), ("2 min", "2min")] {
            guc.set("statement_timeout", Some(given), false).unwrap();
            assert_eq!(guc.show("Statement_Timeout").unwrap(), expected);
        }
        assert_eq!(guc.set("statement_timeout", Some("soon"), false).unwrap_err().code, "22023");
        assert_eq!(guc.set("no_such", Some("1"), false).unwrap_err().code, "42704");
        assert_eq!(guc.set("transaction_timeout", Some("1"), false).unwrap_err().code, "42704");
    }

    #[test]
    fn a_rollback_takes_back_all_and_a_commit_what_was_local() {
        let mut guc = Guc::new(17);
        guc.set("work_mem", Some("1MB"), false).unwrap();
        guc.end_transaction(true);
        guc.set("work_mem", Some("2MB"), true).unwrap();
        guc.set("lock_timeout", Some("5s"), false).unwrap();
        guc.end_transaction(true);
        assert_eq!((guc.show("work_mem").unwrap(), guc.show("lock_timeout").unwrap()), ("1MB", "5s"));
        guc.set("work_mem", None, false).unwrap();
        guc.end_transaction(false);
        assert_eq!(guc.show("work_mem").unwrap(), "1MB");
    }
}

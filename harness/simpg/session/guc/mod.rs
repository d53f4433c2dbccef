//! The settings of a session: initial and current values, and the changes to undo after a rollback.

pub(super) mod setting;

use std::collections::BTreeMap;
use std::time::Duration;

use self::setting::{
    CHECK_INTERVAL, CLIENT_ENCODING, FIXED, IDLE_IN_TRANSACTION, IDLE_SESSION, IN_HOT_STANDBY, Key, LOCK, REPORTED,
    STATEMENT, Setting, TRANSACTION, key,
};
use super::super::report::Report;

/// The timeouts in force; `None`: without limit.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Timeouts {
    pub statement: Option<Duration>,
    pub lock: Option<Duration>,
    pub idle: Option<Duration>,
    pub idle_in_transaction: Option<Duration>,
    pub transaction: Option<Duration>,
}

/// The settings of a session.
#[derive(Debug, Default)]
pub(crate) struct Guc {
    major: u32,
    /// Values at the start of the session, which RESET restores; a missing one is the default.
    initial: BTreeMap<Key, String>,
    current: BTreeMap<Key, String>,
    pub(super) timeouts: Timeouts,
    /// Previous values of settings changed in this transaction, the newest last; `true`: changed by SET LOCAL.
    undo: Vec<(Key, Option<String>, bool)>,
    /// Indices into `REPORTED` of settings that may have changed since they were last reported.
    changed: Vec<usize>,
    /// The last reported values.
    told: [Option<String>; REPORTED.len()],
}

fn unrecognized(name: &str) -> Report {
    Report::error("42704", format!("unrecognized configuration parameter \"{name}\""))
}

fn invalid(name: &str, value: &str) -> Report {
    Report::error("22023", format!("invalid value for parameter \"{name}\": \"{value}\""))
}

/// Parses a duration with or without a unit. *Units*: milliseconds.
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

/// Formats a duration in the largest unit without a fraction, as SHOW does.
fn shown(ms: u64) -> String {
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s"), (1, "ms")];
    match units.into_iter().find(|(unit, _)| ms > 0 && ms.is_multiple_of(*unit)) {
        Some((unit, name)) => format!("{}{name}", ms / unit),
        None => "0".into(),
    }
}

impl Guc {
    pub fn new(major: u32) -> Guc {
        Guc { major, ..Guc::default() }
    }

    /// The default value; `None`: this version does not have the setting.
    fn default_of(&self, key: &Key) -> Option<&'static str> {
        match key {
            Key::Known(IDLE_SESSION | CHECK_INTERVAL | IN_HOT_STANDBY) if self.major < 14 => None,
            Key::Known(TRANSACTION) if self.major < 17 => None,
            Key::Known(setting) => Some(setting.default()),
            Key::Custom(_) => None,
        }
    }

    /// Sets an initial value, of the role or of the startup packet.
    ///
    /// *Errors*: as [`check`](Guc::check).
    pub fn begin_with(&mut self, name: &str, value: &str) -> Result<(), Report> {
        let key = key(name);
        let value = self.check(&key, name, value)?;
        self.initial.insert(key.clone(), value.clone());
        let is_timeout = matches!(key, Key::Known(setting) if setting.is_timeout());
        self.current.insert(key, value);
        if is_timeout {
            self.look_at_timeouts();
        }
        Ok(())
    }

    /// Checks a value, and converts it to the form that SHOW displays.
    ///
    /// *Errors*: 42704 for an unknown setting, 55P02 for a fixed one, 22023 or 0A000 for an invalid value.
    fn check(&self, key: &Key, name: &str, value: &str) -> Result<String, Report> {
        let setting = match key {
            Key::Known(setting) if self.default_of(key).is_some() => *setting,
            Key::Custom(name) if name.contains('.') => return Ok(value.to_owned()),
            _ => return Err(unrecognized(&name.to_ascii_lowercase())),
        };
        let name = setting.name();
        if FIXED.contains(&setting) {
            return Err(Report::error("55P02", format!("parameter \"{name}\" cannot be changed")));
        }
        if setting.is_timeout() {
            return milliseconds(value).map(shown).ok_or_else(|| invalid(name, value));
        }
        if setting.is_switch() {
            return match value.to_ascii_lowercase().as_str() {
                "on" | "true" | "yes" | "1" => Ok("on".into()),
                "off" | "false" | "no" | "0" => Ok("off".into()),
                _ => Err(Report::error("22023", format!("parameter \"{name}\" requires a Boolean value"))),
            };
        }
        if setting == CLIENT_ENCODING && !value.replace('-', "").eq_ignore_ascii_case("utf8") {
            return Err(Report::error("0A000", "the simulated server speaks UTF8 only"));
        }
        Ok(value.to_owned())
    }

    /// Sets a value, or resets it to the initial one; `local`: until the transaction ends.
    ///
    /// *Errors*: as [`check`](Guc::check).
    pub fn set(&mut self, name: &str, value: Option<&str>, local: bool) -> Result<(), Report> {
        let key = key(name);
        let value = match value {
            Some(value) => Some(self.check(&key, name, value)?),
            None if self.default_of(&key).is_none() && !self.current.contains_key(&key) => {
                return Err(unrecognized(&name.to_ascii_lowercase()));
            }
            None => self.initial.get(&key).cloned(),
        };
        let before = self.put(&key, value);
        self.undo.push((key, before, local));
        Ok(())
    }

    /// Stores a value, or removes it; returns the previous one.
    fn put(&mut self, key: &Key, value: Option<String>) -> Option<String> {
        let before = match value {
            Some(value) => self.current.insert(key.clone(), value),
            None => self.current.remove(key),
        };
        let reported = REPORTED.iter().position(|(known, _)| *key == Key::Known(*known));
        if let Some(place) = reported.filter(|place| !self.changed.contains(place)) {
            self.changed.push(place);
        }
        self.look_at_timeouts();
        before
    }

    pub fn reset_all(&mut self) {
        for key in self.current.keys().cloned().collect::<Vec<_>>() {
            let value = self.initial.get(&key).cloned();
            let before = self.put(&key, value);
            self.undo.push((key, before, false));
        }
    }

    /// Undoes the transaction's SET LOCALs, and after a rollback every SET.
    pub fn end_transaction(&mut self, committed: bool) {
        while let Some((key, before, local)) = self.undo.pop() {
            if local || !committed {
                self.put(&key, before);
            }
        }
    }

    /// Returns the settings to report, with the names that clients see: those changed since the last call.
    pub(super) fn news(&mut self) -> Vec<(&'static str, String)> {
        let mut news = Vec::new();
        for place in std::mem::take(&mut self.changed) {
            let (known, shown) = REPORTED[place];
            let value = self.value(known);
            if self.told[place].as_deref() != Some(value) {
                let value = value.to_owned();
                self.told[place] = Some(value.clone());
                news.push((shown, value));
            }
        }
        news
    }

    /// Marks all current values as reported.
    pub(super) fn told(&mut self) {
        self.changed.clear();
        self.told = REPORTED.map(|(known, _)| Some(self.value(known).to_owned()));
    }

    /// The position in the undo list, for a savepoint.
    pub fn mark(&self) -> usize {
        self.undo.len()
    }

    /// Undoes the changes since a position.
    pub fn back_to(&mut self, mark: usize) {
        while self.undo.len() > mark {
            if let Some((key, before, _)) = self.undo.pop() {
                self.put(&key, before);
            }
        }
    }

    /// The value that SHOW displays.
    ///
    /// *Errors*: 42704 for an unknown setting.
    pub fn show(&self, name: &str) -> Result<&str, Report> {
        let key = key(name);
        match self.current.get(&key) {
            Some(value) => Ok(value),
            None => self.default_of(&key).ok_or_else(|| unrecognized(name)),
        }
    }

    /// The value of a setting that every version has.
    pub(super) fn value(&self, setting: Setting) -> &str {
        self.own(setting).unwrap_or(setting.default())
    }

    /// The value that was set; `None`: the default applies.
    pub(super) fn own(&self, setting: Setting) -> Option<&str> {
        self.current.get(&Key::Known(setting)).map(String::as_str)
    }

    fn look_at_timeouts(&mut self) {
        let of = |setting| {
            let ms = self.own(setting).and_then(milliseconds).filter(|ms| *ms > 0);
            ms.map(Duration::from_millis)
        };
        self.timeouts = Timeouts {
            statement: of(STATEMENT),
            lock: of(LOCK),
            idle: of(IDLE_SESSION),
            idle_in_transaction: of(IDLE_IN_TRANSACTION),
            transaction: of(TRANSACTION),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

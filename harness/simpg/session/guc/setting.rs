//! The settings that the simulated server supports, by name.

/// Known settings with their default values, sorted by name for the binary search.
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

/// An index into `KNOWN`, so that each name is looked up once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Setting(usize);

impl Setting {
    /// The setting of this name; an unknown name fails to compile.
    const fn named(name: &str) -> Setting {
        let mut place = 0;
        while !is_same(KNOWN[place].0, name) {
            place += 1;
        }
        Setting(place)
    }

    pub(super) fn name(self) -> &'static str {
        KNOWN[self.0].0
    }

    pub(super) fn default(self) -> &'static str {
        KNOWN[self.0].1
    }

    pub(super) fn is_timeout(self) -> bool {
        self.name().ends_with("_timeout") && !self.name().starts_with("tcp_")
    }

    pub(super) fn is_switch(self) -> bool {
        matches!(self.default(), "on" | "off") && self != SYNCHRONOUS_COMMIT
    }
}

const fn is_same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let mut place = 0;
    while place < one.len() && place < other.len() && one[place] == other[place] {
        place += 1;
    }
    place == one.len() && place == other.len()
}

pub(crate) const APPLICATION_NAME: Setting = Setting::named("application_name");
pub(crate) const CLIENT_ENCODING: Setting = Setting::named("client_encoding");
pub(crate) const DATESTYLE: Setting = Setting::named("datestyle");
pub(crate) const DEFAULT_ISOLATION: Setting = Setting::named("default_transaction_isolation");
pub(crate) const DEFAULT_READ_ONLY: Setting = Setting::named("default_transaction_read_only");
pub(crate) const INTERVALSTYLE: Setting = Setting::named("intervalstyle");
pub(crate) const SEARCH_PATH: Setting = Setting::named("search_path");
pub(crate) const STANDARD_STRINGS: Setting = Setting::named("standard_conforming_strings");
pub(crate) const TIMEZONE: Setting = Setting::named("timezone");
pub(super) const CHECK_INTERVAL: Setting = Setting::named("client_connection_check_interval");
pub(super) const IDLE_IN_TRANSACTION: Setting = Setting::named("idle_in_transaction_session_timeout");
pub(super) const IDLE_SESSION: Setting = Setting::named("idle_session_timeout");
pub(super) const IN_HOT_STANDBY: Setting = Setting::named("in_hot_standby");
pub(super) const LOCK: Setting = Setting::named("lock_timeout");
pub(super) const STATEMENT: Setting = Setting::named("statement_timeout");
const SYNCHRONOUS_COMMIT: Setting = Setting::named("synchronous_commit");
pub(super) const TRANSACTION: Setting = Setting::named("transaction_timeout");

/// Settings that a client cannot change; `deadlock_timeout` because ordinary roles cannot.
pub(super) const FIXED: [Setting; 8] = [
    IN_HOT_STANDBY,
    Setting::named("integer_datetimes"),
    Setting::named("is_superuser"),
    Setting::named("max_connections"),
    Setting::named("server_encoding"),
    Setting::named("server_version"),
    Setting::named("server_version_num"),
    Setting::named("deadlock_timeout"),
];

/// Settings whose changes are reported to the client, with the names that the client sees.
pub(super) const REPORTED: [(Setting, &str); 6] = [
    (APPLICATION_NAME, "application_name"),
    (CLIENT_ENCODING, "client_encoding"),
    (DATESTYLE, "DateStyle"),
    (INTERVALSTYLE, "IntervalStyle"),
    (STANDARD_STRINGS, "standard_conforming_strings"),
    (TIMEZONE, "TimeZone"),
];

/// The key of a setting.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    Known(Setting),
    /// A custom setting: any name with a dot.
    Custom(String),
}

/// The key for a name in any case; tried as written first, because capitals are rare.
pub(super) fn key(name: &str) -> Key {
    let place = |name: &str| KNOWN.binary_search_by_key(&name, |(known, _)| known).ok();
    match place(name).or_else(|| place(&name.to_ascii_lowercase())) {
        Some(place) => Key::Known(Setting(place)),
        None => Key::Custom(name.to_ascii_lowercase()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_setting_is_found() {
        let places = KNOWN.iter().enumerate();
        let lost = places.filter(|(place, (name, _))| key(name) != Key::Known(Setting(*place))).collect::<Vec<_>>();
        assert!(lost.is_empty(), "they must stay sorted: {lost:?}");
        assert_eq!(Setting::named("timezone").name(), "timezone");
        assert_eq!(key("TimeZone"), Key::Known(TIMEZONE));
    }
}

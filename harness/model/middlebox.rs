//! The middlebox between gateway and server: a real program with its settings. Plain data; `environment` runs it.

use std::fmt;

use crate::model::words;
use serde::{Deserialize, Serialize};

words! {
    /// A program through which every connection passes.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub enum Program {
        /// A pool of server sessions, which speaks the Postgres protocol; its own errors are FATAL 08P01.
        PgBouncer = "pgbouncer",
        /// A TCP load balancer, which forwards bytes and does not parse the protocol.
        HaProxy = "haproxy",
    }
}

impl Program {
    /// Whether the program keeps its sessions at the server when a client disconnects, so that their number says
    /// nothing about clients.
    pub fn pools_sessions(self) -> bool {
        self == Program::PgBouncer
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Program::PgBouncer => "PgBouncer",
            Program::HaProxy => "HAProxy",
        })
    }
}

/// A program in the path, with the settings that the scenario gives it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Middlebox {
    pub through: Program,
    /// Names and values in the syntax of the program (`client_idle_timeout`, `timeout client`); each name at most once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub settings: Vec<(String, String)>,
}

impl fmt::Display for Middlebox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.through)?;
        for (index, (name, value)) in self.settings.iter().enumerate() {
            write!(f, "{}{name} = {value}", if index == 0 { ": " } else { ", " })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_readable_and_is_read() {
        let settings = vec![("timeout client".to_owned(), "2s".to_owned())];
        let haproxy = Middlebox { through: Program::HaProxy, settings };
        let pgbouncer = Middlebox { through: Program::PgBouncer, settings: Vec::new() };
        for (middlebox, stored, shown) in [
            (haproxy, r#"{"through":"haproxy","settings":[["timeout client","2s"]]}"#, "HAProxy: timeout client = 2s"),
            (pgbouncer, r#"{"through":"pgbouncer"}"#, "PgBouncer"),
        ] {
            assert_eq!(serde_json::to_string(&middlebox).unwrap(), stored);
            assert_eq!(serde_json::from_str::<Middlebox>(stored).unwrap(), middlebox);
            assert_eq!(middlebox.to_string(), shown);
        }
    }

    #[test]
    fn words_are_those_of_scenario_files() {
        for (word, program) in Program::ALL {
            assert_eq!((program.word(), program.to_string().to_ascii_lowercase().as_str()), (word, word));
        }
    }
}

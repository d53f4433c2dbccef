//! Exit codes, and the code of each error. Stable: scripts depend on them.

use std::process::ExitCode;

use pgsquall::Error;
use pgsquall::client::ClientError;
use pgsquall::conformance::ConformanceError;
use pgsquall::environment::EnvironmentError;
use pgsquall::judge::VerdictKind;
use pgsquall::server::ServerError;
use pgsquall::toxiproxy::ServiceError;

/// How the program ends. The worst of several wins; the order is that of the variants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// 0: every verdict is pass, or the command succeeded.
    Pass,
    /// 2: a verdict is unknown, and none is fail.
    Unknown,
    /// 1: a verdict is fail.
    Fail,
    /// 69: no server, no client, or no scenario could be run here.
    Unavailable,
    /// 70: the harness itself failed.
    Internal,
    /// 64: bad arguments or a bad scenario.
    Usage,
    /// 130: stopped by Ctrl-C, after cleaning up.
    Interrupted,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(match exit {
            Exit::Pass => 0,
            Exit::Fail => 1,
            Exit::Unknown => 2,
            Exit::Usage => 64,
            Exit::Unavailable => 69,
            Exit::Internal => 70,
            Exit::Interrupted => 130,
        })
    }
}

impl From<VerdictKind> for Exit {
    fn from(verdict: VerdictKind) -> Exit {
        match verdict {
            VerdictKind::Pass => Exit::Pass,
            VerdictKind::Unknown => Exit::Unknown,
            VerdictKind::Fail => Exit::Fail,
        }
    }
}

impl From<&Error> for Exit {
    fn from(error: &Error) -> Exit {
        match error {
            Error::Scenario(_) | Error::NoClient => Exit::Usage,
            Error::Client(error) => error.into(),
            Error::Environment(EnvironmentError::Server(error)) => error.into(),
            // A full or missing disk counts as unavailable, like a server.
            Error::Environment(_) | Error::NotExpressible { .. } | Error::Nemesis(_) | Error::Store { .. } => {
                Exit::Unavailable
            }
            _ => Exit::Internal,
        }
    }
}

impl From<&ClientError> for Exit {
    fn from(error: &ClientError) -> Exit {
        match error {
            ClientError::Unknown { .. } | ClientError::NoProfile { .. } => Exit::Usage,
            _ => Exit::Unavailable,
        }
    }
}

impl From<&ServerError> for Exit {
    fn from(error: &ServerError) -> Exit {
        match error {
            ServerError::BadUrl(_) => Exit::Usage,
            _ => Exit::Unavailable,
        }
    }
}

impl From<&ConformanceError> for Exit {
    fn from(error: &ConformanceError) -> Exit {
        match error {
            ConformanceError::Client(error) => error.into(),
            ConformanceError::Environment(EnvironmentError::Server(error)) => error.into(),
            _ => Exit::Unavailable,
        }
    }
}

impl From<&ServiceError> for Exit {
    fn from(error: &ServiceError) -> Exit {
        match error {
            ServiceError::Settings(_) => Exit::Usage,
            _ => Exit::Unavailable,
        }
    }
}

//! Exit codes, and the exit code for each error. Do not change the numbers: scripts depend on them.

use std::process::ExitCode;

use pgsquall::Error;
use pgsquall::client::ClientError;
use pgsquall::conformance::ConformanceError;
use pgsquall::environment::EnvironmentError;
use pgsquall::judge::VerdictKind;
use pgsquall::server::ServerError;
use pgsquall::toxiproxy::ServiceError;

/// How the program ends. Ordered from best to worst, which is not the order of the codes; of several results, the worst
/// decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// 0: no verdict counts as failed or unknown, or the command succeeded.
    Pass,
    /// 2: a verdict is unknown, and none is fail.
    Unknown,
    /// 1: a verdict is fail, a client is worse than in the baseline, or another command found a failure.
    Fail,
    /// 69: something needed is missing here, every scenario was skipped, a fault could not be injected, or a file could
    /// not be stored.
    Unavailable,
    /// 70: the harness itself failed.
    Internal,
    /// 64: bad arguments, or a bad file that they name.
    Usage,
    /// 130: stopped by Ctrl-C, SIGTERM or SIGHUP, after cleaning up.
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
            // A file that cannot be stored counts as unavailable, like a missing server.
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

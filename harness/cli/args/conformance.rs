//! Arguments and help of `pgsquall conformance`.

use clap::Args;
use pgsquall::conformance::CASES;
use pgsquall::environment::choice::ServerChoice;

use super::values::ServerParser;

pub(super) fn help() -> String {
    let cases = CASES.map(|case| format!("  {:12} {}: {}", case.name, case.requirement, case.why)).join("\n");
    format!(
        "\
Example:
  pgsquall conformance --client 'python3 my_client.py default' --client 'python3 my_client.py tuned'
      each with its own server; takes about five seconds

Cases:
{cases}

Exit codes:
  0    every case passed or was skipped
  1    a case failed
  64   bad arguments
  69   something needed is not available here: a server, the client
  130  stopped by Ctrl-C, SIGTERM or SIGHUP, after cleaning up"
    )
}

#[derive(Debug, Args)]
pub struct ConformanceArguments {
    /// A client: a built-in client, a shipped adapter, or an adapter's command line; may be given several times
    #[arg(long = "client", required = true, value_name = "NAME|COMMAND")]
    pub clients: Vec<String>,

    /// The server: auto, local[:BINDIR], docker[:IMAGE] or postgres://user:password@host/database
    #[arg(long, default_value = "auto", value_parser = ServerParser, value_name = "SERVER")]
    pub server: ServerChoice,

    /// Clients at the same time, each with its own server; default: one per core
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=512), value_name = "N")]
    pub jobs: Option<u16>,
}

//! `pgsquall doctor`.

use std::time::Duration;

use clap::Args;

use super::values::above_zero;

pub(super) const HELP: &str = "\
Examples:
  pgsquall doctor postgres://app@db.example.com/app?sslmode=verify-full
      checks the connection stage by stage, then the server's settings; reads the password from PGPASSWORD too
  pgsquall doctor postgres://app@10.0.0.5/app?keepalives_idle=60 --idle-timeout 4m --json
      checks keepalive against the four-minute idle timeout of your own firewall; prints JSON
  It changes nothing and needs no superuser; a role with pg_monitor sees more. keepalives, keepalives_idle,
  keepalives_interval, keepalives_count, tcp_user_timeout and connect_timeout in the URL have libpq's meaning.

Exit codes:
  0    no problem found; there may be notices
  1    at least one problem
  64   bad arguments, or a bad URL
  69   the server cannot be reached or queried; the stage that failed is on stdout, with a remedy";

#[derive(Debug, Args)]
pub struct DoctorArguments {
    /// The server: postgres://user:password@host:5432/database?sslmode=…
    // Parsed later, because clap's errors repeat the value, and a URL may hold a password.
    #[arg(value_name = "URL")]
    pub url: String,

    /// Idle timeout of the firewall, NAT or load balancer in the path, if you know it
    #[arg(long, value_parser = above_zero, value_name = "DURATION")]
    pub idle_timeout: Option<Duration>,

    /// Timeout of each stage and of each query
    #[arg(long, default_value = "10s", value_parser = above_zero, value_name = "DURATION")]
    pub timeout: Duration,

    /// Print the diagnosis as JSON
    #[arg(long)]
    pub json: bool,
}

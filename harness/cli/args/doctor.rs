//! `pgsquall doctor`.

use std::time::Duration;

use clap::Args;

use super::values::longer_than_nothing;

pub(super) const HELP: &str = "\
Examples:
  pgsquall doctor postgres://app@db.example.com/app?sslmode=verify-full
      the way in, stage by stage, then what the server may be asked; the password may be in PGPASSWORD
  pgsquall doctor postgres://app@10.0.0.5/app?keepalives_idle=60 --idle-timeout 4m --json
      does keepalive fit under the four minutes of your own firewall? for machines
  It reads and changes nothing, and needs no superuser; a role with pg_monitor sees more. keepalives, keepalives_idle,
  keepalives_interval, keepalives_count, tcp_user_timeout and connect_timeout in the URL are judged as libpq has them.

Exit codes:
  0    no problem found; there may be notices
  1    at least one problem
  64   bad arguments, or a bad URL
  69   the server cannot be reached or asked; the stage that failed is on stdout, with a remedy";

#[derive(Debug, Args)]
pub struct DoctorArguments {
    /// The server: postgres://user:password@host:5432/database?sslmode=…
    // Understood after clap: what clap cannot understand it repeats, and this may hold a password.
    #[arg(value_name = "URL")]
    pub url: String,

    /// After how long a firewall, NAT or load balancer on the way forgets idle connections, where you know it
    #[arg(long, value_parser = longer_than_nothing, value_name = "DURATION")]
    pub idle_timeout: Option<Duration>,

    /// Longest for each stage, and for each question to the server
    #[arg(long, default_value = "10s", value_parser = longer_than_nothing, value_name = "DURATION")]
    pub timeout: Duration,

    /// Print the diagnosis as JSON
    #[arg(long)]
    pub json: bool,
}

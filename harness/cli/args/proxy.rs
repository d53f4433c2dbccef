//! `pgsquall proxy`.

use std::path::PathBuf;

use clap::Args;
use pgsquall::model::seed::Seed;
use pgsquall::toxiproxy::API;

use super::values::seed;

pub(super) const HELP: &str = "\
Examples:
  pgsquall proxy --listen 127.0.0.1:6432 --upstream 127.0.0.1:5432
      clients connect to port 6432; faults are switched at http://127.0.0.1:8474
  curl -d '{\"type\":\"latency\",\"attributes\":{\"latency\":200}}' 127.0.0.1:8474/proxies/postgres/toxics
      every byte from the server is 200 ms late from now on
  curl -X DELETE 127.0.0.1:8474/proxies/postgres/toxics/latency_downstream
      and from now on it is not
  curl -X POST 127.0.0.1:8474/proxies/postgres/reset
      RST on every open connection
  curl 127.0.0.1:8474/proxies/postgres/tap
      what has been seen: connections, sign-ins, errors by SQLSTATE, what each toxic has done

Toxic types, with their attributes:
  as in Toxiproxy  latency{latency,jitter} bandwidth{rate} slow_close{delay} timeout{timeout}
                   reset_peer{timeout} slicer{average_size,size_variation,delay} limit_data{bytes}
  ours             stall, half_open, forget, refuse, hang, idle_close{after} idle_reset{after}
                   idle_forget{after} cut_point{point,action,times}
  Times are in ms (the slicer's delay in µs), the rate in KB/s, sizes in bytes.

Exit codes:
  0    stopped by Ctrl-C or SIGTERM
  64   bad arguments, or a bad list of proxies
  69   a port is taken, or the file of --tap cannot be written";

#[derive(Debug, Args)]
pub struct ProxyArguments {
    /// Where clients connect; a free port of this machine unless given
    #[arg(long, value_name = "HOST:PORT", requires = "upstream")]
    pub listen: Option<String>,

    /// The server it leads to
    #[arg(long, value_name = "HOST:PORT")]
    pub upstream: Option<String>,

    /// By which name the API knows this proxy
    #[arg(long, default_value = "postgres", requires = "upstream", value_name = "NAME")]
    pub name: String,

    /// Further proxies: a JSON file [{"name": …, "listen": …, "upstream": …}, …], as Toxiproxy has it
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Where the API listens, or off. Whoever reaches it can have ports opened here that lead anywhere
    #[arg(long, default_value = API, value_name = "HOST:PORT|off")]
    pub api: String,

    /// Repeat what toxics had left to chance: the seed that was printed
    #[arg(long, value_parser = seed, value_name = "SEED")]
    pub seed: Option<Seed>,

    /// Write every event of every connection to this file, as lines of JSON
    #[arg(long, value_name = "FILE")]
    pub tap: Option<PathBuf>,

    /// End TLS here, so that cut points and the tap work under it: the server's own certificate, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_certificate: Option<PathBuf>,

    /// The key of that certificate, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    pub tls_key: Option<PathBuf>,

    /// Who must have signed the certificate that the server shows; without it, any will do
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    pub tls_authority: Option<PathBuf>,
}

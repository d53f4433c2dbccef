//! `pgsquall proxy`.

use std::path::PathBuf;

use clap::Args;
use pgsquall::model::seed::Seed;
use pgsquall::toxiproxy::API;

use super::values::seed;

pub(super) const HELP: &str = "\
Examples:
  pgsquall proxy --listen 127.0.0.1:6432 --upstream 127.0.0.1:5432
      clients connect to port 6432; the API at http://127.0.0.1:8474 controls faults
  curl -d '{\"type\":\"latency\",\"attributes\":{\"latency\":200}}' 127.0.0.1:8474/proxies/postgres/toxics
      delays every byte from the server by 200 ms
  curl -X DELETE 127.0.0.1:8474/proxies/postgres/toxics/latency_downstream
      removes that delay
  curl -X POST 127.0.0.1:8474/proxies/postgres/reset
      sends an RST on every open connection
  curl 127.0.0.1:8474/proxies/postgres/tap
      prints counts: connections, sign-ins, errors by SQLSTATE, effects of each toxic

Toxic types, with their attributes:
  as in Toxiproxy  latency{latency,jitter} bandwidth{rate} slow_close{delay} timeout{timeout}
                   reset_peer{timeout} slicer{average_size,size_variation,delay} limit_data{bytes}
  pgsquall only    stall, half_open, forget, refuse, hang, idle_close{after} idle_reset{after}
                   idle_forget{after} cut_point{point,action,times}
  Times are in ms (the slicer's delay in µs), the rate in KB/s, sizes in bytes.

Exit codes:
  0    stopped by Ctrl-C, SIGTERM or SIGHUP
  64   bad arguments, or a bad list of proxies
  69   a port is taken, or the file of --tap cannot be written";

#[derive(Debug, Args)]
pub struct ProxyArguments {
    /// The address that clients connect to; default: a free port on loopback
    #[arg(long, value_name = "HOST:PORT", requires = "upstream")]
    pub listen: Option<String>,

    /// The server to forward to
    #[arg(long, value_name = "HOST:PORT")]
    pub upstream: Option<String>,

    /// The proxy's name in the API
    #[arg(long, default_value = "postgres", requires = "upstream", value_name = "NAME")]
    pub name: String,

    /// More proxies: a JSON file [{"name": …, "listen": …, "upstream": …}, …], in Toxiproxy's format
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// The API's address, or off. Anyone who can reach the API can open forwarding ports on this machine
    #[arg(long, default_value = API, value_name = "HOST:PORT|off")]
    pub api: String,

    /// Seed of the toxics' random choices; the one an earlier proxy printed repeats them
    #[arg(long, value_parser = seed, value_name = "SEED")]
    pub seed: Option<Seed>,

    /// Write every event of every connection to this file, as JSON lines
    #[arg(long, value_name = "FILE")]
    pub tap: Option<PathBuf>,

    /// Terminate TLS here, so that cut points and the tap see the protocol: the server's own certificate, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_certificate: Option<PathBuf>,

    /// The key of that certificate, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    pub tls_key: Option<PathBuf>,

    /// The authority that must have signed the server's certificate; default: any certificate is accepted
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    pub tls_authority: Option<PathBuf>,
}

//! What can be typed. Values are understood here and go on as types of the library.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand};
use pgsquall::conformance::CASES;
use pgsquall::environment::choice::ServerChoice;
use pgsquall::fault::{IdleDevice, LARGEST_SCALE, USUAL_SCALE};
use pgsquall::plane::PlaneChoice;
use pgsquall::seed::Seed;
use pgsquall::time::parse_duration;
use pgsquall::toxiproxy::API;

const EXIT_CODES: &str = "\
Exit codes:
  0    every verdict is pass
  1    a verdict is fail
  2    a verdict is unknown (and none is fail): the run proves nothing
  64   bad arguments, or a bad scenario file
  69   something needed is not available here: a server, the client
  70   the harness itself failed
  130  stopped by Ctrl-C, after cleaning up";

const RUN_EXAMPLES: &str = "\
Examples:
  pgsquall run
      every scenario, against the built-in reference client and the Postgres installed here
  pgsquall run connection-reset stall --client 'python3 my_client.py'
      two scenarios, against an adapter in any language
  pgsquall run my-outage.toml --server docker:postgres:17 --budget 10s
      a scenario of your own, on a container, with ten seconds to recover
  pgsquall run --client psycopg-pool --client psycopg-pool:tuned --out results
      two clients, and a table of clients by scenarios, also in results/matrix.md; --resume goes on with it
  pgsquall run restart-fast --client './my_service --json' --supervise
      a client that exits when it loses its server, restarted as systemd or Kubernetes would
  pgsquall run idle-drop --device azure-lb
      what an Azure Load Balancer does after four minutes, here after three seconds; --scale 1: in real time
  pgsquall run restart-fast --repeat 20 --seed 7 --out results
      twenty runs that sweep the moment of the fault, repeatable, with everything kept in results/";

const INIT_EXAMPLES: &str = "\
Examples:
  pgsquall init
      lists the adapters that are shipped
  pgsquall init psycopg-pool
      writes one to the folder psycopg-pool/, and says how to run it
  pgsquall init sqlx --build
      builds one for later, so that no run has to
  pgsquall run stall --client psycopg-pool:tuned
      runs one as it is shipped, with the settings that its library offers for recovery";

const PROXY_HELP: &str = "\
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

const DOCTOR_HELP: &str = "\
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

const SIM_HELP: &str = "\
Examples:
  pgsquall sim
      a thousand random schedules of faults against the built-in reference client, a simulated minute each
  pgsquall sim --client hangs --out found
      the first schedule that this client does not survive, shrunk, as a scenario file
  pgsquall sim blackhole-long idle-drop --client hangs
      scenarios of the catalogue
  pgsquall sim --seed 4711 --seeds 1
      the schedule of one seed again
  pgsquall sim --beside pgsquall-runs/NAME
      calibration: what was run for real, each run beside the simulation of the same scenario, client and seed
  Only clients written in Rust can be simulated; others than the built-in ones by the library (pgsquall::simulation).

Exit codes:
  0    every schedule was survived, or every verdict is pass
  1    a client failed; with --beside: it passes in one of two runs and fails in the other
  2    a verdict is unknown (of a scenario; a schedule whose run proves nothing is counted, and left); with --beside:
       there was nothing to compare
  64   bad arguments, a bad scenario file, or a bad folder of runs
  69   the folder of --out cannot be written to
  70   the harness itself failed";

fn conformance_help() -> String {
    let cases = CASES.map(|case| format!("  {:12} {}: {}", case.name, case.asks, case.why)).join("\n");
    format!(
        "\
Example:
  pgsquall conformance --client 'python3 my_client.py default' --client 'python3 my_client.py tuned'
      each with a server of its own; takes some five seconds

Cases:
{cases}

Exit codes:
  0    every case passed or was skipped
  1    a case failed
  64   bad arguments
  69   something needed is not available here: a server, the client
  130  stopped by Ctrl-C, after cleaning up"
    )
}

/// Chaos testing for Postgres clients: real Postgres, real faults, one honest verdict.
#[derive(Debug, Parser)]
#[command(name = "pgsquall", version, after_help = EXIT_CODES)]
pub struct Arguments {
    #[command(subcommand)]
    pub verb: Verb,
}

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Run scenarios against a client, and judge it
    #[command(after_help = format!("{RUN_EXAMPLES}\n\n{EXIT_CODES}"))]
    Run(RunArguments),
    /// Simulate: random schedules of faults, or scenarios, in virtual time
    #[command(after_help = SIM_HELP)]
    Sim(SimArguments),
    /// List scenarios, built-in clients, and what this machine can run
    #[command(after_help = "Example:\n  pgsquall list --server docker")]
    List(ListArguments),
    /// Print a scenario: what it asks, its timeline, its file
    #[command(after_help = "Example:\n  pgsquall show long-recovery > my-outage.toml")]
    Show {
        /// A scenario's name
        scenario: String,
    },
    /// Check scenario files without running them
    #[command(after_help = "Example:\n  pgsquall check my-outage.toml")]
    Check {
        /// Scenario files
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Stand between clients and a server, with faults switched over Toxiproxy's HTTP API
    #[command(after_help = PROXY_HELP)]
    Proxy(ProxyArguments),
    /// Examine a live server, and the way to it
    #[command(after_help = DOCTOR_HELP)]
    Doctor(DoctorArguments),
    /// Write out an adapter that is shipped, to read it, to change it, or to begin one of your own
    #[command(after_help = INIT_EXAMPLES)]
    Init {
        /// An adapter's name; without one, they are listed
        name: Option<String>,
        /// The folder to write it to, which must not be there yet; default: one of the adapter's name
        #[arg(value_name = "DIR")]
        folder: Option<PathBuf>,
        /// Print its files instead
        #[arg(long, conflicts_with = "folder", requires = "name")]
        print: bool,
        /// Build it where runs look for it, so that the first of them need not
        #[arg(long, conflicts_with_all = ["folder", "print"], requires = "name")]
        build: bool,
    },
    /// Check that adapters speak the protocol right, before their verdicts are believed
    #[command(after_help = conformance_help())]
    Conformance(ConformanceArguments),
    /// Be a built-in client, as a process that speaks the adapter protocol
    // For the program itself: a client that is to be in a network namespace is a process.
    #[command(hide = true, after_help = "Example:\n  pgsquall run stall --client 'pgsquall adapter reference'")]
    Adapter {
        /// The name of a built-in client; where its database is stands in libpq's variables (PGHOST, PGPORT, …)
        name: String,
    },
    /// Judge stored histories again, offline
    #[command(after_help = "Example:\n  pgsquall judge pgsquall-runs/*/*/history.jsonl")]
    Judge {
        /// Files named history.jsonl, or the folders that hold one
        #[arg(required = true, value_name = "HISTORY")]
        histories: Vec<PathBuf>,
        /// Print the verdicts as they are stored in verdict.json
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub struct SimArguments {
    /// Scenarios, by name or as files; without any, random schedules of faults
    #[arg(value_name = "SCENARIO")]
    pub scenarios: Vec<String>,

    /// The built-in client under test; may be given several times
    #[arg(long = "client", value_name = "NAME", default_value = "reference")]
    pub clients: Vec<String>,

    /// How many schedules, each with a seed of its own; the search ends with the first that a client does not survive
    #[arg(long, value_name = "N", default_value_t = 1000, conflicts_with = "scenarios")]
    pub seeds: u64,

    /// The first seed
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    pub seed: u64,

    /// Simulations at once; as many as there are processors unless this says otherwise
    #[arg(long, value_name = "N")]
    pub jobs: Option<std::num::NonZeroUsize>,

    /// Keep what was found in this folder: scenario files, histories, verdicts
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,

    /// Simulate what was run for real, and put both side by side: the folder of `pgsquall run --out FOLDER`
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["scenarios", "clients", "seeds", "seed"])]
    pub beside: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct ListArguments {
    /// The server to say it for: auto, local[:BINDIR], docker[:IMAGE] or a URL
    #[arg(long, default_value = "auto", value_parser = ServerParser, value_name = "SERVER")]
    pub server: ServerChoice,
}

#[derive(Debug, Args)]
pub struct RunArguments {
    /// Names of scenarios or paths of scenario files; without any, every scenario that is shipped
    #[arg(value_name = "SCENARIO|FILE")]
    pub scenarios: Vec<String>,

    /// The client under test: a built-in one or a shipped adapter by name (NAME:tuned: with its library's settings for
    /// recovery), or the command line of any other adapter. Given more than once: one table, clients by scenarios
    #[arg(long, default_value = "reference", value_name = "NAME|COMMAND")]
    pub client: Vec<String>,

    /// Instead of a client: the command line of an application that does its own work. It finds its database as adapters do
    /// (DATABASE_URL, PGHOST, …), and is judged by what passes the gateway. {port} stands for a free port, also in PORT
    #[arg(long, conflicts_with = "client", value_name = "COMMAND")]
    pub app: Option<String>,

    /// A command that ends with exit status 0 once the application is ready
    #[arg(long, requires = "app", value_name = "COMMAND")]
    pub ready: Option<String>,

    /// A command that gives the application work, like visitors; started again whenever it ends
    #[arg(long, requires = "app", value_name = "COMMAND")]
    pub load: Option<String>,

    /// What the application can do that not every one can: multi_host (a DATABASE_URL of several hosts)
    #[arg(long, requires = "app", value_name = "WORD")]
    pub app_can: Vec<String>,

    /// Launch a client again whenever its process exits, as systemd and Kubernetes do: after 1 s, doubled up to 10 s while
    /// it does not stay. Without this, an exit fails the check "process". Built-in clients are processes then
    #[arg(long)]
    pub supervise: bool,

    /// The server: auto, local[:BINDIR], docker[:IMAGE] or postgres://user:password@host/database
    #[arg(long, default_value = "auto", value_parser = ServerParser, value_name = "SERVER")]
    pub server: ServerChoice,

    /// Where faults are brought about: auto (the most faithful plane there is here), proxy or kernel
    #[arg(long, default_value = "auto", value_name = "PLANE")]
    pub network: PlaneChoice,

    /// Which device ends idle connections, instead of each scenario's own (`pgsquall list` names them); without names of
    /// scenarios, all that have such a device are run
    #[arg(long, value_parser = device, value_name = "DEVICE")]
    pub device: Option<IdleDevice>,

    /// By how much the device's own time is divided; whole seconds, rounded up
    #[arg(
        long, default_value_t = USUAL_SCALE, requires = "device", value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..=i64::from(LARGEST_SCALE))
    )]
    pub scale: u32,

    /// The longest acceptable time-to-recover, instead of each scenario's own
    #[arg(long, value_parser = positive, value_name = "DURATION")]
    pub budget: Option<Duration>,

    /// Run each scenario so many times, sweeping the moment of the fault
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000), value_name = "N")]
    pub repeat: u32,

    /// Repeat an earlier run: the seed that it printed
    #[arg(long, value_parser = seed, value_name = "SEED")]
    pub seed: Option<Seed>,

    /// Runs at once; they wait more than they work, so the default is six for each core
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=512), value_name = "N")]
    pub jobs: Option<u16>,

    /// Where histories, verdicts and logs go; default: a new folder under pgsquall-runs/
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,

    /// Keep the verdicts that are in the folder of --out already, and run what is missing or was unknown
    #[arg(long, requires = "out")]
    pub resume: bool,

    /// Explain every run, not only those that did not pass
    #[arg(long, short)]
    pub verbose: bool,
}

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

#[derive(Debug, Args)]
pub struct ConformanceArguments {
    /// An adapter's command line, or the name of a built-in client; may be given several times
    #[arg(long = "client", required = true, value_name = "NAME|COMMAND")]
    pub clients: Vec<String>,

    /// The server: auto, local[:BINDIR], docker[:IMAGE] or postgres://user:password@host/database
    #[arg(long, default_value = "auto", value_parser = ServerParser, value_name = "SERVER")]
    pub server: ServerChoice,

    /// Clients at once, each with a server of its own; one for each core unless given
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=512), value_name = "N")]
    pub jobs: Option<u16>,
}

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

/// Understands `--server` without repeating what it cannot understand: a mistyped URL may hold a password.
#[derive(Clone)]
struct ServerParser;

impl TypedValueParser for ServerParser {
    type Value = ServerChoice;

    fn parse_ref(
        &self,
        command: &clap::Command,
        _: Option<&clap::Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<ServerChoice, clap::Error> {
        value.to_string_lossy().parse().map_err(|reason: String| {
            let text =
                format!("invalid value for '--server <SERVER>': {reason}\n\nFor more information, try '--help'.\n");
            clap::Error::raw(ErrorKind::ValueValidation, text).with_cmd(command)
        })
    }
}

fn positive(text: &str) -> Result<Duration, String> {
    match parse_duration(text)? {
        Duration::ZERO => Err("a budget of nothing cannot be kept".into()),
        duration => Ok(duration),
    }
}

fn longer_than_nothing(text: &str) -> Result<Duration, String> {
    match parse_duration(text)? {
        Duration::ZERO => Err("it must be longer than nothing".into()),
        duration => Ok(duration),
    }
}

fn device(text: &str) -> Result<IdleDevice, String> {
    let found = IdleDevice::ALL.into_iter().find(|(word, _)| *word == text);
    let words = || IdleDevice::ALL.map(|(word, _)| word).join(", ");
    found.map(|(_, device)| device).ok_or_else(|| format!("no device {text:?}: write one of {}", words()))
}

fn seed(text: &str) -> Result<Seed, String> {
    text.parse().map(Seed).map_err(|_| format!("{text:?} is not a seed: write the number that a run has printed"))
}

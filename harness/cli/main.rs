//! The program `pgsquall`: parses arguments, calls the library's public API, and returns an exit code.

mod adapter;
mod args;
mod baseline;
mod check;
mod conformance;
mod doctor;
mod exit;
mod init;
mod judge;
mod list;
mod print;
mod proxy;
mod report;
mod run;
mod show;
mod signals;
#[cfg(feature = "simulation")]
mod sim;
mod writers;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use clap::Parser;
use mimalloc::MiMalloc;

use self::args::{Arguments, Verb};
use self::exit::Exit;
use self::print::complain;

/// Because simulations and the gateway make many small allocations.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are not errors, and go to stdout.
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Pass };
            // If printing fails, there is no stream left to report it on.
            let _ = error.print();
            return exit.into();
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain!("error: cannot start the runtime: {error}");
            return Exit::Internal.into();
        }
    };
    // The panic hook has printed the panic; dropping the runtime drops the runs, which heals their faults.
    let exit = catch_unwind(AssertUnwindSafe(|| runtime.block_on(carry_out(arguments.verb))));
    drop(runtime);
    exit.unwrap_or(Exit::Internal).into()
}

async fn carry_out(verb: Verb) -> Exit {
    match verb {
        Verb::Run(arguments) => run::run(arguments, run::output::table).await,
        Verb::Bench(arguments) => run::run(arguments.into(), run::output::benchmark).await,
        #[cfg(feature = "simulation")]
        Verb::Sim(arguments) => sim::sim(&arguments),
        #[cfg(not(feature = "simulation"))]
        Verb::Sim(_) => {
            complain!("error: cannot simulate: this build lacks the feature \"simulation\"; build with it");
            Exit::Unavailable
        }
        Verb::List(arguments) => list::list(&arguments).await,
        Verb::Show { scenario } => show::show(&scenario),
        Verb::Check { files } => check::check(&files),
        Verb::Proxy(arguments) => proxy::proxy(arguments).await,
        Verb::Doctor(arguments) => doctor::doctor(arguments).await,
        Verb::Init { name: Some(name), build: true, .. } => init::build(&name).await,
        Verb::Init { name, folder, print, .. } => init::init(name.as_deref(), folder, print),
        Verb::Conformance(arguments) => conformance::conformance(arguments).await,
        Verb::Adapter { name } => adapter::adapter(&name).await,
        Verb::Report { verb } => report::report(verb),
        Verb::Judge { histories, json } => judge::judge(&histories, json),
    }
}

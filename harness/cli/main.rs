//! `pgsquall`: arguments in, a question asked through the public API, an exit code out.

mod args;
mod check;
mod exit;
mod judge;
mod list;
mod run;
mod show;

use std::process::ExitCode;

use clap::Parser;

use self::args::{Arguments, Verb};
use self::exit::Exit;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are no errors, and go to stdout.
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Pass };
            // Where even this cannot be printed there is nobody to tell.
            let _ = error.print();
            return exit.into();
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: cannot start the runtime: {error}");
            return Exit::Internal.into();
        }
    };
    let exit = runtime.block_on(async {
        match arguments.verb {
            Verb::Run(arguments) => run::run(arguments).await,
            Verb::List(arguments) => list::list(&arguments).await,
            Verb::Show { scenario } => show::show(&scenario),
            Verb::Check { files } => check::check(&files),
            Verb::Judge { histories, json } => judge::judge(&histories, json),
        }
    });
    exit.into()
}

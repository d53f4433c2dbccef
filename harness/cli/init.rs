//! `pgsquall init`: lists the shipped adapters, or copies, prints or builds one.

use std::fs;
use std::path::{Path, PathBuf};

use pgsquall::client::ClientChoice;
use pgsquall::client::shipped::{Shipped, adapters};

use crate::exit::Exit;
use crate::print::{complain, say};

pub fn init(name: Option<&str>, folder: Option<PathBuf>, print: bool) -> Exit {
    let Some(name) = name else {
        list();
        return Exit::Pass;
    };
    let Some(shipped) = Shipped::by_name(name) else { return unknown(name) };
    if print {
        for (file, text) in &shipped.files {
            say!("==> {file} <==\n{}", text.trim_end());
        }
        return Exit::Pass;
    }
    let folder = folder.unwrap_or_else(|| PathBuf::from(name));
    if let Err(error) = write(&shipped, &folder) {
        complain!("error: cannot write {}: {error}; name another folder: pgsquall init {name} DIR", folder.display());
        return Exit::Usage;
    }
    print_next_steps(&shipped, &folder);
    Exit::Pass
}

/// Builds an adapter into the user's cache, where runs find it.
pub async fn build(name: &str) -> Exit {
    if Shipped::by_name(name).is_none() {
        return unknown(name);
    }
    let built = match ClientChoice::parse(name) {
        Ok(client) => client.prepare().await,
        Err(error) => Err(error),
    };
    match built {
        Ok(()) => {
            say!("{name} is ready");
            Exit::Pass
        }
        Err(error) => {
            complain!("error: {error}");
            Exit::from(&error)
        }
    }
}

fn unknown(name: &str) -> Exit {
    let names: Vec<_> = adapters().iter().map(|shipped| shipped.name).collect();
    complain!("error: no shipped adapter is named {name:?}; write one of {}", names.join(", "));
    Exit::Usage
}

fn list() {
    let mut language = "";
    for Shipped { name, language: its, manifest, .. } in adapters() {
        if its != language {
            language = its;
            say!("{language}/");
        }
        say!("  {name:24} {} ({})", manifest.about, manifest.library);
    }
}

/// Writes the adapter's files into a new folder.
///
/// *Errors*: the folder exists already, so that no file is overwritten; a file cannot be written.
fn write(shipped: &Shipped, folder: &Path) -> std::io::Result<()> {
    if let Some(parent) = folder.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::create_dir(folder)?;
    shipped.files.iter().try_for_each(|(file, text)| fs::write(folder.join(file), text))
}

/// Prints the commands to run next.
fn print_next_steps(shipped: &Shipped, folder: &Path) {
    let Shipped { manifest, .. } = shipped;
    let lines = [
        vec![format!("cd {}", folder.display()), manifest.install.clone()],
        manifest.build.clone(),
        vec![
            format!("pgsquall conformance --client '{} default'", manifest.run),
            format!("pgsquall run stall --client '{} default'", manifest.run),
        ],
    ];
    say!("{} holds an adapter for {}: {}", folder.display(), manifest.library, manifest.about);
    say!("  default: the library's defaults; tuned: {}", manifest.tuned);
    say!("  {}", manifest.source);
    say!("Next:");
    lines.concat().iter().for_each(|line| say!("  {line}"));
}

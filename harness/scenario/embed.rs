//! The build script: finds the scenario files under `scenarios/`, so that a new scenario is a new file and nothing
//! else.
//!
//! Writes the list that `catalogue` includes, as Rust text: each file's folder, name and text. Within a folder, files
//! lie in the order of their key `order`, then those without one, by name. The files are not parsed here.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

fn main() -> io::Result<()> {
    let root = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let mut list = String::from("&[\n");
    for folder in paths(&root.join("scenarios"))? {
        // Adapters are programs with their own build folders.
        if !folder.is_dir() || folder.ends_with("adapters") {
            continue;
        }
        println!("cargo:rerun-if-changed={}", folder.display());
        let mut files = Vec::new();
        for file in paths(&folder)?.into_iter().filter(|file| file.extension().is_some_and(|it| it == "toml")) {
            files.push((order(&fs::read_to_string(&file)?), file));
        }
        files.sort();
        for (_, file) in files {
            list += &format!(
                "Text {{ group: {:?}, name: {:?}, text: include_str!({:?}) }},\n",
                folder.file_name().unwrap_or_default(),
                file.file_stem().unwrap_or_default(),
                file
            );
        }
    }
    // A new folder must be added there with its cause.
    println!("cargo:rerun-if-changed=harness/scenario/catalogue.rs");
    println!("cargo:rerun-if-changed=harness/scenario/embed.rs");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default());
    fs::write(out.join("scenarios.rs"), list + "]\n")
}

/// Returns the entries of a folder, sorted by name.
fn paths(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

/// Returns the value of the key `order`; `None` if the file has none.
fn order(text: &str) -> u32 {
    let value = |line: &str| line.split_once('=').filter(|(key, _)| key.trim() == "order")?.1.trim().parse().ok();
    text.lines().find_map(value).unwrap_or(u32::MAX)
}

//! The invariants of ARCHITECTURE.md that can be read off the source.

use std::fs;
use std::path::{Path, PathBuf};

/// The modules of the library, in layers: a module may use its own layer and those above, never those below.
const LAYERS: &[&[&str]] = &[
    // vocabulary
    &["budget", "fault", "history", "layout", "load", "middlebox", "plane", "seed", "sqlstate", "time"],
    // pure functions
    &["judge", "plan", "scenario", "statistics"],
    // effects
    &["recorder"],
    &["environment"],
    &["doctor"],
    &["client"],
    &["audit", "conformance", "machine", "nemesis", "observation", "subscription", "toxiproxy", "workload"],
    // orchestration and telling
    &["error", "experiment", "report"],
    &["simulation"],
];

/// How many of the layers are pure.
const PURE: usize = 2;

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

fn harness() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("harness")
}

/// A file's module, and its text without comments and without what stands behind `#[cfg(test)]`.
fn modules() -> Vec<(String, PathBuf, String)> {
    let root = harness();
    let mut found = Vec::new();
    for path in sources(&root) {
        let inside = path.strip_prefix(&root).unwrap();
        let first = inside.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs").to_owned();
        let name = inside.file_stem().unwrap().to_str().unwrap();
        let is_test =
            inside.iter().any(|part| part == "tests" || part == "samples") || name == "tests" || name == "samples";
        if first == "cli" || first == "lib" || is_test {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let tests = text.find("#[cfg(test)]\nmod").or_else(|| text.find("#[cfg(all(test")).unwrap_or(text.len());
        let code = &text[..tests];
        let code: Vec<_> = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        found.push((first, path, code.join("\n")));
    }
    found
}

fn layer(module: &str) -> usize {
    LAYERS.iter().position(|layer| layer.contains(&module)).unwrap_or_else(|| panic!("{module} is in no layer"))
}

#[test]
fn imports_only_point_up() {
    for (module, path, code) in modules() {
        for used in code.split("crate::").skip(1) {
            let used: String = used.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
            if used.is_empty() {
                continue;
            }
            assert!(layer(&used) <= layer(&module), "{} uses crate::{used}, which is below it", path.display());
        }
    }
}

#[test]
fn pure_modules_have_no_clock_no_socket_and_no_async() {
    // One function of `scenario` reads a file that the user named, and `Seed::random` asks the system for a number.
    const FORBIDDEN: [&str; 7] =
        ["tokio", "async fn", ".await", "std::net", "Instant::now", "SystemTime", "std::process"];
    for (module, path, code) in modules().into_iter().filter(|(module, ..)| layer(module) < PURE) {
        for word in FORBIDDEN {
            assert!(!code.contains(word), "{} of {module} is pure, but holds {word:?}", path.display());
        }
    }
}

#[test]
fn everything_that_waits_uses_virtual_time_where_it_can() {
    // A thread may sleep only where no runtime is there to wait with: in drops, in the loop that must catch a process
    // in its first milliseconds, and where a forked child is waited for that has done its errand.
    const ALLOWED: [&str; 6] = ["process.rs", "remains.rs", "local.rs", "folder.rs", "desk.rs", "errand.rs"];
    for (_, path, code) in modules() {
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(!code.contains("thread::sleep") || ALLOWED.contains(&name), "{} sleeps a thread", path.display());
    }
}

#[test]
fn nothing_outside_tests_panics_on_purpose() {
    for (_, path, code) in modules() {
        for word in [".unwrap()", ".expect(", "todo!", "unimplemented!", "unreachable!"] {
            assert!(!code.contains(word), "{} holds {word}", path.display());
        }
    }
}

#[test]
fn files_are_short() {
    let mut lengths: Vec<_> =
        sources(&harness()).iter().map(|path| fs::read_to_string(path).unwrap().lines().count()).collect();
    lengths.sort_unstable();
    assert!(lengths[lengths.len() / 2] <= 150, "the median file has {} lines", lengths[lengths.len() / 2]);
    assert!(lengths[lengths.len() - 1] <= 500, "the longest file has {} lines", lengths[lengths.len() - 1]);
}

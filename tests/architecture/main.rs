//! The invariants of ARCHITECTURE.md that a test can check in the source text: the order of imports, absent imports,
//! purity, lengths; `words` checks wording.

mod source;
mod words;

use std::fs;

use source::{File, library};

/// The rooms of the library in the order of imports: a room imports only from rooms of its own row and of earlier rows.
const ROOMS: &[&[&str]] = &[
    // plain data
    &["model"],
    // pure functions
    &["judge", "plan", "scenario", "statistics"],
    // parts of an environment
    &["credentials", "recorder", "run_folder"],
    &["gateway"],
    &["netns", "server"],
    &["simnet", "simpg"],
    &["environment"],
    // what works on them
    &["client", "doctor", "toxiproxy"],
    &["conformance", "nemesis"],
    &["error"],
    &["run"],
    // the front door and reports
    &["experiment", "report"],
    &["simulation"],
];

/// The number of rows of [`ROOMS`], from the first, that are pure.
const PURE: usize = 2;

/// Imports that must not exist, though the order of rooms would allow them: a file or folder below `harness`, and the
/// modules that it must not import.
const ABSENT: &[(&str, &[&str])] = &[
    ("model", &["judge", "plan", "scenario", "statistics"]),
    ("statistics", &["judge", "plan", "scenario", "model::history", "model::fault"]),
    ("judge", &["plan", "scenario", "statistics"]),
    ("gateway", &["judge", "plan", "scenario", "netns", "server"]),
    ("netns", &["judge", "plan", "scenario", "model::fault", "server"]),
    ("server", &["judge", "plan", "scenario", "netns"]),
    ("environment", &["judge", "plan", "scenario", "report", "nemesis", "client"]),
    ("simnet", &["judge", "plan", "scenario", "server", "simpg"]),
    ("simpg", &["judge", "plan", "scenario", "simnet", "nemesis", "environment"]),
    ("client", &["judge", "plan", "scenario", "environment", "nemesis"]),
    ("doctor", &["judge", "plan", "scenario", "gateway", "environment", "model::history"]),
    ("toxiproxy", &["judge", "plan", "scenario", "environment", "client", "model::history::Event"]),
    ("nemesis", &["judge", "plan", "scenario", "client", "report"]),
    ("run/workload.rs", &["model::fault", "nemesis", "gateway", "environment", "server", "scenario"]),
    ("report", &["nemesis", "gateway", "client", "run"]),
    ("report/model.rs", &["report::baseline", "report::cell"]),
    ("report/comparison.rs", &["report::baseline", "report::cell", "report::model"]),
];

/// Files whose code may let a thread sleep, because it runs outside a runtime: in `Drop`, in the loop that must catch
/// a process in its first milliseconds, and while a forked child makes its system calls.
const MAY_SLEEP: [&str; 3] = ["server/process.rs", "server/orphans.rs", "netns/forked.rs"];

fn row(room: &str) -> usize {
    ROOMS.iter().position(|row| row.contains(&room)).unwrap_or_else(|| panic!("{room} stands in no row of ROOMS"))
}

fn is_in(file: &File, place: &str) -> bool {
    file.path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        || file.path == format!("{place}.rs")
}

#[test]
fn imports_follow_the_order_of_rooms() {
    for file in library() {
        for used in file.imports() {
            let room = used.split("::").next().unwrap();
            assert!(
                row(room) <= row(file.room()),
                "harness/{} uses crate::{room}, which comes after {} in the order of rooms",
                file.path,
                file.room()
            );
        }
    }
}

#[test]
fn forbidden_imports_are_absent() {
    let files = library();
    for (place, absent) in ABSENT {
        let found: Vec<_> = files.iter().filter(|file| is_in(file, place)).collect();
        assert!(!found.is_empty(), "ABSENT names harness/{place}, which does not exist");
        for file in found {
            for used in file.imports() {
                for word in *absent {
                    let hit = used == *word || used.starts_with(&format!("{word}::"));
                    assert!(!hit, "harness/{} uses crate::{used}: {place} must know nothing of {word}", file.path);
                }
            }
        }
    }
}

#[test]
fn pure_rooms_have_no_clock_no_socket_and_no_async() {
    // `std::fs` and random numbers are not listed: `scenario` reads the user's file, `Seed::random` asks the system.
    const FORBIDDEN: [&str; 7] =
        ["tokio", "async fn", ".await", "std::net", "Instant::now", "SystemTime", "std::process"];
    for file in library().iter().filter(|file| row(file.room()) < PURE) {
        for word in FORBIDDEN {
            assert!(!file.code.contains(word), "harness/{} is pure, but holds {word:?}", file.path);
        }
    }
}

#[test]
fn only_listed_files_sleep_a_thread() {
    for file in library() {
        let sleeps = file.code.contains("thread::sleep");
        let may = MAY_SLEEP.contains(&file.path.as_str());
        assert!(!sleeps || may, "harness/{} sleeps a thread: use tokio::time", file.path);
        assert!(sleeps || !may, "MAY_SLEEP names harness/{}, which does not sleep: take it out", file.path);
    }
}

#[test]
fn library_code_does_not_panic_on_purpose() {
    for file in library() {
        for word in [".unwrap()", ".expect(", "todo!", "unimplemented!", "unreachable!"] {
            assert!(!file.code.contains(word), "harness/{} holds {word}", file.path);
        }
    }
}

#[test]
fn files_are_short_and_not_deep() {
    let mut lengths = Vec::new();
    for path in source::below("harness", &["rs"]) {
        lengths.push((fs::read_to_string(source::root().join(&path)).unwrap().lines().count(), path));
    }
    lengths.sort_unstable();
    let (median, (longest, path)) = (lengths[lengths.len() / 2].0, lengths.last().unwrap());
    assert!(median <= 150, "the median file has {median} lines");
    assert!(*longest <= 500, "{path} has {longest} lines");
    for path in source::below("harness", &[]) {
        assert!(path.split('/').count() <= 5, "{path} is deeper than five path parts");
    }
}

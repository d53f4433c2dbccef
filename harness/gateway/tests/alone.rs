//! Runs a test in a process of its own, so that descriptors, memory and CPU time can be counted.

use std::env;
use std::process::Command;

/// Environment variable, set if this test binary runs a single test in a process of its own.
const ALONE: &str = "PGSQUALL_TEST_ALONE";

/// Runs a test in a process of its own; returns its output. `None` in that process: the caller runs the test's body.
pub fn alone(module: &str, test: &str) -> Option<String> {
    if env::var_os(ALONE).is_some() {
        return None;
    }
    let name = format!("{}::{test}", module.split_once("::").unwrap().1);
    let mut alone = Command::new(env::current_exe().unwrap());
    let output = alone.args(["--exact", &name, "--nocapture"]).env(ALONE, "1").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}{complaint}");
    Some(text)
}

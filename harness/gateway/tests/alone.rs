//! Tests that nothing may run beside: only then can descriptors, memory and time of the processor be counted.

use std::env;
use std::process::Command;

/// Tells this test binary, started again, that nothing runs beside this one test.
const ALONE: &str = "PGSQUALL_TEST_ALONE";

/// Runs a test, by its path, in a process of its own; returns what it printed. `None` in that process: go on.
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

//! Everything works for a user without any privilege, and with a home that has never seen the program.

use super::common::{Place, is_root, said};

#[test]
fn a_user_without_privileges_runs_a_scenario() {
    if !is_root() {
        println!("skipped: all other tests already run without privileges");
        return;
    }
    let place = Place::new();
    let mut command = place.as_user("nobody", None);
    command.args(["run", "connection-reset", "--server", "local", "--out", "out"]);
    let said = said(command);
    assert!(said.succeeds().stdout.contains("1 pass"), "{said}");
    assert!(place.holds(".cache/pgsquall"), "its template is in its own home");
}

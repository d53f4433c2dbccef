//! The kernel plane, as a user asks for it: on which machine there is one, and what is skipped without it.

use std::process::Command;

use super::common::{BINARY, Place, is_root, said};

/// What `list` says of the kernel plane.
fn told(list: &str) -> String {
    let line = list.lines().find_map(|line| line.trim_start().strip_prefix("kernel plane"));
    line.unwrap_or_else(|| panic!("no kernel plane in:\n{list}")).trim().to_owned()
}

#[test]
fn packets_that_vanish_are_not_the_proxy_planes() {
    let place = Place::new();
    let said = place.run(&["run", "blackhole", "--network", "proxy", "--out", "out"]);
    assert_eq!(said.code, Some(69), "{said}");
    for text in ["blackhole: skipped: blackhole", "not the proxy plane's to produce", "--network kernel", "1 skipped"] {
        assert!(said.stdout.contains(text), "{text:?} is not in:\n{said}");
    }
    assert!(!place.holds("out"), "nothing came of it");
}

#[test]
fn a_plane_that_there_is_not() {
    let said = Place::new().run(&["run", "blackhole", "--network", "nonsense"]);
    said.refuses(64, &["'--network <PLANE>'", "nonsense", "auto, proxy, kernel"]);
}

/// Root in a container has most of his rights, and may still make user namespaces; there a client that is a process is
/// as well off as with anybody else.
#[test]
fn root_with_a_part_of_his_rights_is_told_what_he_has() {
    if !is_root() {
        println!("skipped: it takes root to give up rights");
        return;
    }
    let place = Place::new();
    if !told(&place.run(&["list"]).stdout).starts_with("here: ") {
        println!("skipped: there is no kernel plane here");
        return;
    }
    for right in ["-sys_admin", "-net_admin", "-sys_admin,-net_admin"] {
        let mut command = place.command("setpriv");
        command.args(["--bounding-set", right, BINARY, "list"]);
        let said = said(command);
        let told = told(&said.stdout);
        assert!(told.starts_with("here for clients that are processes (a client in this process "), "{right}: {told}");
        assert!(!said.stdout.contains("skipped here: no kernel plane"), "{right}: {said}");
    }
}

/// As in a container that withholds all of it: the reason is told, nothing is tried in vain, nothing hangs.
#[test]
fn where_there_are_no_namespaces_the_reason_is_told() {
    let place = Place::new();
    let without = |words: &str| -> Command {
        let mut command = place.command("unshare");
        // In a user namespace of its own the limit is its own as well.
        let script = format!(
            "echo 0 > /proc/sys/user/max_user_namespaces && exec setpriv --bounding-set -sys_admin '{BINARY}' {words}"
        );
        command.args(["--user", "--map-root-user", "sh", "-c", &script]);
        command
    };
    if !without("--version").output().is_ok_and(|output| output.status.success()) {
        println!("skipped: no user namespaces here at all");
        return;
    }
    let list = said(without("list"));
    let told = told(&list.stdout);
    assert!(told.starts_with("not here: no network namespace of its own: "), "{list}");
    assert!(told.contains("user.max_user_namespaces"), "{list}");
    let blackhole = list.stdout.lines().find(|line| line.trim_start().starts_with("blackhole "));
    assert!(blackhole.is_some_and(|line| line.contains("[skipped here: no kernel plane: ")), "{list}");

    let run = said(without("run blackhole --out out"));
    assert_eq!(run.code, Some(69), "{run}");
    assert!(run.stdout.contains("blackhole: skipped: no kernel plane: "), "{run}");
}

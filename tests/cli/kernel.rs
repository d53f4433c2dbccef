//! The kernel plane, as a user asks for it: on which machine there is one, and what is skipped without it.

use std::process::Command;

use super::common::{BINARY, Place, is_root, said};

#[test]
fn packets_that_vanish_are_not_the_proxy_planes() {
    let place = Place::new();
    let words = ["run", "blackhole", "--network", "proxy", "--out", "out", "--report", "json=skipped.json"];
    let said = place.run(&words);
    assert_eq!(said.code, Some(69), "{said}");
    let report = place.report("skipped.json");
    let reason = report.skipped("blackhole");
    assert!(["proxy", "--network kernel"].iter().all(|part| reason.contains(part)), "{reason}");
    assert!(said.stdout.contains(reason), "{said}");
    assert!(!place.holds("out"), "nothing came of it");
}

#[test]
fn a_plane_that_there_is_not() {
    let said = Place::new().run(&["run", "blackhole", "--network", "nonsense"]);
    said.refuses(64, &["--network", "nonsense", "auto, proxy, kernel"]);
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
    let plane = place.run(&["list"]).kernel_plane();
    if !plane.in_process || !plane.process {
        println!("skipped: there is no kernel plane here for everybody: {}", plane.line);
        return;
    }
    for right in ["-sys_admin", "-net_admin", "-sys_admin,-net_admin"] {
        let mut command = place.command("setpriv");
        command.args(["--bounding-set", right, BINARY, "list"]);
        let said = said(command);
        let plane = said.kernel_plane();
        assert!(plane.process && !plane.in_process, "{right}: {}", plane.line);
        assert!(plane.line.contains('('), "why not for others: {right}: {}", plane.line);
        assert!(!said.line("blackhole").contains('['), "it is not skipped: {right}: {said}");
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
    let plane = list.kernel_plane();
    assert!(!plane.in_process && !plane.process && plane.line.contains("user.max_user_namespaces"), "{list}");
    let blackhole = list.line("blackhole");
    assert!(blackhole.contains('[') && blackhole.contains("user.max_user_namespaces"), "{list}");

    let run = said(without("run blackhole --out out --report json=skipped.json"));
    assert_eq!(run.code, Some(69), "{run}");
    let report = place.report("skipped.json");
    assert!(report.skipped("blackhole").contains("user.max_user_namespaces"), "{run}");
}

//! The kernel plane: the users and rights with which it is available, and the scenarios skipped without it.

use std::process::Command;

use super::common::{BINARY, Workspace, is_root, output_of};

#[test]
fn proxy_plane_skips_a_blackhole() {
    let workspace = Workspace::new();
    let words = ["run", "blackhole", "--network", "proxy", "--out", "out", "--report", "json=skipped.json"];
    let output = workspace.run(&words);
    assert_eq!(output.code, Some(69), "{output}");
    let report = workspace.report("skipped.json");
    let reason = report.skipped("blackhole");
    assert!(["proxy", "--network kernel"].iter().all(|part| reason.contains(part)), "{reason}");
    assert!(output.stdout.contains(reason), "{output}");
    assert!(!workspace.holds("out"), "nothing came of it");
}

#[test]
fn unknown_plane_is_refused() {
    let output = Workspace::new().run(&["run", "blackhole", "--network", "nonsense"]);
    output.refuses(64, &["--network", "nonsense", "auto, proxy, kernel"]);
}

/// Root in a container lacks some capabilities, but can create user namespaces: then clients in their own process can
/// use the kernel plane, as they can without root.
#[test]
fn root_without_some_capabilities_has_a_kernel_plane() {
    if !is_root() {
        println!("skipped: it takes root to give up rights");
        return;
    }
    let workspace = Workspace::new();
    let plane = workspace.run(&["list"]).kernel_plane();
    if !plane.in_process || !plane.process {
        println!("skipped: not every client has a kernel plane here: {}", plane.line);
        return;
    }
    for right in ["-sys_admin", "-net_admin", "-sys_admin,-net_admin"] {
        let mut command = workspace.command("setpriv");
        command.args(["--bounding-set", right, BINARY, "list"]);
        let output = output_of(command);
        let plane = output.kernel_plane();
        assert!(plane.process && !plane.in_process, "{right}: {}", plane.line);
        assert!(plane.line.contains('('), "why not for others: {right}: {}", plane.line);
        assert!(!output.line("blackhole").contains('['), "it is not skipped: {right}: {output}");
    }
}

/// As in a container without these rights: `list` and `run` report the reason, and neither hangs.
#[test]
fn without_namespaces_the_reason_is_reported() {
    let workspace = Workspace::new();
    let without = |words: &str| -> Command {
        let mut command = workspace.command("unshare");
        // In a new user namespace, the limit affects only that namespace.
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
    let list = output_of(without("list"));
    let plane = list.kernel_plane();
    assert!(!plane.in_process && !plane.process && plane.line.contains("user.max_user_namespaces"), "{list}");
    let blackhole = list.line("blackhole");
    assert!(blackhole.contains('[') && blackhole.contains("user.max_user_namespaces"), "{list}");

    let run = output_of(without("run blackhole --out out --report json=skipped.json"));
    assert_eq!(run.code, Some(69), "{run}");
    let report = workspace.report("skipped.json");
    assert!(report.skipped("blackhole").contains("user.max_user_namespaces"), "{run}");
}

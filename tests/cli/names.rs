//! DNS scenarios: they need a client in a process of its own, and the kernel plane.

use pgsquall::{Error, Experiment};

use super::common::Workspace;
use super::psycopg;

#[test]
fn proxy_plane_skips_dns_scenarios() {
    let workspace = Workspace::new();
    let words = ["run", "dns-stale", "failover-dns", "--network", "proxy", "--report", "json=skipped.json"];
    let output = workspace.run(&words);
    let report = workspace.report("skipped.json");
    for scenario in ["dns-stale", "failover-dns"] {
        let reason = report.skipped(scenario);
        assert!(reason.contains("name") && output.stdout.contains(reason), "{reason}: {output}");
    }
}

#[tokio::test]
async fn in_process_client_cannot_run_dns_scenarios() {
    let question = Experiment::scenario("dns-unresolvable").unwrap().client_named("reference").unwrap();
    match question.run().await {
        Err(Error::NotExpressible { reason, .. }) => {
            let expected = if cfg!(feature = "dns") { "resolver" } else { "\"dns\"" };
            assert!(reason.contains(expected), "{reason}");
        }
        other => panic!("{}", other.map_or_else(|error| error.to_string(), |run| run.to_string())),
    }
}

#[test]
fn psycopg_passes_dns_scenarios() {
    let Some(client) = psycopg::client() else { return };
    let workspace = Workspace::new();
    let asked =
        ["dns-unresolvable", "dns-failure", "dns-timeout", "dns-stale", "failover-dns", "dns-dead-address-first"];
    let words = ["--client", &client, "--budget", "20s", "--report", "json=report.json"];
    let output = workspace.run(&[&["run"], asked.as_slice(), &words].concat());
    let report = workspace.report("report.json");
    if !report.lacks_kernel_plane() {
        assert_eq!(report.endings(), asked.map(|scenario| format!("{scenario} pass")), "{output}");
        output.succeeds();
    }
}

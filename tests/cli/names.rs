//! Clients that know their server by a name, and why some cannot.

use pgsquall::{Error, Experiment};

use super::common::Place;
use super::psycopg;

#[test]
fn the_proxy_plane_has_no_names() {
    let said = Place::new().run(&["run", "dns-stale", "failover-dns", "--network", "proxy"]);
    assert!(said.stdout.contains("2 skipped"), "{said}");
    for scenario in ["dns-stale", "failover-dns"] {
        let reason = format!("{scenario}: skipped: a client that knows its server by a name is not the proxy plane's");
        assert!(said.stdout.contains(&reason), "{said}");
    }
}

#[tokio::test]
async fn a_client_in_this_process_asks_the_machine() {
    let question = Experiment::scenario("dns-unresolvable").unwrap().client_named("reference").unwrap();
    match question.run().await {
        Err(Error::NotExpressible { reason, .. }) => {
            let expected = if cfg!(feature = "dns") { "asks the machine's own resolver" } else { "feature \"dns\"" };
            assert!(reason.contains(expected), "{reason}");
        }
        other => panic!("{}", other.map_or_else(|error| error.to_string(), |run| run.to_string())),
    }
}

#[test]
fn psycopg_finds_its_server_again() {
    let Some(client) = psycopg::client() else { return };
    let place = Place::new();
    let asked =
        ["dns-unresolvable", "dns-failure", "dns-timeout", "dns-stale", "failover-dns", "dns-dead-address-first"];
    let said = place.run(&[&["run"], asked.as_slice(), &["--client", &client, "--budget", "20s"]].concat());
    if said.stdout.contains("no kernel plane") {
        println!("skipped: {said}");
        return;
    }
    assert!(said.succeeds().stdout.contains("6 runs: 6 pass, 0 fail, 0 unknown"), "{said}");
}

//! The oracle is tested: the reference client passes every scenario, and each planted defect is failed by the check
//! meant for it. Outages are shortened here; `ci/oracle.sh` asks the same at full length, many times over.

#[path = "common/breath.rs"]
mod breath;

use std::path::Path;
use std::time::Duration;

use breath::is_out_of_breath;
use pgsquall::client::ClientChoice;
use pgsquall::judge::{Check, VerdictKind};
use pgsquall::model::fault::{Class, IdleDevice, USUAL_SCALE};
use pgsquall::model::plane::{Plane, PlaneChoice};
use pgsquall::scenario::Scenario;
use pgsquall::{Error, Experiment, Run};

/// Long enough for a client that comes back at all, on a machine that is busy.
const BUDGET: Duration = Duration::from_secs(15);

/// A client that does not come back is watched for no longer than this.
const SHORT_BUDGET: Duration = Duration::from_secs(4);

/// `None`, with a word about it, where what the scenario needs is not here.
async fn ask(scenario: &str, client: &str, budget: Duration) -> Option<Run> {
    ask_on(PlaneChoice::Auto, Scenario::built_in(scenario).unwrap(), client, budget).await
}

async fn ask_on(network: PlaneChoice, mut scenario: Scenario, client: &str, budget: Duration) -> Option<Run> {
    // All earlier together: in what order they come is part of the question.
    let early = scenario.faults[0].at.saturating_sub(Duration::from_secs(1));
    for fault in &mut scenario.faults {
        fault.at -= early;
        // How soon a persistent fault is told is the question itself; it needs its time.
        if scenario.class == Class::Transient {
            fault.lasts = fault.lasts.min(Duration::from_secs(5));
        }
    }
    if let Some(pause) = &mut scenario.load.pause {
        pause.at -= early;
    }
    // A deadline that the shortened stall still overruns.
    scenario.budget.op_deadline = scenario.budget.op_deadline.min(Duration::from_secs(15));
    if ["hangs", "keepalive-alone"].contains(&client) {
        scenario.budget.op_deadline = Duration::from_secs(3);
    }
    scenario.budget.time_to_recover = budget;
    let program = Path::new(env!("CARGO_BIN_EXE_pgsquall"));
    let client = ClientChoice::parse_in(client, program).unwrap();
    let needs = ["is not installed", "small disk", "no kernel plane"];
    let mut times = 1..=3;
    loop {
        let run = Experiment::new(scenario.clone()).network(network).client_choice(&client).run().await;
        match run {
            Err(Error::NotExpressible { reason, .. }) if needs.iter().any(|need| reason.contains(need)) => {
                println!("skipped: {reason}");
                return None;
            }
            // A machine so busy that the run says itself that it shows nothing: no answer yet.
            Ok(run)
                if run.verdict.verdict == VerdictKind::Unknown
                    && is_out_of_breath(&run.to_string())
                    && times.next().is_some() =>
            {
                println!("asked again: {run}");
            }
            run => return Some(run.unwrap()),
        }
    }
}

async fn passes(scenario: &str) {
    if let Some(run) = ask(scenario, "reference", BUDGET).await {
        run.assert_pass();
    }
}

async fn fails(client: &str, scenario: &str, check: Check) {
    fails_on(PlaneChoice::Auto, Scenario::built_in(scenario).unwrap(), client, check).await;
}

async fn fails_on(network: PlaneChoice, scenario: Scenario, client: &str, check: Check) {
    let Some(run) = ask_on(network, scenario, client, SHORT_BUDGET).await else { return };
    assert_eq!(run.verdict.verdict, VerdictKind::Fail, "{run}");
    let findings = run.verdict.failures().find(|(failed, _)| *failed == check).map(|(_, findings)| findings);
    let finding = findings.and_then(<[_]>::first).unwrap_or_else(|| panic!("{check} did not fail:\n{run}"));
    assert!(finding.what.contains(|c: char| c.is_ascii_digit()), "a finding holds figures: {}", finding.what);
    assert!(!finding.advice.is_empty());
}

macro_rules! reference_passes {
    ($($test:ident $scenario:literal)*) => {
        $(#[tokio::test(flavor = "multi_thread")]
        async fn $test() {
            passes($scenario).await;
        })*
    };
}

reference_passes! {
    reference_passes_connection_closed "connection-closed"
    reference_passes_connection_reset "connection-reset"
    reference_passes_connection_reset_mid_query "connection-reset-mid-query"
    reference_passes_connection_reset_in_transaction "connection-reset-in-transaction"
    reference_passes_commit_reply_lost "commit-reply-lost"
    reference_passes_reply_truncated "reply-truncated"
    reference_passes_connection_flapping "connection-flapping"
    reference_passes_connection_reset_at_request "connection-reset-at-request"
    reference_passes_connection_reset_with_waiters "connection-reset-with-waiters"
    reference_passes_half_open "half-open"
    reference_passes_blackhole "blackhole"
    reference_passes_blackhole_long "blackhole-long"
    reference_passes_one_way_blackhole "one-way-blackhole"
    reference_passes_packet_loss "packet-loss"
    reference_passes_stall "stall"
    reference_passes_stall_established "stall-established"
    reference_passes_outage_outlasting "outage-outlasting"
    reference_passes_connect_hang "connect-hang"
    reference_passes_startup_stall "startup-stall"
    reference_passes_tls_stall "tls-stall"
    reference_passes_auth_stall "auth-stall"
    reference_passes_slow_network "slow-network"
    reference_passes_slow_network_with_deadline "slow-network-with-deadline"
    reference_passes_low_bandwidth "low-bandwidth"
    reference_passes_dns_unresolvable "dns-unresolvable"
    reference_passes_dns_failure "dns-failure"
    reference_passes_dns_timeout "dns-timeout"
    reference_passes_dns_stale "dns-stale"
    reference_passes_firewall_drop "firewall-drop"
    reference_passes_firewall_drop_new "firewall-drop-new"
    reference_passes_firewall_reject_icmp "firewall-reject-icmp"
    reference_passes_firewall_outbound "firewall-outbound"
    reference_passes_firewall_reject_reset "firewall-reject-reset"
    reference_passes_firewall_terminate "firewall-terminate"
    reference_passes_restart_fast "restart-fast"
    reference_passes_restart_immediate "restart-immediate"
    reference_passes_session_terminated "session-terminated"
    reference_passes_server_killed "server-killed"
    reference_passes_server_frozen "server-frozen"
    reference_passes_long_recovery "long-recovery"
    reference_passes_connections_exhausted "connections-exhausted"
    reference_passes_wrong_password "wrong-password"
    reference_passes_client_certificate_expired "client-certificate-expired"
    reference_passes_server_certificate_expired "server-certificate-expired"
    reference_passes_certificate_renewed "certificate-renewed"
    reference_passes_server_certificate_wrong_host "server-certificate-wrong-host"
    reference_passes_certificate_authority_changed "certificate-authority-changed"
    reference_passes_client_certificate_unknown "client-certificate-unknown"
    reference_passes_client_certificate_revoked "client-certificate-revoked"
    reference_passes_not_yet_valid "not-yet-valid"
    reference_passes_tls_required "tls-required"
    reference_passes_idle_close "idle-close"
    reference_passes_idle_drop "idle-drop"
    reference_passes_idle_keepalive "idle-keepalive"
    reference_passes_idle_server_push "idle-server-push"
    reference_passes_idle_reset "idle-reset"
    reference_passes_pgbouncer_idle "pgbouncer-idle"
    reference_passes_pgbouncer_restart "pgbouncer-restart"
    reference_passes_pgbouncer_server_lost "pgbouncer-server-lost"
    reference_passes_haproxy_idle "haproxy-idle"
    reference_passes_failover_same_address "failover-same-address"
    reference_passes_failover_multi_host "failover-multi-host"
    reference_passes_failover_next_address "failover-next-address"
    reference_passes_failover_demoted_primary "failover-demoted-primary"
    reference_passes_failover_wrong_node "failover-wrong-node"
    reference_passes_failover_promoted_in_place "failover-promoted-in-place"
    reference_passes_failover_old_primary_reachable "failover-old-primary-reachable"
    reference_passes_standby_listed_first "standby-listed-first"
    reference_passes_dead_address_first "dead-address-first"
    reference_passes_refusing_address_first "refusing-address-first"
    reference_passes_failover_dns "failover-dns"
    reference_passes_dns_dead_address_first "dns-dead-address-first"
    reference_passes_restart_smart "restart-smart"
    reference_passes_restart_while_idle "restart-while-idle"
    reference_passes_repeated_restarts "repeated-restarts"
    reference_passes_backend_crashed "backend-crashed"
    reference_passes_reserved_slots_only "reserved-slots-only"
    reference_passes_role_connection_limit "role-connection-limit"
    reference_passes_thundering_herd "thundering-herd"
    reference_passes_out_of_memory "out-of-memory"
    reference_passes_disk_full "disk-full"
    reference_passes_wal_full "wal-full"
    reference_passes_resource_pressure "resource-pressure"
    reference_passes_firewall_denied "firewall-denied"
    reference_passes_firewall_range "firewall-range"
    reference_passes_wrong_user "wrong-user"
    reference_passes_wrong_database "wrong-database"
    reference_passes_wrong_host "wrong-host"
    reference_passes_wrong_port "wrong-port"
    reference_passes_password_rotated "password-rotated"
    reference_passes_not_permitted "not-permitted"
    reference_passes_connect_not_granted "connect-not-granted"
    reference_passes_idle_session_timeout "idle-session-timeout"
    reference_passes_idle_in_transaction_timeout "idle-in-transaction-timeout"
    reference_passes_statement_timeout "statement-timeout"
    reference_passes_stall_with_deadline "stall-with-deadline"
    reference_passes_listen_closed "listen-closed"
    reference_passes_listen_reset "listen-reset"
    reference_passes_listen_restart "listen-restart"
    reference_passes_listen_idle_drop "listen-idle-drop"
}

#[test]
fn every_scenario_is_asked_of_the_reference() {
    let asked = include_str!("oracle.rs");
    for scenario in pgsquall::scenario::catalogue() {
        assert!(asked.contains(&format!("reference_passes_{}", scenario.name.replace('-', "_"))), "{}", scenario.name);
    }
}

/// What a run proves, by its words.
fn proven(run: &Run, what: &str) -> u64 {
    let found = run.verdict.evidence.iter().flat_map(|fault| &fault.found).filter(|found| found.what == what);
    found.map(|found| found.count).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_keeps_its_connections_alive_withstands_a_device_that_forgets() {
    let device = IdleDevice::AZURE_LB;
    let scenario = Scenario::built_in("idle-drop").unwrap().before(&device, USUAL_SCALE).unwrap();
    let Some(run) = ask_on(PlaneChoice::Auto, scenario, "reference", BUDGET).await else { return };
    run.assert_pass();
    assert!(proven(&run, "flows kept alive by probes") > 0 && proven(&run, "flows expired") == 0, "{run}");
    assert!(run.to_string().contains("--device azure-lb --scale 100"), "{run}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_keepalives_save_even_a_client_without_deadlines() {
    let scenario = Scenario::built_in("idle-keepalive").unwrap();
    let Some(run) = ask_on(PlaneChoice::Auto, scenario, "hangs", BUDGET).await else { return };
    run.assert_pass();
    assert!(proven(&run, "keepalives seen from the server") > 0 && proven(&run, "flows expired") == 0, "{run}");
}

#[tokio::test(flavor = "multi_thread")]
async fn reference_passes_idle_faults_among_real_packets() {
    for name in ["idle-reset", "idle-close"] {
        let scenario = Scenario::built_in(name).unwrap();
        let kernel = PlaneChoice::Only(Plane::Kernel);
        let Some(run) = ask_on(kernel, scenario, "reference", BUDGET).await else { return };
        run.assert_pass();
        assert_eq!(run.verdict.plane, Plane::Kernel);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reference_passes_idle_reset_by_the_proxy() {
    let proxy = PlaneChoice::Only(Plane::Proxy);
    let run = ask_on(proxy, Scenario::built_in("idle-reset").unwrap(), "reference", BUDGET).await;
    run.unwrap().assert_pass();
}

const KERNEL: PlaneChoice = PlaneChoice::Only(Plane::Kernel);

/// The connections that there are lose every packet, and new ones work.
fn established_are_lost() -> Scenario {
    let text = "schema = 1\ntitle = \"t\"\n[budget]\nfrom = \"inject\"\n[[fault]]\nkind = \"blackhole\"\n\
                connections = \"established\"\nat = \"1s\"\nfor = \"5s\"\n";
    Scenario::parse("established-are-lost", "file", "established-are-lost.toml", text).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn timeouts_of_tcp_are_enough_where_packets_are_lost() {
    if let Some(run) = ask_on(KERNEL, established_are_lost(), "tcp-timeouts", BUDGET).await {
        run.assert_pass();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn timeouts_of_tcp_are_none_where_a_proxy_acknowledges() {
    let mut scenario = Scenario::built_in("stall").unwrap();
    scenario.budget.op_deadline = Duration::from_secs(3);
    fails_on(PlaneChoice::Only(Plane::Proxy), scenario, "tcp-timeouts", Check::HungOperation).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keepalive_ends_no_query_in_flight() {
    fails_on(KERNEL, established_are_lost(), "keepalive-alone", Check::HungOperation).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn waits_for_a_connect_as_long_as_packets_are_lost() {
    fails_on(KERNEL, Scenario::built_in("dead-address-first").unwrap(), "no-connect-timeout", Check::Recovered).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_keepalives_cure_idle_drop() {
    // One client twice, and the only difference is keepalive.
    let scenario = || Scenario::built_in("idle-drop").unwrap().before(&IdleDevice::AZURE_LB, USUAL_SCALE).unwrap();
    fails_on(PlaneChoice::Auto, scenario(), "hangs", Check::HungOperation).await;
    if let Some(run) = ask_on(PlaneChoice::Auto, scenario(), "keeps-alive", BUDGET).await {
        run.assert_pass();
        assert!(proven(&run, "flows kept alive by probes") > 0 && proven(&run, "flows expired") == 0, "{run}");
    }
}

macro_rules! defect_fails {
    ($($test:ident $client:literal in $scenario:literal by $check:ident)*) => {
        $(#[tokio::test(flavor = "multi_thread")]
        async fn $test() {
            fails($client, $scenario, Check::$check).await;
        })*

        #[test]
        fn every_defect_has_a_check() {
            // Those that are well-behaved somewhere have tests of their own.
            let covered = ["reference", "dawdles", "keeps-alive", "tcp-timeouts", $($client),*];
            for (name, _) in pgsquall::client::reference::built_in() {
                assert!(covered.contains(&name), "{name} has no test");
            }
        }

        #[test]
        fn every_check_has_a_defect() {
            use pgsquall::judge::Check::*;
            let covered = [$(Check::$check),*];
            for check in [
                Recovered, FullCapacity, HungOperation, Deadline, Undisturbed, LostWrite, DuplicatedWrite, StaleRead, Subscription, ReconnectStorm,
                ConnectionLeak, ErrorSurface, Throughput, Process,
            ] {
                assert!(covered.contains(&check), "{check} has no planted defect");
            }
        }
    };
}

defect_fails! {
    never_reconnects "never-reconnects" in "connection-reset" by Recovered
    loses_a_slot "loses-a-slot" in "connection-reset" by FullCapacity
    loses_a_slot_of_idle_ones "loses-a-slot" in "idle-reset" by FullCapacity
    waits_for_news_for_ever "no-keepalive" in "idle-server-push" by Subscription
    has_nothing_but_keepalive "keepalive-alone" in "stall-established" by HungOperation
    waits_for_a_connect_for_ever "no-connect-timeout" in "dead-address-first" by Recovered
    hangs "hangs" in "stall" by HungOperation
    cancels_late "cancels-late" in "stall-with-deadline" by Deadline
    keeps_transactions_cancelled_anywhere "keeps-cancelled" in "slow-network-with-deadline" by StaleRead
    starves_those_who_wait "starves-waiters" in "connection-reset-with-waiters" by HungOperation
    never_listens_again "never-reconnects" in "listen-closed" by Subscription
    never_listens_after_a_reset "never-reconnects" in "listen-reset" by Subscription
    never_listens_after_a_restart "never-reconnects" in "listen-restart" by Subscription
    waits_for_forgotten_news "no-keepalive" in "listen-idle-drop" by Subscription
    hangs_at_startup "hangs" in "startup-stall" by Recovered
    hangs_at_tls "hangs" in "tls-stall" by Recovered
    hangs_at_authentication "hangs" in "auth-stall" by HungOperation
    impatient "impatient" in "slow-network" by Undisturbed
    retries_unsafely "retries-unsafely" in "server-frozen" by DuplicatedWrite
    retries_a_commit_unsafely "retries-unsafely" in "commit-reply-lost" by DuplicatedWrite
    acknowledges_early "acknowledges-early" in "restart-fast" by LostWrite
    acknowledges_an_open_transaction "acknowledges-early" in "connection-reset-in-transaction" by LostWrite
    storms "storms" in "connections-exhausted" by ReconnectStorm
    storms_at_each_request "storms" in "connection-reset-at-request" by ReconnectStorm
    leaks_connections "leaks-connections" in "connection-reset" by ConnectionLeak
    reads_old_snapshot "reads-old-snapshot" in "connection-reset" by StaleRead
    slows_down "slows-down" in "connection-reset" by Throughput
    panics "panics" in "connection-reset" by Process
    swallows_errors "swallows-errors" in "wrong-password" by ErrorSurface
    gives_up "gives-up" in "restart-fast" by ErrorSurface
    gives_up_before_a_firewall "gives-up" in "firewall-terminate" by ErrorSurface
    never_reconnects_half_open "never-reconnects" in "half-open" by Recovered
    never_reconnects_idle "never-reconnects" in "idle-close" by Recovered
    never_reconnects_forgotten "never-reconnects" in "idle-drop" by Recovered
    loses_a_slot_forgotten "loses-a-slot" in "idle-drop" by FullCapacity
    hangs_forgotten "hangs" in "idle-drop" by HungOperation
    loses_a_slot_of_pgbouncer "loses-a-slot" in "pgbouncer-idle" by FullCapacity
    never_reconnects_to_pgbouncer "never-reconnects" in "pgbouncer-restart" by Recovered
    leaks_connections_to_pgbouncer "leaks-connections" in "pgbouncer-restart" by ConnectionLeak
    gives_up_on_pgbouncer "gives-up" in "pgbouncer-server-lost" by ErrorSurface
    never_reconnects_to_haproxy "never-reconnects" in "haproxy-idle" by Recovered
    caches_its_own_certificate "caches-certificates" in "client-certificate-expired" by Recovered
    never_reconnects_after_a_server_certificate_expired "never-reconnects" in "server-certificate-expired" by Recovered
    never_reconnects_to_a_new_certificate "never-reconnects" in "certificate-renewed" by Recovered
    swallows_a_certificate_of_another_host "swallows-errors" in "server-certificate-wrong-host" by ErrorSurface
    swallows_an_unknown_authority "swallows-errors" in "certificate-authority-changed" by ErrorSurface
    swallows_an_alert_of_tls_1_2 "swallows-errors" in "client-certificate-unknown" by ErrorSurface
    swallows_an_alert_of_tls_1_3 "swallows-errors" in "client-certificate-revoked" by ErrorSurface
    swallows_a_certificate_of_the_future "swallows-errors" in "not-yet-valid" by ErrorSurface
    swallows_that_tls_is_required "swallows-errors" in "tls-required" by ErrorSurface
    never_reconnects_after_a_blackhole "never-reconnects" in "blackhole" by Recovered
    hangs_in_a_long_blackhole "hangs" in "blackhole-long" by HungOperation
    leaks_connections_after_a_long_blackhole "leaks-connections" in "blackhole-long" by ConnectionLeak
    never_reconnects_without_answers "never-reconnects" in "one-way-blackhole" by Recovered
    never_reconnects_over_a_lossy_network "never-reconnects" in "packet-loss" by Recovered
    never_reconnects_after_drops "never-reconnects" in "firewall-drop" by Recovered
    never_reconnects_after_new_ones_were_dropped "never-reconnects" in "firewall-drop-new" by Recovered
    never_reconnects_after_rejects_by_icmp "never-reconnects" in "firewall-reject-icmp" by Recovered
    hangs_behind_its_own_firewall "hangs" in "firewall-outbound" by ErrorSurface
    never_reconnects_after_rejects "never-reconnects" in "firewall-reject-reset" by Recovered
    stays_on_a_standby "stays-on-standby" in "failover-wrong-node" by Recovered
    stays_on_a_demoted_primary "stays-on-standby" in "failover-demoted-primary" by Recovered
    tries_the_first_address_only "first-address-only" in "dead-address-first" by Recovered
    hangs_at_a_dead_address "hangs" in "dead-address-first" by Recovered
    tries_the_standby_only "first-address-only" in "standby-listed-first" by Recovered
    tries_the_refusing_address_only "first-address-only" in "refusing-address-first" by Recovered
    tries_the_lost_primary_only "first-address-only" in "failover-multi-host" by Recovered
    tries_the_lost_address_only "first-address-only" in "failover-next-address" by Recovered
    acknowledges_what_a_lost_primary_had_not "acknowledges-early" in "failover-same-address" by LostWrite
    believes_a_cancelled_commit "believes-cancelled" in "failover-old-primary-reachable" by StaleRead
    never_reconnects_after_a_failover "never-reconnects" in "failover-same-address" by Recovered
    storms_at_a_limit "storms" in "role-connection-limit" by ReconnectStorm
    storms_at_reserved_slots "storms" in "reserved-slots-only" by ReconnectStorm
    never_reconnects_after_a_crash "never-reconnects" in "backend-crashed" by Recovered
    never_reconnects_after_an_idle_restart "never-reconnects" in "restart-while-idle" by Recovered
    acknowledges_what_found_no_room "acknowledges-early" in "disk-full" by LostWrite
    acknowledges_what_was_never_logged "acknowledges-early" in "wal-full" by LostWrite
    never_reconnects_out_of_memory "never-reconnects" in "out-of-memory" by Recovered
    impatient_under_pressure "impatient" in "resource-pressure" by Undisturbed
    gives_up_for_ever_at_a_limit "gives-up-for-ever" in "role-connection-limit" by Recovered
    gives_up_for_ever_in_a_herd "gives-up-for-ever" in "thundering-herd" by Recovered
    gives_up_for_ever_on_shutdown "gives-up-for-ever" in "restart-smart" by Recovered
    backoff_never_resets "backoff-never-resets" in "repeated-restarts" by Recovered
    swallows_a_wrong_database "swallows-errors" in "wrong-database" by ErrorSurface
    swallows_a_wrong_host "swallows-errors" in "wrong-host" by ErrorSurface
    swallows_a_wrong_port "swallows-errors" in "wrong-port" by ErrorSurface
    swallows_a_denial "swallows-errors" in "firewall-denied" by ErrorSurface
    storms_with_a_wrong_password "storms" in "wrong-password" by ReconnectStorm
    storms_at_a_missing_database "storms" in "wrong-database" by ReconnectStorm
    caches_password "caches-password" in "password-rotated" by Recovered
    gives_up_for_ever_without_a_name "gives-up-for-ever" in "dns-unresolvable" by Recovered
    gives_up_for_ever_where_a_name_server_fails "gives-up-for-ever" in "dns-failure" by Recovered
    gives_up_for_ever_on_a_silent_name_server "gives-up-for-ever" in "dns-timeout" by Recovered
    never_reconnects_after_a_silent_name_server "never-reconnects" in "dns-timeout" by Recovered
    caches_the_address_of_a_server_that_moves "caches-address" in "dns-stale" by Recovered
    caches_the_address_of_a_lost_primary "caches-address" in "failover-dns" by Recovered
    tries_the_first_address_of_a_name_only "first-address-only" in "dns-dead-address-first" by Recovered
    never_reconnects_after_idle_sessions "never-reconnects" in "idle-session-timeout" by Recovered
}

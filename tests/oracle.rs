//! The oracle is tested: the reference client passes every scenario, and each planted defect is failed by the check
//! meant for it. Outages are shortened here; `ci/oracle.sh` asks the same at full length, many times over.

use std::time::Duration;

use pgsquall::fault::Class;
use pgsquall::judge::{Check, VerdictKind};
use pgsquall::scenario::Scenario;
use pgsquall::{Error, Experiment, Run};

/// Long enough for a client that comes back at all, on a machine that is busy.
const BUDGET: Duration = Duration::from_secs(15);

/// A client that does not come back is watched for no longer than this.
const SHORT_BUDGET: Duration = Duration::from_secs(4);

/// `None`, with a word about it, where what the scenario needs is not here.
async fn ask(scenario: &str, client: &str, budget: Duration) -> Option<Run> {
    let mut scenario = Scenario::built_in(scenario).unwrap();
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
    if client == "hangs" {
        scenario.budget.op_deadline = Duration::from_secs(3);
    }
    scenario.budget.time_to_recover = budget;
    match Experiment::new(scenario).client_named(client).unwrap().run().await {
        Err(Error::NotExpressible { reason, .. })
            if reason.contains("is not installed") || reason.contains("small disk") =>
        {
            println!("skipped: {reason}");
            None
        }
        run => Some(run.unwrap()),
    }
}

async fn passes(scenario: &str) {
    if let Some(run) = ask(scenario, "reference", BUDGET).await {
        run.assert_pass();
    }
}

async fn fails(client: &str, scenario: &str, check: Check) {
    let Some(run) = ask(scenario, client, SHORT_BUDGET).await else { return };
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
    reference_passes_half_open "half-open"
    reference_passes_stall "stall"
    reference_passes_stall_established "stall-established"
    reference_passes_outage_outlasting "outage-outlasting"
    reference_passes_connect_hang "connect-hang"
    reference_passes_startup_stall "startup-stall"
    reference_passes_tls_stall "tls-stall"
    reference_passes_auth_stall "auth-stall"
    reference_passes_slow_network "slow-network"
    reference_passes_low_bandwidth "low-bandwidth"
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
    reference_passes_idle_reset "idle-reset"
    reference_passes_pgbouncer_idle "pgbouncer-idle"
    reference_passes_pgbouncer_restart "pgbouncer-restart"
    reference_passes_pgbouncer_server_lost "pgbouncer-server-lost"
    reference_passes_haproxy_idle "haproxy-idle"
    reference_passes_failover_same_address "failover-same-address"
    reference_passes_failover_multi_host "failover-multi-host"
    reference_passes_failover_demoted_primary "failover-demoted-primary"
    reference_passes_failover_wrong_node "failover-wrong-node"
    reference_passes_failover_promoted_in_place "failover-promoted-in-place"
    reference_passes_failover_old_primary_reachable "failover-old-primary-reachable"
    reference_passes_standby_listed_first "standby-listed-first"
    reference_passes_dead_address_first "dead-address-first"
    reference_passes_refusing_address_first "refusing-address-first"
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
}

#[test]
fn every_scenario_is_asked_of_the_reference() {
    let asked = include_str!("oracle.rs");
    for scenario in pgsquall::scenario::catalogue() {
        assert!(asked.contains(&format!("reference_passes_{}", scenario.name.replace('-', "_"))), "{}", scenario.name);
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
            let covered = ["reference", $($client),*];
            for (name, _) in pgsquall::client::reference::built_in() {
                assert!(covered.contains(&name), "{name} has no test");
            }
        }

        #[test]
        fn every_check_has_a_defect() {
            use pgsquall::judge::Check::*;
            let covered = [$(Check::$check),*];
            for check in [
                Recovered, FullCapacity, HungOperation, Undisturbed, LostWrite, DuplicatedWrite, StaleRead, ReconnectStorm,
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
    hangs "hangs" in "stall" by HungOperation
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
    never_reconnects_after_rejects "never-reconnects" in "firewall-reject-reset" by Recovered
    stays_on_a_standby "stays-on-standby" in "failover-wrong-node" by Recovered
    stays_on_a_demoted_primary "stays-on-standby" in "failover-demoted-primary" by Recovered
    tries_the_first_address_only "first-address-only" in "dead-address-first" by Recovered
    hangs_at_a_dead_address "hangs" in "dead-address-first" by Recovered
    tries_the_standby_only "first-address-only" in "standby-listed-first" by Recovered
    tries_the_refusing_address_only "first-address-only" in "refusing-address-first" by Recovered
    tries_the_lost_primary_only "first-address-only" in "failover-multi-host" by Recovered
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
    never_reconnects_after_idle_sessions "never-reconnects" in "idle-session-timeout" by Recovered
}

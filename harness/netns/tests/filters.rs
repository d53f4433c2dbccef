//! Packet filters: installed as a whole or not at all, verified, counted, and removed.

use std::time::Duration;

use tokio::io::AsyncWriteExt;

use super::super::{KernelError, MARK, PacketRule, Way};
use super::{NetnsBench, assert_passes, blackhole, rule};

/// Runs nft commands in the filter's namespace, as another program could.
async fn run_nft(bench: &NetnsBench, words: &str) {
    bench.kernel.nft.run(&bench.kernel.filter, &["-f", "-"], words, []).await.unwrap();
}

/// Returns the rule set of the filter's namespace.
async fn ruleset(bench: &NetnsBench) -> String {
    bench.kernel.nft.run(&bench.kernel.filter, &["list", "ruleset"], "", []).await.unwrap()
}

#[tokio::test]
async fn a_filter_is_in_force_counted_and_gone() {
    let Some(bench) = NetnsBench::new().await else { return };
    let (mut client, mut server) = bench.connect(|_| {}).await;
    let words = ["packets up", "packets down"];
    let mut rules = blackhole();
    for (rule, words) in rules.iter_mut().zip(words) {
        rule.counted = Some(words);
    }
    let filter = bench.kernel.install(&rules).await.unwrap();
    assert!(ruleset(&bench).await.contains("chain fault1"));
    assert_eq!(bench.kernel.count(&filter).await.unwrap(), [(words[0], 0), (words[1], 0)]);
    client.write_all(b"word").await.unwrap();
    // TCP sends it again after 200 ms; that packet is lost as well.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let counted = bench.kernel.count(&filter).await.unwrap();
    assert!(counted[0].1 >= 2 && counted[1] == (words[1], 0), "{counted:?}");

    bench.kernel.remove(&filter).await.unwrap();
    assert!(!ruleset(&bench).await.contains("chain fault1"));
    let mut word = [0; 4];
    use tokio::io::AsyncReadExt;
    server.read_exact(&mut word).await.unwrap();
    assert_passes(&mut client, &mut server).await;
    // The counts can still be read, and no longer grow.
    let after = bench.kernel.count(&filter).await.unwrap();
    assert!(after[0].1 >= counted[0].1, "{counted:?} then {after:?}");
    assert_passes(&mut client, &mut server).await;
    assert_eq!(bench.kernel.count(&filter).await.unwrap(), after);
    bench.kernel.remove(&filter).await.unwrap();
}

#[tokio::test]
async fn several_rules_may_count_as_one() {
    let Some(bench) = NetnsBench::new().await else { return };
    let (mut client, mut server) = bench.connect(|_| {}).await;
    let pass = |way| PacketRule { verdict: "", ..rule(way, "tcp flags & psh == psh", "") };
    let filter = bench.kernel.install(&[pass(Way::Up), pass(Way::Down)]).await.unwrap();
    assert_passes(&mut client, &mut server).await;
    assert_passes(&mut server, &mut client).await;
    assert_eq!(bench.kernel.count(&filter).await.unwrap(), [("packets", 2)]);
}

#[tokio::test]
async fn filters_do_not_know_each_other() {
    let Some(bench) = NetnsBench::new().await else { return };
    let (mut client, mut server) = bench.connect(|_| {}).await;
    let newcomer = |matches: &str, verdict| rule(Way::Up, matches, verdict);
    // The first filter marks new connections; the second has another mark, which no connection has yet.
    let first = bench.kernel.install(&[newcomer("ct state new", MARK.set)]).await.unwrap();
    let (mut late, mut at_late) = bench.connect(|_| {}).await;
    let second = bench.kernel.install(&[newcomer(MARK.absent, "drop")]).await.unwrap();
    late.write_all(b"lost").await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(bench.kernel.count(&second).await.unwrap()[0].1 >= 1, "the first filter's mark is not the second's");
    bench.kernel.remove(&second).await.unwrap();
    use tokio::io::AsyncReadExt;
    at_late.read_exact(&mut [0; 4]).await.unwrap();
    assert_passes(&mut client, &mut server).await;
    assert_eq!(bench.kernel.count(&first).await.unwrap()[0].1, 1, "one connection came, and nothing else is new");
    bench.kernel.remove(&first).await.unwrap();
}

#[tokio::test]
async fn an_impossible_rule_changes_nothing_and_says_why() {
    let Some(bench) = NetnsBench::new().await else { return };
    let before = ruleset(&bench).await;
    let failed = bench.kernel.install(&[rule(Way::Up, "", "drop"), rule(Way::Down, "tcp colour red", "drop")]).await;
    let said = failed.unwrap_err().to_string();
    assert!(said.contains("nft") && said.contains("syntax error") && said.contains("colour"), "{said}");
    assert_eq!(ruleset(&bench).await, before, "not one of them is in force");
}

#[tokio::test]
async fn filter_removed_by_others_is_an_error() {
    let Some(bench) = NetnsBench::new().await else { return };
    for (meddling, left) in [
        ("flush chain inet pgsquall %", 0),
        ("flush chain inet pgsquall %\ndelete chain inet pgsquall %", 0),
        ("add rule inet pgsquall % accept", 3),
    ] {
        let filter = bench.kernel.install(&blackhole()).await.unwrap();
        run_nft(&bench, &meddling.replace('%', &filter.chain)).await;
        let missed = bench.kernel.remove(&filter).await;
        assert!(
            matches!(missed, Err(KernelError::NotInForce { expected: 2, found, .. }) if found == left),
            "{meddling}: {missed:?}"
        );
        // The filter is removed even so; the second call reports no error.
        bench.kernel.remove(&filter).await.unwrap();
        assert!(!ruleset(&bench).await.contains(&format!("chain {}", filter.chain)));
    }
    let filter = bench.kernel.install(&blackhole()).await.unwrap();
    run_nft(&bench, "flush ruleset").await;
    assert!(bench.kernel.count(&filter).await.is_err(), "its counts are lost");
}

#[tokio::test]
async fn a_counter_that_is_gone_is_no_zero() {
    let Some(bench) = NetnsBench::new().await else { return };
    let filter = bench.kernel.install(&blackhole()).await.unwrap();
    bench.kernel.remove(&filter).await.unwrap();
    run_nft(&bench, &format!("delete counter inet pgsquall {}", filter.counter(0))).await;
    let missed = bench.kernel.count(&filter).await;
    assert!(matches!(missed, Err(KernelError::NoCounter(_))), "{missed:?}");
}

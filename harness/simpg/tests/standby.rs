//! A primary and its standby.

use super::*;
use crate::model::fault::StopMode;
use tokio::time::sleep;

const INSERT: &str = "INSERT INTO pgsquall_ledger (id) VALUES";
const INSERT_ONE: &str = "INSERT INTO pgsquall_ledger (id) VALUES (1)";
const READ_ONLY: &str = "ERROR 25006 cannot execute INSERT in a read-only transaction";

struct Pair {
    bench: Bench,
    standby: Postgres<Memory>,
}

impl Pair {
    async fn new() -> Pair {
        let bench = Bench::new().await;
        let standby = Postgres::standby_of(&bench.server, bench.lan.clone(), address(2), Seed(8)).await.unwrap();
        Pair { bench, standby }
    }

    async fn on_primary(&self) -> Signed {
        self.bench.client().await
    }

    async fn on_standby(&self) -> Signed {
        sign_in(&self.bench.lan, self.standby.address(), &self.bench.config()).await.unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn a_standby_sees_every_commit_at_once_and_takes_no_writes() {
    let pair = Pair::new().await;
    let (primary, standby) = (pair.on_primary().await, pair.on_standby().await);
    assert_eq!(primary.simple(&format!("{INSERT} (1)")).await, "#1");
    assert_eq!(standby.simple("SELECT count(*) FROM pgsquall_ledger WHERE id = 1").await, "1 #1");
    assert_eq!(standby.simple(&format!("{INSERT} (2)")).await, READ_ONLY);
    assert_eq!(standby.simple("SELECT pg_is_in_recovery(); SHOW transaction_read_only").await, "t #1 on #0");
    assert!(standby.simple("LISTEN news").await.starts_with("ERROR 25006 cannot execute LISTEN during recovery"));
    assert!(standby.simple("BEGIN READ WRITE").await.starts_with("ERROR 0A000 cannot set transaction read-write"));
}

#[tokio::test(start_paused = true)]
async fn a_promotion_leaves_sessions_and_tells_them_with_the_next_query() {
    let pair = Pair::new().await;
    let standby = pair.on_standby().await;
    let open = pair.on_standby().await;
    open.simple("BEGIN").await;
    let mut raw = raw::Raw::new(pair.bench.lan.connect(address(2)).unwrap());
    raw.ask(&raw::startup("postgres", "")).await;
    pair.standby.promote();
    assert_eq!(raw.next().await, "nothing");
    let said = raw.ask(&raw::query("SELECT pg_is_in_recovery()")).await;
    assert_eq!(said[1..], ["D f", "C SELECT 1", "S in_hot_standby=off", "Z I"]);
    assert_eq!(standby.simple(&format!("{INSERT} (1)")).await, "#1");
    assert_eq!(open.simple(&format!("{INSERT} (2)")).await, READ_ONLY, "it began before");
    open.simple("ROLLBACK").await;
    assert_eq!(open.simple(&format!("{INSERT} (2)")).await, "#1");
    assert_eq!((pair.standby.ledger(), pair.bench.server.ledger()), (vec![(1, 2, 1)], vec![]));
}

#[tokio::test(start_paused = true)]
async fn commits_wait_for_a_standby_that_is_dead_and_go_on_once_it_is_back() {
    let pair = Pair::new().await;
    let (primary, other) = (pair.on_primary().await, pair.on_primary().await);
    pair.standby.kill().await.unwrap();
    let returns = async {
        sleep(ms(500)).await;
        assert_eq!(pair.bench.server.unconfirmed(ROLE), 1);
        assert_eq!(other.simple("SELECT count(*) FROM pgsquall_ledger").await, "0 #1", "no session sees it yet");
        pair.standby.restart().await.unwrap();
    };
    let (said, ()) = tokio::join!(primary.simple(INSERT_ONE), returns);
    assert_eq!(said, "#1");
    assert_eq!(pair.standby.ledger(), [(1, 1, 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_standby_that_stands_still_holds_up_commits_too() {
    let pair = Pair::new().await;
    let primary = pair.on_primary().await;
    pair.standby.freeze();
    let (said, ()) = tokio::join!(primary.simple(INSERT_ONE), async {
        sleep(ms(500)).await;
        assert_eq!(pair.standby.ledger(), []);
        pair.standby.thaw();
    });
    assert_eq!(said, "#1");
    assert_eq!(pair.standby.ledger(), [(1, 1, 1)]);
}

#[tokio::test(start_paused = true)]
async fn who_is_ended_while_he_waits_is_never_acknowledged() {
    let pair = Pair::new().await;
    let mut primary = pair.on_primary().await;
    pair.standby.promote();
    let (said, ended) = tokio::join!(primary.simple(INSERT_ONE), async {
        sleep(ms(500)).await;
        pair.bench.server.end_unconfirmed(ROLE).await.unwrap()
    });
    assert_eq!((said.as_str(), ended), ("connection closed", 1));
    let notice = "WARNING 57P01 canceling the wait for synchronous replication and terminating connection";
    assert_eq!(primary.next().await, Said::Notice(notice.into()));
    // The row is durable, on the primary only.
    assert_eq!((pair.bench.server.ledger(), pair.standby.ledger()), (vec![(1, 1, 1)], vec![]));
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_cancelled_is_acknowledged_with_a_warning_and_that_is_split_brain() {
    let pair = Pair::new().await;
    let mut primary = pair.on_primary().await;
    pair.standby.promote();
    let token = primary.client.cancel_token();
    let (said, ()) = tokio::join!(primary.simple(INSERT_ONE), async {
        sleep(ms(500)).await;
        token.cancel_query_raw(pair.bench.dial(), NoTls).await.unwrap();
    });
    assert_eq!(said, "#1");
    let notice = "WARNING 01000 canceling wait for synchronous replication due to user request";
    assert_eq!(primary.next().await, Said::Notice(notice.into()));
    assert_eq!((pair.bench.server.ledger(), pair.standby.ledger()), (vec![(1, 1, 1)], vec![]));
    assert_eq!(pair.bench.server.fence(ROLE).await.unwrap(), 0);
    assert_eq!(pair.on_primary().await.simple(&format!("{INSERT} (2)")).await, READ_ONLY);
    assert_eq!(pair.on_standby().await.simple(&format!("{INSERT} (3)")).await, "#1");
}

#[tokio::test(start_paused = true)]
async fn a_crash_while_a_commit_waits_keeps_what_is_durable() {
    let pair = Pair::new().await;
    let primary = pair.on_primary().await;
    pair.standby.stop(StopMode::Fast).await.unwrap();
    let (said, ()) = tokio::join!(primary.simple(INSERT_ONE), async {
        sleep(ms(500)).await;
        pair.bench.server.kill().await.unwrap();
    });
    assert_eq!(said, "connection closed");
    pair.standby.restart().await.unwrap();
    assert_eq!(pair.standby.ledger(), [], "it has no source");
    pair.bench.server.restart().await.unwrap();
    assert_eq!((pair.bench.server.ledger(), pair.standby.ledger()), (vec![(1, 1, 1)], vec![(1, 1, 1)]));
}

#[tokio::test(start_paused = true)]
async fn a_demotion_waits_for_those_who_write_and_sessions_stay() {
    let pair = Pair::new().await;
    let (writes, reads) = (pair.on_primary().await, pair.on_primary().await);
    writes.simple(&format!("BEGIN; {INSERT} (1)")).await;
    reads.simple("BEGIN READ ONLY").await;
    let began = tokio::time::Instant::now();
    let (demoted, ()) = tokio::join!(pair.bench.server.demote(), async {
        sleep(ms(500)).await;
        assert_eq!(writes.simple("COMMIT").await, "#0");
    });
    demoted.unwrap();
    assert_eq!(began.elapsed().as_millis(), 500);
    assert_eq!(writes.simple(&format!("{INSERT} (2)")).await, READ_ONLY);
    assert_eq!(writes.simple("SHOW transaction_read_only; SELECT pg_is_in_recovery()").await, "on #0 f #1");
    assert_eq!(pair.standby.ledger(), [(1, 1, 1)]);
}

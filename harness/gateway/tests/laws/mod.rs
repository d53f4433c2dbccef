//! The laws of toxics: properties of every toxic on real sockets. For a new toxic, add a line to [`laws!`].
//!
//! `magnitude` tests the effects of individual toxics, and how large they are.

mod case;
mod chance;
mod churn;
mod heal;
mod idle;
mod leave;
mod magnitude;
mod open;
mod reach;
mod transparent;

use super::*;
use crate::gateway::Cut;

use self::case::*;

/// Makes a module for each toxic, with one test for each law.
macro_rules! laws {
    ($($toxic:ident: $case:expr,)+) => {$(
        mod $toxic {
            use super::*;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn weak_or_removed_changes_no_byte() {
                transparent::law($case).await;
            }

            #[tokio::test]
            async fn works_on_open_and_on_new_connections() {
                open::law($case).await;
            }

            #[tokio::test]
            async fn held_bytes_arrive_at_once_on_heal() {
                heal::law($case).await;
            }

            #[tokio::test]
            async fn either_peer_may_leave_first() {
                leave::law($case).await;
            }

            #[tokio::test]
            async fn the_other_direction_is_left_alone() {
                reach::direction(Stream::Upstream, $case).await;
                reach::direction(Stream::Downstream, $case).await;
            }

            #[tokio::test]
            async fn scope_selects_established_or_new_connections() {
                reach::scope($case).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn churn_during_a_transfer_loses_no_byte() {
                churn::law($case).await;
            }
        }
    )+

        fn every_case() -> Vec<Case> {
            vec![$($case),+]
        }
    };
}

laws! {
    latency: Case { weak: Some(latency(0)), strong: latency(100), endless: latency(AGES), ..LATE_BY_100 },
    bandwidth: Case { weak: Some(bandwidth(u64::MAX)), strong: bandwidth(1_000), endless: bandwidth(1), ..BYTES_LATE_BY_100 },
    slicer: Case { weak: Some(slicer(u32::MAX, 0)), strong: slicer(10, 12), endless: slicer(60, AGES), ..BYTES_LATE_BY_100 },
    limit: Case { weak: Some(limit(u64::MAX)), strong: limit(50), endless: limit(u64::MAX), ..CUT_BY_BYTES },
    stall: Case { weak: None, strong: STALL, endless: STALL, ..HELD },
    stall_that_closes: Case { weak: None, strong: stall(200), endless: stall(AGES), ..CLOSED_AFTER_200 },
    slow_close: Case { weak: Some(slow_close(0)), strong: slow_close(100), endless: slow_close(AGES), ..FIN_LATE_BY_100 },
    reset: Case { weak: None, strong: reset(200), endless: reset(AGES), ..RESET_AFTER_200 },
}

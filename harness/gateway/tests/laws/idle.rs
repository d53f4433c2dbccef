//! A gateway with toxics in force waits without polling.

use nix::sys::resource::{UsageWho, getrusage};

use super::*;
use crate::gateway::RuleKind;

/// Time over which CPU use is measured.
const SPAN: Duration = Duration::from_millis(600);

/// Returns the CPU time that this process has used.
fn used() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_SELF).unwrap();
    let spent = [usage.user_time(), usage.system_time()];
    spent.iter().map(|time| Duration::from_micros(time.tv_sec() as u64 * 1_000_000 + time.tv_usec() as u64)).sum()
}

#[test]
fn waiting_costs_no_time_of_the_processor() {
    if super::super::alone::alone(module_path!(), "waiting_costs_no_time_of_the_processor").is_some() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut benches = Vec::new();
        for (case, stream) in every_case()
            .into_iter()
            .flat_map(|case| [Stream::Both, Stream::Upstream, Stream::Downstream].map(|stream| (case, stream)))
        {
            let bench = GatewayBench::new().await;
            let mut pairs = Vec::new();
            for half_closed in [false, true] {
                // If `half_closed`: one connection whose client has sent FIN before the toxic, and one whose server
                // has.
                for _ in 0..2 {
                    let (mut client, mut server) = bench.pair().await;
                    if half_closed {
                        let one = if pairs.len() % 2 == 0 { &mut client } else { &mut server };
                        one.shutdown().await.unwrap();
                    }
                    pairs.push((client, server));
                }
            }
            sleep(Duration::from_millis(10)).await;
            bench.gateway.install("toxic", RuleKind::Toxic(Toxic { stream, ..case.endless.into() })).await;
            for (client, server) in &mut pairs {
                for peer in [client, server] {
                    let _ = peer.write_all(&MESSAGE).await;
                }
            }
            benches.push((bench, pairs));
        }
        sleep(Duration::from_millis(300)).await;
        let before = used();
        sleep(SPAN).await;
        let used = used() - before;
        assert!(used < SPAN / 12, "{used:?} of {SPAN:?}");
    });
}

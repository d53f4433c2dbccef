//! Either peer may close its connection first while a toxic is in force, by FIN or by RST.

use std::time::Instant;

use super::*;

pub async fn law(case: Case) {
    for (end, fate) in [(Cut::Close, case.fin), (Cut::Reset, case.rst)] {
        for client_first in [true, false] {
            let bench = GatewayBench::new().await;
            let (client, server) = bench.pair().await;
            let installed = Instant::now();
            let rule = bench.install(case.strong).await;
            let (first, mut second) = if client_first { (client, server) } else { (server, client) };
            let left = Instant::now();
            match end {
                Cut::Close => drop(first),
                Cut::Reset => leave_by_rst(first),
            }
            let (told, least, since) = match fate {
                Fate::Late(least) => (end, least, left),
                Fate::Held => {
                    assert_silence(&mut second).await;
                    bench.remove(&rule).await;
                    (end, Duration::ZERO, left)
                }
                Fate::Cut(cut, least) => (cut, least, installed),
            };
            assert_eq!(
                read_out(&mut second).await,
                (Vec::new(), by(told)),
                "{end:?}, the client first: {client_first}"
            );
            assert!(since.elapsed() >= least, "after {:?} instead of {least:?}", since.elapsed());
            drop(second);
            bench.assert_empty().await;
            assert_eq!(bench.doubts(), 0);
        }
    }
}

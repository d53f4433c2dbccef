//! A toxic takes effect on connections that were open before it and on new ones.

use std::time::Instant;

use super::*;

pub async fn law(case: Case) {
    let bench = GatewayBench::new().await;
    let open = bench.pair().await;
    let installed = Instant::now();
    let mut rule = bench.install(case.strong).await;
    let first = Arc::clone(&rule);
    let (open, new) = ((open, installed), (bench.pair().await, installed));
    for ((mut client, mut server), installed) in [open, new] {
        assert_fate(case.bytes, &mut client, &mut server, installed, &MESSAGE).await;
        if !matches!(case.bytes, Fate::Cut(..)) {
            assert_fate(case.bytes, &mut server, &mut client, installed, &MESSAGE).await;
        }
        if case.bytes == Fate::Held {
            bench.remove(&rule).await;
            for stream in [&mut client, &mut server] {
                let mut received = [0; MESSAGE.len()];
                in_time(stream.read_exact(&mut received)).await.unwrap();
                assert_eq!(received, MESSAGE);
            }
            rule = bench.install(case.strong).await;
        }
    }
    if case.bytes != AT_ONCE {
        assert!(first.tally.strikes() >= 1 && first.tally.bytes() > 0);
    }
}

/// Sends bytes, and asserts their fate.
async fn assert_fate(fate: Fate, from: &mut TcpStream, to: &mut TcpStream, installed: Instant, bytes: &[u8]) {
    let sent = Instant::now();
    let written = in_time(from.write_all(bytes)).await;
    match fate {
        Fate::Late(least) => {
            let mut received = vec![0; bytes.len()];
            in_time(to.read_exact(&mut received)).await.unwrap();
            assert!(sent.elapsed() >= least, "after {:?} instead of {least:?}", sent.elapsed());
            assert_eq!(received, bytes);
        }
        Fate::Held => {
            written.unwrap();
            assert_silence(to).await;
        }
        Fate::Cut(cut, least) => {
            let (received, end) = read_out(to).await;
            assert!(installed.elapsed() >= least, "after {:?} instead of {least:?}", installed.elapsed());
            assert!(received.len() < bytes.len() && bytes.starts_with(&received));
            assert_eq!(end, by(cut));
            // If the cut came before the write, the failed write has already consumed the error.
            if written.is_ok() {
                assert_eq!(read_out(from).await, (Vec::new(), by(cut)));
            }
        }
    }
}

//! A toxic does what it says, on connections that were open when it came and on those opened since.

use std::time::Instant;

use super::*;

pub async fn law(case: Case) {
    let bench = GatewayBench::new().await;
    let open = bench.pair().await;
    let came = Instant::now();
    let mut rule = bench.install(case.strong).await;
    let first = Arc::clone(&rule);
    let (open, new) = ((open, came), (bench.pair().await, came));
    for ((mut client, mut server), came) in [open, new] {
        assert_fate(case.bytes, &mut client, &mut server, came, &MESSAGE).await;
        if !matches!(case.bytes, Fate::Cut(..)) {
            assert_fate(case.bytes, &mut server, &mut client, came, &MESSAGE).await;
        }
        if case.bytes == Fate::Held {
            bench.remove(&rule).await;
            for stream in [&mut client, &mut server] {
                let mut heard = [0; MESSAGE.len()];
                in_time(stream.read_exact(&mut heard)).await.unwrap();
                assert_eq!(heard, MESSAGE);
            }
            rule = bench.install(case.strong).await;
        }
    }
    if case.bytes != AT_ONCE {
        assert!(first.tally.strikes() >= 1 && first.tally.bytes() > 0);
    }
}

/// Sends bytes, and sees what becomes of them.
async fn assert_fate(fate: Fate, from: &mut TcpStream, to: &mut TcpStream, came: Instant, bytes: &[u8]) {
    let sent = Instant::now();
    let written = in_time(from.write_all(bytes)).await;
    match fate {
        Fate::Late(least) => {
            let mut heard = vec![0; bytes.len()];
            in_time(to.read_exact(&mut heard)).await.unwrap();
            assert!(sent.elapsed() >= least, "after {:?} instead of {least:?}", sent.elapsed());
            assert_eq!(heard, bytes);
        }
        Fate::Held => {
            written.unwrap();
            assert_silence(to).await;
        }
        Fate::Cut(cut, least) => {
            let (heard, end) = read_out(to).await;
            assert!(came.elapsed() >= least, "after {:?} instead of {least:?}", came.elapsed());
            assert!(heard.len() < bytes.len() && bytes.starts_with(&heard));
            assert_eq!(end, by(cut));
            // Who was cut before it sent has learnt it by that.
            if written.is_ok() {
                assert_eq!(read_out(from).await, (Vec::new(), by(cut)));
            }
        }
    }
}

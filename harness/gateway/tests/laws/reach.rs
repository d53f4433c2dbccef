//! Reach: a toxic touches only the links and connections that it is configured for.

use super::*;

/// More bytes than fit into the buffers on the way.
const MUCH: usize = 4 << 20;

/// A toxic on one link does not affect the other.
pub async fn direction(stream: Stream, case: Case) {
    let bench = GatewayBench::new().await;
    let open = bench.pair().await;
    let mut rule = bench.install(Toxic { stream, ..case.endless.into() }).await;
    let new = bench.pair().await;
    for (client, server) in [open, new] {
        let (mut from, mut to) = match stream {
            Stream::Upstream => (server, client),
            _ => (client, server),
        };
        // Bytes held on the touched link must not affect the other direction either.
        to.write_all(&MESSAGE).await.unwrap();
        let sent = pattern(MUCH);
        let sending = async {
            from.write_all(&sent).await.unwrap();
            from.shutdown().await.unwrap();
        };
        let ((), (received, end)) = in_time(async { tokio::join!(sending, read_out(&mut to)) }).await;
        assert!(end == Ok(()) && received == sent, "{} of {MUCH} bytes, {end:?}", received.len());
        bench.remove(&rule).await;
        drop(to);
        assert_eq!(read_out(&mut from).await, (MESSAGE.to_vec(), Ok(())));
        drop(from);
        rule = bench.install(Toxic { stream, ..case.endless.into() }).await;
    }
    bench.assert_empty().await;
}

/// A toxic on established connections does not affect new ones, and vice versa.
pub async fn scope(case: Case) {
    for scope in [Scope::Established, Scope::New] {
        let bench = GatewayBench::new().await;
        let (mut old_client, mut old_server) = bench.pair().await;
        let kind = if matches!(case.bytes, Fate::Cut(..)) { case.strong } else { case.endless };
        bench.install(Toxic { scope, ..kind.into() }).await;
        let (mut new_client, mut new_server) = bench.pair().await;
        let old = (&mut old_client, &mut old_server);
        let new = (&mut new_client, &mut new_server);
        let (touched, spared) = if scope == Scope::New { (new, old) } else { (old, new) };
        let _ = touched.0.write_all(&MESSAGE).await;
        match case.bytes {
            Fate::Cut(cut, _) => {
                assert_eq!(read_out(touched.0).await.1, by(cut));
                assert_eq!(read_out(touched.1).await.1, by(cut));
            }
            _ => {
                touched.0.shutdown().await.unwrap();
                let received = timeout(WATCH, touched.1.read_to_end(&mut Vec::new())).await;
                assert!(received.is_err(), "{scope:?}: all of it passed, {received:?}");
            }
        }
        spared.0.write_all(&MESSAGE).await.unwrap();
        spared.0.shutdown().await.unwrap();
        assert_eq!(read_out(spared.1).await, (MESSAGE.to_vec(), Ok(())), "{scope:?}");
        spared.1.shutdown().await.unwrap();
        assert_fin(spared.0).await;
    }
}

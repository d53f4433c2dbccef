//! A standby in a container replicates from its primary; both, and their network, are removed.

use super::*;

#[tokio::test]
async fn standby_follows_and_both_are_removed() {
    let mut server = server_or_skip!();
    let standby = server.create_standby("test", &[]).await.unwrap();
    server.superuser().connect().await.unwrap().batch("CREATE TABLE replicated (x int)").await.unwrap();
    let session = standby.superuser().connect().await.unwrap();
    let replicated = "SELECT to_regclass('replicated') IS NOT NULL AND pg_is_in_recovery()";
    for look in 0.. {
        if session.rows(replicated, &[]).await.unwrap()[0].get(0) {
            break;
        }
        assert!(look < 500, "the table was not replicated");
        sleep(Duration::from_millis(20)).await;
    }
    let (docker, network) = (server.container.docker.clone(), server.network.as_ref().unwrap().name().to_owned());
    docker.inspect_network(&network, None).await.unwrap();
    standby.remove().await.unwrap();
    server.remove().await.unwrap();
    drop((standby, server));
    docker.inspect_network(&network, None).await.unwrap_err();
}

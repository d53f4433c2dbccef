//! Two containers of one run.

use super::*;

#[tokio::test]
async fn a_standby_follows_and_nothing_of_both_stays() {
    let mut server = server_or_skip!();
    let standby = server.create_standby("test", &[]).await.unwrap();
    server.superuser().connect().await.unwrap().batch("CREATE TABLE told (x int)").await.unwrap();
    let session = standby.superuser().connect().await.unwrap();
    let told = "SELECT to_regclass('told') IS NOT NULL AND pg_is_in_recovery()";
    for look in 0.. {
        if session.rows(told, &[]).await.unwrap()[0].get(0) {
            break;
        }
        assert!(look < 500, "the standby does not hear of it");
        sleep(Duration::from_millis(20)).await;
    }
    let (docker, network) = (server.container.docker.clone(), server.network.as_ref().unwrap().name().to_owned());
    docker.inspect_network(&network, None).await.unwrap();
    standby.remove().await.unwrap();
    server.remove().await.unwrap();
    drop((standby, server));
    docker.inspect_network(&network, None).await.unwrap_err();
}

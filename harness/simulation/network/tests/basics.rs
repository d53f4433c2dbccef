use std::io::ErrorKind;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

#[test]
fn an_echo_takes_two_ways() {
    simulate(|network| async move {
        let (mut client, mut server) = pair(&network, SocketOptions::default()).await;
        let (_, took) = timed(async {
            client.write_all(b"hello").await.unwrap();
            let mut bytes = [0; 5];
            server.read_exact(&mut bytes).await.unwrap();
            server.write_all(&bytes).await.unwrap();
            client.read_exact(&mut bytes).await.unwrap();
            assert_eq!(&bytes, b"hello");
        })
        .await;
        assert_eq!(took, 0.002);
    });
}

#[test]
fn nobody_listens_where_it_is_refused() {
    simulate(|network| async move {
        let (refused, took) = timed(network.client().connect(server(), SocketOptions::default())).await;
        let refused = refused.unwrap_err();
        assert_eq!((refused.kind(), refused.raw_os_error()), (ErrorKind::ConnectionRefused, Some(libc::ECONNREFUSED)));
        assert_eq!(took, 0.002);
    });
}

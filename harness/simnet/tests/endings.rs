//! How connections end: FIN, RST, close with unread data, abandoned connects.

use super::*;
use crate::gateway::transport::Dialer;

#[test]
fn dropped_socket_sends_fin() {
    simulate(|network| async move {
        let (mut client, mut server) = pair(&network, SocketOptions::default()).await;
        server.write_all(b"last words").await.unwrap();
        drop(server);
        let mut read = Vec::new();
        assert_eq!(client.read_to_end(&mut read).await.unwrap(), 10);
        // Data to a closed socket are answered by RST.
        client.write_all(b"still there?").await.unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert_eq!(errno(client.write_all(b"well?").await), libc::EPIPE);
        assert_eq!(client.read(&mut [0]).await.unwrap(), 0, "the end of the stream stays");
        drop(client);
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert_eq!(network.flows().unwrap(), []);
    });
}

#[test]
fn flow_is_removed_after_both_fins() {
    simulate(|network| async move {
        let (mut client, mut server) = pair(&network, SocketOptions::default()).await;
        assert_eq!(network.flows().unwrap().len(), 1);
        client.shutdown().await.unwrap();
        assert_eq!(server.read(&mut [0]).await.unwrap(), 0);
        server.write_all(b"half open").await.unwrap();
        server.cut_off().unwrap();
        let mut read = String::new();
        client.read_to_string(&mut read).await.unwrap();
        assert_eq!(read, "half open");
        drop((client, server));
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert_eq!(network.flows().unwrap(), []);
    });
}

#[test]
fn close_with_unread_data_is_a_reset() {
    for read_before in [0, 1] {
        simulate(|network| async move {
            let (mut client, mut server) = pair(&network, SocketOptions::default()).await;
            client.write_all(b"unread").await.unwrap();
            tokio::time::sleep(Duration::from_millis(5)).await;
            for _ in 0..read_before {
                server.read_u8().await.unwrap();
            }
            drop(server);
            assert_eq!(errno(client.read_u8().await), libc::ECONNRESET);
        });
    }
}

#[test]
fn reset_arrives_after_data_written_before() {
    simulate(|network| async move {
        let (mut client, mut server) = pair(&network, SocketOptions::default()).await;
        server.write_all(b"FATAL").await.unwrap();
        server.reset();
        tokio::time::sleep(seconds(1)).await;
        let mut read = [0; 5];
        client.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"FATAL");
        assert_eq!(errno(client.read_u8().await), libc::ECONNRESET);
        assert_eq!(errno(client.write_all(b"x").await), libc::ECONNRESET);
        drop(client);
        assert_eq!(network.flows().unwrap(), []);
    });
}

#[test]
fn reset_after_fin_keeps_the_end_of_stream() {
    simulate(|network| async move {
        let (mut client, mut server) = pair(&network, SocketOptions::default()).await;
        server.cut_off().unwrap();
        server.reset();
        tokio::time::sleep(seconds(1)).await;
        assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
        assert_eq!(errno(client.write_all(b"x").await), libc::EPIPE);
    });
}

#[test]
fn reset_wakes_reader_and_writer() {
    simulate(|network| async move {
        let (client, server) = pair(&network, SocketOptions::default()).await;
        let (mut reader, mut writer) = tokio::io::split(client);
        let reading = tokio::spawn(async move { reader.read_u8().await });
        let writing = tokio::spawn(async move { writer.write_all(&[0; 1_000_000]).await });
        tokio::time::sleep(seconds(1)).await;
        server.reset();
        assert_eq!(errno(reading.await.unwrap()), libc::ECONNRESET);
        assert_eq!(errno(writing.await.unwrap()), libc::ECONNRESET);
    });
}

#[test]
fn abandoned_connect_leaves_no_flow() {
    simulate(|network| async move {
        let listener = network.servers().listen(server()).unwrap();
        let calling = network.client().begin_to_connect(server()).unwrap();
        drop(calling);
        tokio::time::sleep(seconds(1)).await;
        assert_eq!(network.flows().unwrap(), []);
        let calling = network.client().begin_to_connect((UNUSED_ADDRESS, 5432).into()).unwrap();
        drop(calling);
        assert_eq!(network.flows().unwrap(), []);
        drop(listener);
    });
}

#[test]
fn abandoned_connect_after_handshake_is_a_close() {
    simulate(|network| async move {
        let host = network.servers();
        let mut listener = host.listen(server()).unwrap();
        let calling = network.client().begin_to_connect(server()).unwrap();
        tokio::time::sleep(seconds(1)).await;
        drop(calling);
        let mut accepted = host.accept(&mut listener).await.unwrap().0;
        assert_eq!(accepted.read(&mut [0]).await.unwrap(), 0);
        drop(accepted);
        tokio::time::sleep(seconds(1)).await;
        assert_eq!(network.flows().unwrap(), []);

        let mut calling = network.client().begin_to_connect(server()).unwrap();
        tokio::time::sleep(seconds(1)).await;
        host.accept(&mut listener).await.unwrap().0.reset();
        tokio::time::sleep(seconds(1)).await;
        assert_eq!(errno(network.client().connected(&mut calling).await), libc::ECONNRESET);
    });
}

#[test]
fn loopback_close_with_unread_data_is_a_reset() {
    simulate(|network| async move {
        let host = network.servers();
        let mut listener = host.listen("127.0.0.1:6000".parse().unwrap()).unwrap();
        let at = listener.address();
        let (one, other) = tokio::join!(host.connect(at, SocketOptions::default()), host.accept(&mut listener));
        let (mut one, mut other) = (one.unwrap(), other.unwrap().0);
        one.write_all(b"unread").await.unwrap();
        other.write_all(b"FATAL").await.unwrap();
        tokio::time::sleep(seconds(1)).await;
        drop(other);
        let mut read = [0; 5];
        one.read_exact(&mut read).await.unwrap();
        assert_eq!(errno(one.read_u8().await), libc::ECONNRESET);
        drop(one);
        assert_eq!(network.flows().unwrap(), []);
    });
}

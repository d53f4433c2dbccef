//! Refused connections, and accepting again.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use super::*;
use crate::gateway::port;

async fn refused(bench: &GatewayBench) {
    let error = in_time(TcpStream::connect(bench.gateway.address())).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn refusing_spares_open_connections() {
    let bench = GatewayBench::new().await;
    let (mut client, mut server) = bench.pair().await;
    bench.gateway.refuse().await.unwrap();
    for _ in 0..20 {
        refused(&bench).await;
    }
    assert_passes(&mut client, &mut server).await;
    assert_passes(&mut server, &mut client).await;
    bench.gateway.accept().await.unwrap();
    let (mut client, mut server) = bench.pair().await;
    assert_passes(&mut client, &mut server).await;
    assert_eq!(bench.opened(), 2, "a refused connection is not counted");
}

#[tokio::test]
async fn accept_after_refuse_keeps_the_port() {
    let bench = GatewayBench::new().await;
    let address = bench.gateway.address();
    assert!(!port::ephemeral_range().contains(&address.port()));
    let mut open = Vec::new();
    for _ in 0..50 {
        bench.gateway.refuse().await.unwrap();
        refused(&bench).await;
        bench.gateway.accept().await.unwrap();
        let (mut client, mut server) = bench.pair().await;
        assert_passes(&mut client, &mut server).await;
        open.push((client, server)); // open connections on this port must not prevent the gateway from listening again
        if open.len() > 5 {
            open.remove(0);
        }
    }
    assert_eq!(bench.gateway.address(), address);
    assert_eq!(bench.doubts(), 0);
    let refusals: Vec<bool> = bench.recorder.look(|history| {
        let refusing = |event: &Event| match event {
            Event::Refusing { on, .. } => Some(*on),
            _ => None,
        };
        history.events.iter().filter_map(refusing).collect()
    });
    assert_eq!(refusals, [true, false].repeat(50));
}

#[tokio::test]
async fn queued_clients_are_served_after_refuse() {
    let bench = GatewayBench::new().await;
    for _ in 0..10 {
        // The gateway has probably not accepted these yet.
        let clients: Vec<_> = (0..5).map(|_| std::net::TcpStream::connect(bench.gateway.address()).unwrap()).collect();
        bench.gateway.refuse().await.unwrap();
        refused(&bench).await;
        bench.serves(clients).await;
        bench.gateway.accept().await.unwrap();
    }
}

#[tokio::test]
async fn repeated_or_abandoned_instructions_do_no_harm() {
    let bench = GatewayBench::new().await;
    for _ in 0..10 {
        {
            let mut abandoned = pin!(bench.gateway.refuse());
            poll_fn(|context| {
                // Polled once: the gateway may already carry out the instruction.
                let _ = abandoned.as_mut().poll(context);
                Poll::Ready(())
            })
            .await;
        }
        bench.gateway.accept().await.unwrap();
        bench.gateway.accept().await.unwrap();
        let (mut client, mut server) = bench.pair().await;
        assert_passes(&mut client, &mut server).await;
        bench.gateway.refuse().await.unwrap();
        bench.gateway.refuse().await.unwrap();
        refused(&bench).await;
        bench.gateway.accept().await.unwrap();
    }
    assert_eq!(bench.doubts(), 0);
}

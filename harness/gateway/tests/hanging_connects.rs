//! Connects that hang, as behind a firewall that drops SYNs.

use std::io::Write;
use std::net;
use std::thread;

use super::*;

/// Longest wait for a hanging connect: the client's kernel retries after waits of 1, 2 and 4 s.
const RETRIED: Duration = Duration::from_secs(8);

#[tokio::test]
async fn connect_hangs_until_accepted_and_open_ones_go_on() {
    let bench = GatewayBench::new().await;
    let (mut client, mut server) = bench.pair().await;
    bench.gateway.hang().await.unwrap();
    let address = bench.gateway.address();
    let mut waiting = tokio::spawn(TcpStream::connect(address));
    assert!(timeout(WATCH * 2, &mut waiting).await.is_err(), "it does not return");
    assert_passes(&mut client, &mut server).await;
    assert_passes(&mut server, &mut client).await;
    assert!(bench.gateway.syns_dropped().await > 0);
    bench.gateway.accept().await.unwrap();
    let mut late = timeout(RETRIED, waiting).await.unwrap().unwrap().unwrap();
    let (mut server, _) = in_time(bench.server.accept()).await.unwrap();
    assert_passes(&mut late, &mut server).await;
    assert_eq!(bench.opened(), 2, "what kept the queue full was no client");
    assert_eq!(bench.doubts(), 0);
}

#[tokio::test]
async fn dropped_syns_count_only_those_of_clients() {
    let bench = GatewayBench::new().await;
    for _ in 0..20 {
        bench.gateway.hang().await.unwrap();
        bench.gateway.accept().await.unwrap();
    }
    bench.gateway.hang().await.unwrap();
    assert_eq!(bench.gateway.syns_dropped().await, 0);
    for attempts in 1..=5 {
        assert!(timeout(WATCH / 5, TcpStream::connect(bench.gateway.address())).await.is_err());
        assert_eq!(bench.gateway.syns_dropped().await, attempts);
    }
    bench.gateway.accept().await.unwrap();
    assert_eq!(bench.gateway.syns_dropped().await, 5);
}

#[tokio::test]
async fn queued_clients_are_served_while_connects_hang() {
    let bench = GatewayBench::new().await;
    for _ in 0..10 {
        let clients: Vec<_> = (0..5).map(|_| net::TcpStream::connect(bench.gateway.address()).unwrap()).collect();
        bench.gateway.hang().await.unwrap();
        bench.serves(clients).await;
        bench.gateway.accept().await.unwrap();
    }
    assert_eq!(bench.doubts(), 0);
}

#[tokio::test]
async fn hanging_connect_is_refused_once_connections_are() {
    let bench = GatewayBench::new().await;
    bench.gateway.hang().await.unwrap();
    let address = bench.gateway.address();
    let waiting = tokio::spawn(TcpStream::connect(address));
    sleep(WATCH).await;
    bench.gateway.refuse().await.unwrap();
    let error = in_time(TcpStream::connect(address)).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    let error = timeout(RETRIED, waiting).await.unwrap().unwrap().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    // A refusing gateway can begin to hang directly.
    bench.gateway.hang().await.unwrap();
    assert!(timeout(WATCH, TcpStream::connect(address)).await.is_err());
    bench.gateway.accept().await.unwrap();
    let (mut client, mut server) = bench.pair().await;
    assert_passes(&mut client, &mut server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_client_is_lost_in_a_race_for_the_backlog() {
    let bench = GatewayBench::new().await;
    let address = bench.gateway.address();
    let echo = tokio::spawn({
        let server = bench.server;
        async move {
            loop {
                let (mut stream, _) = server.accept().await.unwrap();
                tokio::spawn(async move {
                    while let Ok(byte) = stream.read_u8().await {
                        let _ = stream.write_all(&[byte]).await;
                    }
                });
            }
        }
    });
    let over = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let start_client = |over: Arc<std::sync::atomic::AtomicBool>| {
        thread::spawn(move || {
            let mut served = 0;
            while !over.load(std::sync::atomic::Ordering::Relaxed) {
                // The timeout makes the test retry a hanging connect sooner than the kernel would.
                let Ok(mut client) = net::TcpStream::connect_timeout(&address, Duration::from_millis(30)) else {
                    continue;
                };
                client.set_read_timeout(Some(PATIENCE)).unwrap();
                client.write_all(&[7]).unwrap();
                let mut byte = [0];
                io::Read::read_exact(&mut client, &mut byte).expect("who is connected is served");
                served += 1;
            }
            served
        })
    };
    let clients: Vec<_> = (0..4).map(|_| start_client(Arc::clone(&over))).collect();
    for _ in 0..60 {
        // Filling the queue may fail, because clients may be faster in every attempt.
        while bench.gateway.hang().await.is_err() {}
        sleep(Duration::from_millis(3)).await;
        bench.gateway.accept().await.unwrap();
        sleep(Duration::from_millis(3)).await;
    }
    over.store(true, std::sync::atomic::Ordering::Relaxed);
    let served: Vec<u32> = clients.into_iter().map(|thread| thread.join().unwrap()).collect();
    assert!(served.iter().sum::<u32>() > 60, "{served:?}");
    until(|| bench.gateway.connections() == 0).await;
    echo.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_instructions_leave_an_accepting_gateway() {
    let bench = GatewayBench::new().await;
    let mut tasks = Vec::new();
    for number in 0..3_u64 {
        let gateway = bench.gateway.clone();
        tasks.push(tokio::spawn(async move {
            for round in 0..60 {
                match (number + round * 7 + round / 3) % 3 {
                    0 => gateway.hang().await.unwrap(),
                    1 => gateway.refuse().await.unwrap(),
                    _ => gateway.accept().await.unwrap(),
                }
            }
        }));
    }
    for task in tasks {
        in_time(task).await.unwrap();
    }
    bench.gateway.accept().await.unwrap();
    for _ in 0..20 {
        let (mut client, mut server) = bench.pair().await;
        assert_passes(&mut client, &mut server).await;
    }
    assert_eq!((bench.opened(), bench.doubts()), (20, 0));
}

//! The crates `toxiproxy_rust` and `noxious-client` against an API in Toxiproxy's dialect: `toxiproxy-clients HOST:PORT`.
//! Panics at the first thing that is not as with Toxiproxy.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use noxious_client::{StreamDirection, Toxic, ToxicKind};
use toxiproxy_rust::proxy::ProxyPack;

/// A server that says everything again.
fn echo_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            thread::spawn(move || std::io::copy(&mut &stream, &mut &stream));
        }
    });
    address
}

/// A port that is free now: these libraries do not report the port chosen for port 0.
fn free_port() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

fn echo(address: &str) -> std::io::Result<Duration> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let began = Instant::now();
    stream.write_all(b"word")?;
    stream.read_exact(&mut [0; 4])?;
    Ok(began.elapsed())
}

fn toxiproxy_rust(api: &str, upstream: &str) {
    let listen = free_port();
    let client = toxiproxy_rust::client::Client::new(api);
    assert!(client.is_running());
    assert!(client.version().unwrap().contains("2."));
    let pack = ProxyPack::new("rust".into(), listen.clone(), upstream.into());
    assert_eq!(client.populate(vec![pack]).unwrap().len(), 1);
    assert!(client.all().unwrap().contains_key("rust"));

    let proxy = client.find_proxy("rust").unwrap();
    echo(&listen).unwrap();
    proxy.with_latency("downstream".into(), 200, 0, 1.0);
    assert_eq!(proxy.toxics().unwrap()[0].attributes["latency"], 200);
    assert!(echo(&listen).unwrap() >= Duration::from_millis(200));
    proxy.delete_all_toxics().unwrap();
    assert!(proxy.toxics().unwrap().is_empty());

    proxy.with_timeout("downstream".into(), 200, 1.0);
    let ended = echo(&listen).unwrap_err().kind();
    assert_eq!(ended, ErrorKind::UnexpectedEof);
    client.reset().unwrap();
    proxy
        .with_bandwidth("upstream".into(), 1000, 1.0)
        .with_slow_close("downstream".into(), 10, 1.0)
        .with_slicer("upstream".into(), 64, 8, 10, 1.0)
        .with_limit_data("downstream".into(), 1000, 1.0);
    assert_eq!(proxy.toxics().unwrap().len(), 4);
    echo(&listen).unwrap();
    client.reset().unwrap();
    assert!(proxy.toxics().unwrap().is_empty());

    proxy.with_down(|| assert_eq!(echo(&listen).unwrap_err().kind(), ErrorKind::ConnectionRefused)).unwrap();
    echo(&listen).unwrap();
    proxy.delete().unwrap();
    assert!(!client.all().unwrap().contains_key("rust"));
    assert!(client.find_proxy("rust").is_err());
}

async fn noxious(api: &str, upstream: &str) {
    let listen = free_port();
    let client = noxious_client::Client::new(api);
    let mut proxy = client.create_proxy("noxious", &listen, upstream).await.unwrap();
    assert!(client.create_proxy("noxious", &listen, upstream).await.is_err(), "it exists");
    assert!(client.proxies().await.unwrap().contains_key("noxious"));
    echo(&listen).unwrap();

    let toxic = |latency| Toxic {
        kind: ToxicKind::Latency { latency, jitter: 0 },
        name: "slow".into(),
        toxicity: 1.0,
        direction: StreamDirection::Upstream,
    };
    proxy.add_toxic(&toxic(200)).await.unwrap();
    assert_eq!(proxy.toxics().await.unwrap()[0].direction, StreamDirection::Upstream);
    assert!(echo(&listen).unwrap() >= Duration::from_millis(200));
    proxy.remove_toxic("slow").await.unwrap();
    assert!(proxy.remove_toxic("slow").await.is_err(), "it is gone");

    proxy.disable().await.unwrap();
    assert_eq!(echo(&listen).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    proxy.enable().await.unwrap();
    echo(&listen).unwrap();
    proxy.add_toxic(&toxic(200)).await.unwrap();
    client.reset_state().await.unwrap();
    assert!(proxy.toxics().await.unwrap().is_empty());
    proxy.delete().await.unwrap();
    assert!(client.proxy("noxious").await.is_err(), "it is gone");
}

fn main() {
    let api = std::env::args().nth(1).expect("usage: toxiproxy-clients HOST:PORT");
    let upstream = echo_server();
    toxiproxy_rust(&api, &upstream);
    println!("toxiproxy_rust: as with Toxiproxy");
    // It blocks in between, so it has a runtime of its own.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(noxious(&api, &upstream));
    println!("noxious-client: as with Toxiproxy");
}
